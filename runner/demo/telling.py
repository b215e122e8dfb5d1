"""What is told while the quarter goes by: printed at once with its time, and kept for the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story; `at` is seconds since 1970."""

    at: float
    chapter: str
    text: str


@dataclass(slots=True)
class Teller:
    """Prints lines as `  12.3 s  text`, counted from its making, and keeps them."""

    say: Callable[[str], None]
    began: float = field(default_factory=time.time)
    lines: list[Line] = field(default_factory=list)
    chapter: str = ""

    def begin(self, chapter: str) -> None:
        """Begin a chapter with a heading."""
        self.chapter = chapter
        self.say(f"\n{chapter}")

    def __call__(self, text: str) -> None:
        """Tell something; further lines of it are printed as they are, below."""
        line = Line(time.time(), self.chapter, text)
        self.lines.append(line)
        first, *more = text.splitlines()
        self.say(f"{line.at - self.began:7.1f} s  {first}")
        for each in more:
            self.say(f"           {each}")
