"""YAML text to plain values, with the place of every key and value, and every mistake as a diagnostic.

A strict part of YAML 1.2 is read: one document, no anchors, aliases, tags or merge keys, no key twice, and
only `true`, `false`, `null` and numbers are anything but text (`no` and `2026-11-21` stay text). So nothing
in a file can mean something else than it shows, nothing expands, and an edit of one line changes one value.
The loader calls it. Pure: bytes in, values out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from runner.errors import Diagnostic, Location

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_DIGITS = 18
SECOND = -1
"""Stands in a path for the value of a key that stood there before: no path of the spec leads to it."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE = re.compile(r"[-+]?[0-9]+")
_REAL = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and its key (for an item of a list: the item itself)."""

    key: Location
    value: Location
    style: str | None = None
    """How a scalar is quoted, as YAML names it: None or empty is plain."""


@dataclass(frozen=True, slots=True)
class Document:
    """One file as read: its top-level mapping and the place of everything in it."""

    path: str
    value: Mapping[str, Any]
    places: Mapping[KeyPath, Place]
    first_line: str = ""

    def key(self, *path: str | int) -> Location:
        """Return where the key at `path` stands; of the nearest enclosing one where that is absent."""
        return self._nearest(path).key

    def at(self, *path: str | int) -> Location:
        """Return where the value at `path` stands; of the nearest enclosing one where that is absent."""
        return self._nearest(path).value

    def known(self, path: KeyPath) -> KeyPath:
        """Return the longest beginning of `path` that exists, without parts that are no keys of the file."""
        found: KeyPath = ()
        for part in path:
            if (*found, part) in self.places:
                found = (*found, part)
        return found

    def _nearest(self, path: KeyPath) -> Place:
        return self.places[self.known(path)]


class _Stop(Exception):
    """Reading cannot go on after this diagnostic."""


@dataclass(slots=True)
class _Container:
    """A mapping or sequence under construction."""

    path: KeyPath
    value: dict[str, Any] | list[Any]
    key: tuple[str, Location] | None = None


@dataclass(slots=True)
class _Reader:
    path: str
    root: Any = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    stack: list[_Container] = field(default_factory=list)
    documents: int = 0
    stopped: bool = False

    def run(self, events: Iterator[Any]) -> None:
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    self._begin_document(event)
                case yaml.AliasEvent():
                    self._refuse(event, f"alias '*{event.anchor}'", "write the value out where it is used")
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent():
                    self._open(event, {})
                case yaml.SequenceStartEvent():
                    self._open(event, [])
                case yaml.CollectionEndEvent():
                    self.stack.pop()

    def _begin_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            where = self._where(event)
            self._stop(
                where, "a second document begins here", fix="keep one document in a file, without '---'"
            )

    def _where(self, event: Any) -> Location:
        return Location(self.path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _stop(self, where: Location, summary: str, *evidence: str, fix: str | None = None) -> None:
        self.diagnostics.append(Diagnostic(summary, where, evidence, fix))
        raise _Stop

    def _refuse(self, event: Any, what: str, fix: str) -> None:
        self._stop(self._where(event), f"{what} is not supported in these files", fix=fix)

    def _check_plain(self, event: Any) -> None:
        if event.anchor is not None:
            self._refuse(event, f"anchor '&{event.anchor}'", "write the value out where it is used")
        if event.tag is not None and event.tag != "!":
            self._refuse(event, f"tag '{event.tag}'", "leave the tag out; the type follows from the key")

    def _open(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        self._check_plain(event)
        if len(self.stack) >= MAX_DEPTH:
            self._stop(self._where(event), f"values are nested more than {MAX_DEPTH} deep")
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            self._stop(self._where(event), "a key must be text", fix="quote it if it is meant as text")
        self.stack.append(_Container(self._place(event, value), value))

    def _scalar(self, event: Any) -> None:
        self._check_plain(event)
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            top.key = (self._key(event), self._where(event))
            return
        self._place(event, self._resolve(event))

    def _key(self, event: Any) -> str:
        name: str = event.value
        if name == _MERGE and not event.style:
            self._refuse(event, "merge key '<<'", "write the keys out")
        return self._text(event)

    def _place(self, event: Any, value: Any) -> KeyPath:
        """Put a value where it belongs and return its path; a key's second value is told and left out."""
        here = self._where(event)
        style = getattr(event, "style", None)
        if not self.stack:
            self.root = value
            self.places[()] = Place(here, here, style)
            return ()
        top = self.stack[-1]
        if isinstance(top.value, list):
            path: KeyPath = (*top.path, len(top.value))
            top.value.append(value)
            self.places[path] = Place(here, here, style)
            return path
        assert top.key is not None  # noqa: S101 - _scalar and _open see to it
        (name, key), top.key = top.key, None
        path = (*top.path, name)
        if path in self.places:
            self._tell_twice(name, key, self.places[path].key)
            return (*top.path, SECOND)
        top.value[name] = value
        self.places[path] = Place(key, here, style)
        return path

    def _tell_twice(self, name: str, second: Location, first: Location) -> None:
        evidence = (f"first at line {first.line}",)
        self.diagnostics.append(
            Diagnostic(f"key '{name}' stands twice", second, evidence, "keep one of the two")
        )

    def _text(self, event: Any) -> str:
        text: str = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._stop(self._where(event), "the text holds half of a surrogate pair, which is no character")
        return text

    def _resolve(self, event: Any) -> Any:
        """Return what a scalar means under YAML 1.2's core schema, as far as these files need it."""
        text = self._text(event)
        if event.style or event.tag == "!":
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self._odd_number(event, f"'{text}' is not a number that can be compared")
            return None
        if _WHOLE.fullmatch(text):
            return self._whole(event, text)
        if _REAL.fullmatch(text):
            return self._real(event, text)
        return text

    def _whole(self, event: Any, text: str) -> int | None:
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits.startswith("0"):
            self._odd_number(
                event, f"'{text}' begins with a zero", fix="leave the zero out, or quote it if it is text"
            )
            return None
        if len(digits) > MAX_DIGITS:
            self._odd_number(event, f"a whole number of {len(digits)} digits is too large")
            return None
        return int(text)

    def _real(self, event: Any, text: str) -> float | None:
        value = float(text)
        if not math.isfinite(value):
            self._odd_number(event, f"'{text[:40]}' is too large for a number")
            return None
        return value

    def _odd_number(self, event: Any, summary: str, fix: str | None = None) -> None:
        self.diagnostics.append(Diagnostic(summary, self._where(event), (), fix))


