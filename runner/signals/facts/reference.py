"""The facts of a data set of role `reference`, made ready to be looked up by what they speak of.

Called by `check`. A line holds a statement (`text` or `statement`), or a `question` with its `answer`; other columns
are the team's own. Pure: whoever has read the lines passes them in.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import terminal
from runner.signals.consistency.words import Sort, Word, words
from runner.signals.facts.values import Kind, Value, values, without_values

STATEMENT = ("text", "statement", "fact_text")
Keys = frozenset[str]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its sentence, its words in order, the keys of those that tell something, and its values."""

    text: str
    said: tuple[str, ...]
    keys: Keys
    names: Keys
    values: frozenset[Value]


@dataclass(frozen=True, slots=True)
class Match:
    """A fact beside a question: how close it is, and the share of the question's known words that it holds."""

    fact: Fact
    closeness: float
    share: float


class Reference:
    """Facts by their words: a word that few facts hold tells more of what is asked (inverse document frequency)."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.facts = tuple(facts)
        self._by_key: dict[str, list[int]] = {}
        for number, fact in enumerate(self.facts):
            for key in fact.keys:
                self._by_key.setdefault(key, []).append(number)
        held = {key: len(numbers) for key, numbers in self._by_key.items()}
        self._weight = {key: math.log((len(self.facts) + 1) / count) for key, count in held.items()}
        self._rarest = math.log(len(self.facts) + 1)
        self._whole = [self.weight(fact.keys) for fact in self.facts]

    def weight(self, keys: Iterable[str]) -> float:
        """Return how much these words tell; one that no fact holds tells as much as one that a single fact holds."""
        return sum(self._weight.get(key, self._rarest) for key in set(keys))

    def knows(self, key: str) -> bool:
        """Whether any fact holds this word."""
        return key in self._by_key

    def matches(self, asked: Keys) -> list[Match]:
        """Return the facts that share a word with what is asked, the closest first; none where none does.

        Close is a fact that holds much of the question and says little else.
        """
        weights: defaultdict[int, float] = defaultdict(float)
        for key in sorted(asked):
            for number in self._by_key.get(key, ()):
                weights[number] += self._weight[key]
        whole = self.weight(filter(self.knows, asked))
        found = [
            Match(self.facts[number], weight * math.sqrt(weight / self._whole[number]), weight / whole)
            for number, weight in weights.items()
        ]
        return sorted(found, key=lambda match: (-match.closeness, match.fact.text))

    def holding(self, key: str) -> list[Fact]:
        """Return the facts in which a word stands."""
        return [self.facts[number] for number in self._by_key.get(key, ())]


def fact(text: str) -> Fact:
    """Read one fact."""
    every = words(text)
    return Fact(
        text=text,
        said=tuple(word.key for word in every),
        keys=telling(text),
        names=frozenset(word.key for word in every if word.sort is Sort.NAME),
        values=values(text),
    )


def telling(text: str) -> Keys:
    """Return the keys of the words of a text that tell what it is about: no values, no function words."""
    return frozenset(word.key for word in words(without_values(text)) if _tells(word)) | {
        f"{value.kind}:{value.text}" for value in values(text) if value.kind in _SUBJECTS
    }


def _tells(word: Word) -> bool:
    return word.sort in (Sort.NAME, Sort.CONTENT)


_SUBJECTS = frozenset({Kind.WEEKDAY, Kind.CODE})
"""Kinds of value that are asked about as often as asked for: a fact on Sunday speaks of Sunday."""


def read(rows: Iterable[Mapping[str, Any]], place: str) -> Reference:
    """Make a reference of the rows of a data set at `place`. Raises TerminalError where no row holds a fact."""
    facts = [fact(text) for text in map(_text, rows) if text]
    if not facts:
        raise terminal(
            f"no fact stands in {place}",
            fix="give each line a column `text` or `statement`, or `question` and `answer`",
        )
    return Reference(facts)


def _text(row: Mapping[str, Any]) -> str:
    for column in STATEMENT:
        if isinstance(row.get(column), str):
            return str(row[column])
    question, answer = row.get("question"), row.get("answer")
    return f"{question} {answer}" if isinstance(question, str) and isinstance(answer, str) else ""
