"""What every part of the search says of a place in a text, and how it looks at what stands beside one.

Pure; no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from runner.spec.privacy import Entity

SHAPE = 0.5
"""The score of what has a shape that other things have too, and no word beside it that says what it is."""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A piece of a text that is personal data: characters `start` to `end` (not included).

    `score`, 0 to 1, orders what overlaps: 1 is a checksum that holds, `SHAPE` hardly more than a guess.
    """

    start: int
    end: int
    entity: Entity
    score: float


class Tagged(Protocol):
    """What a tagger says of a place in a text."""

    @property
    def start(self) -> int:
        """Where it begins, in characters."""

    @property
    def end(self) -> int:
        """Where it is over."""

    @property
    def entity(self) -> str:
        """`name`, `place`, `address` or `organisation`."""

    @property
    def score(self) -> float:
        """How certain it is, 0 to 1."""


Tagger = Callable[[str, str], Iterable[Tagged]]
"""Text and its language to the names, places, addresses and organisations in it."""


@dataclass(frozen=True, slots=True)
class Finder:
    """One way to find personal data in a folded text (see `runner.events.folding`)."""

    name: str
    entities: frozenset[Entity]
    possible: Callable[[str], object]
    """Cheap, and false only where there is nothing to find: most texts never reach `find`."""
    find: Callable[[str], Iterable[Found]]


DIGIT = re.compile("[0-9]").search
"""The cheap test of all that is made of digits."""


@dataclass(frozen=True, slots=True)
class Context:
    """Words that say what stands beside them, within `left` characters before it or `right` characters after it."""

    words: re.Pattern[str]
    left: int = 40
    right: int = 16

    def near(self, text: str, span: tuple[int, int]) -> bool:
        """Return whether one of the words stands beside a place."""
        start, end = span
        before = self.words.search(text, max(0, start - self.left), start)
        return bool(before or (self.right and self.words.search(text, end, end + self.right)))