def read(path: str, data: bytes) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """Read one file's bytes.

    The document is None where the file cannot be read on; beside lesser mistakes (a key twice, an odd number)
    it is there, so that what else is wrong can be told at the same time.
    """
    try:
        text = _decode(path, data)
        reader = _Reader(path)
        _compose(reader, text)
    except _Unreadable as error:
        return None, (error.diagnostic,)
    diagnostics = tuple(reader.diagnostics)
    if reader.stopped:
        return None, diagnostics
    if reader.root is None:
        return None, (*diagnostics, Diagnostic("the file is empty", Location(path)))
    if not isinstance(reader.root, dict):
        return None, (*diagnostics, Diagnostic("the file must hold keys and values", Location(path, 1, 1)))
    return Document(path, reader.root, reader.places, text.partition("\n")[0].rstrip()), diagnostics


class _Unreadable(Exception):
    """The bytes are no YAML."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.summary)
        self.diagnostic = diagnostic


def _compose(reader: _Reader, text: str) -> None:
    try:
        reader.run(yaml.parse(text, Loader=_LOADER))
    except _Stop:
        reader.stopped = True
    except yaml.MarkedYAMLError as error:
        raise _Unreadable(_syntax(reader.path, text, error)) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0) or 0
        raise _Unreadable(Diagnostic(_control(text), _location(reader.path, text, position))) from None


def _decode(path: str, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        summary = f"the file has {len(data):,} bytes; more than {MAX_BYTES:,} are not read"
        raise _Unreadable(Diagnostic(summary, Location(path)))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        evidence = (f"byte 0x{data[error.start]:02x} at offset {error.start}",)
        fix = "save the file as UTF-8"
        raise _Unreadable(Diagnostic("the file is not UTF-8", Location(path, line), evidence, fix)) from None
    for position, character in enumerate(text):
        if character < " " and character not in "\t\n\r":
            where = _location(path, text, position)
            raise _Unreadable(Diagnostic(f"control character U+{ord(character):04X} in the file", where))
    return text


def _control(text: str) -> str:
    return "the file holds a character that YAML does not allow" if text else "the file is empty"


def _location(path: str, text: str, position: int) -> Location:
    before = text[:position]
    return Location(path, before.count("\n") + 1, position - before.rfind("\n"))


def _syntax(path: str, text: str, error: yaml.MarkedYAMLError) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "unreadable"
    evidence = (error.context,) if error.context else ()
    if mark is None:
        return Diagnostic(f"not YAML: {problem}", Location(path), evidence)
    where = Location(path, mark.line + 1, mark.column + 1)
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    if "\t" in line[: mark.column + 1]:
        return Diagnostic("not YAML: a tab where spaces belong", where, evidence, "indent with spaces")
    return Diagnostic(f"not YAML: {problem}", where, evidence)
