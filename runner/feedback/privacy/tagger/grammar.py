"""Texts made from rules: a small grammar whose expansions know which of their letters name whom.

Called by the training of the tagger alone. A file of rules has a line `@rule`, then one alternative a line; `3* `
before an alternative makes it three times as likely. In an alternative `[a|b]` chooses, `{x}` is another rule or a
slot, whose values come from outside, and `\\n` ends a line. Lines that begin with `#` are remarks.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from runner.errors import terminal

Piece = tuple[str, str]
"""A stretch of text and the kind of personal data it is, `` for none."""
Slot = Callable[[random.Random], list[Piece]]

_PART = re.compile(r"\[|\]|\||\{[a-z0-9_]+\}|[^\[\]|{}]+")
_WEIGHT = re.compile(r"([0-9]+)\* ")


@dataclass(frozen=True, slots=True)
class Name:
    """A rule or a slot."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several sequences."""

    options: tuple[tuple[str | Name | Choice, ...], ...]
    weights: tuple[int, ...]


class Grammar:
    """Rules by name, and the slots that they end in."""

    def __init__(self, rules: Mapping[str, Choice], slots: Mapping[str, Slot]) -> None:
        self._rules = rules
        self._slots = slots
        unknown = {name for rule in rules.values() for name in _names(rule)} - set(rules) - set(slots)
        if unknown:
            raise terminal(f"rules that nobody wrote: {', '.join(sorted(unknown))}")

    def text(self, rule: str, chance: random.Random) -> list[Piece]:
        """Return one expansion of `rule` in pieces; spaces that would double are dropped."""
        pieces: list[Piece] = []
        self._expand(Name(rule), chance, pieces)
        return pieces

    def _expand(self, part: str | Name | Choice, chance: random.Random, pieces: list[Piece]) -> None:
        if isinstance(part, str):
            if part[0] == " " and (not pieces or pieces[-1][0][-1:] in " \n"):
                part = part.lstrip(" ")
            if part:
                pieces.append((part, ""))
        elif isinstance(part, Choice):
            for inner in chance.choices(part.options, part.weights)[0]:
                self._expand(inner, chance, pieces)
        elif part.name in self._rules:
            self._expand(self._rules[part.name], chance, pieces)
        else:
            pieces.extend(piece for piece in self._slots[part.name](chance) if piece[0])


def _names(choice: Choice) -> Iterable[str]:
    for option in choice.options:
        for part in option:
            if isinstance(part, Name):
                yield part.name
            elif isinstance(part, Choice):
                yield from _names(part)


def parse(text: str) -> dict[str, Choice]:
    """Return the rules of a file. Raises TerminalError at brackets that do not match."""
    lines: dict[str, list[str]] = {}
    rule = ""
    for line in text.splitlines():
        if line.startswith("@"):
            rule = line[1:].strip()
            lines.setdefault(rule, [])
        elif line.strip() and not line.startswith("#"):
            lines[rule].append(line.strip())
    return {rule: _rule(alternatives) for rule, alternatives in lines.items()}


def _rule(alternatives: list[str]) -> Choice:
    options, weights = [], []
    for line in alternatives:
        match = _WEIGHT.match(line)
        body = line[match.end() :] if match else line
        parts = _PART.findall(body.replace("\\n", "\n").replace("\\t", "\t"))
        option, rest = _sequence(parts)
        if rest:
            raise terminal(f"brackets that do not match: {line}")
        options.append(option)
        weights.append(int(match[1]) if match else 1)
    return Choice(tuple(options), tuple(weights))


def _sequence(parts: list[str]) -> tuple[tuple[str | Name | Choice, ...], list[str]]:
    """Return the sequence up to a closing bracket or a bar, and the parts from there."""
    found: list[str | Name | Choice] = []
    while parts and parts[0] not in ("]", "|"):
        part, parts = parts[0], parts[1:]
        if part == "[":
            choice, parts = _choice(parts)
            found.append(choice)
        elif part.startswith("{"):
            found.append(Name(part[1:-1]))
        else:
            found.append(part)
    return tuple(found), parts


def _choice(parts: list[str]) -> tuple[Choice, list[str]]:
    options = []
    while True:
        option, parts = _sequence(parts)
        options.append(option)
        if not parts:
            raise terminal("a bracket that is not closed")
        closed, parts = parts[0] == "]", parts[1:]
        if closed:
            return Choice(tuple(options), (1,) * len(options)), parts
