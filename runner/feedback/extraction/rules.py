"""What extraction is told: which part of the log, by which rules, and who reads, masks and sorts texts for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runner.signals.detection import SHIPPED, Detection
from runner.spec.privacy import Entity


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the log that is read: from `since_us` to before `until_us`, microseconds since 1970 UTC."""

    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Rules:
    """`extraction` of policies/collection.yaml, and what counts as a refusal and as asking again."""

    window: Window
    tails: float = 0.05
    """Share of each version's answers at either end of the distribution of tokens."""
    near_duplicate: float = 0.9
    """Likeness of both question and answer from which two records count as one."""
    per_reason: int = 500
    """Most records of one reason."""
    detection: Detection = SHIPPED
    exclude_with: tuple[Entity, ...] = ()
    """What makes a conversation one that goes into no data set (policies/privacy.yaml)."""


class Scrubbed(Protocol):
    """Texts without personal data, in the order in which they were given."""

    @property
    def texts(self) -> Sequence[str]:
        """The texts, masked."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Entity -> how often it was masked."""

    @property
    def excluded(self) -> Sequence[str]:
        """The entities for which the whole conversation may not be used, none where it may."""


class Scrubber(Protocol):
    """Masks the texts of one conversation together, so that one person has one pseudonym in all of them."""

    def scrub(self, texts: Sequence[str], language: str) -> Scrubbed:
        """Return the texts, masked."""


def _unknown(questions: Sequence[str]) -> Sequence[bool | None]:
    return [None] * len(questions)


@dataclass(frozen=True, slots=True)
class Ports:
    """Who reads, masks and sorts texts.

    `refuses` tells of questions and answers which answers refuse; `answerable` of questions whether they should be
    answered, None where nobody can say; `categories` of which kind questions are, "" where there are no kinds.
    `forgotten`: keyed hash of a user -> what happened until then (microseconds since 1970) is left out.
    """

    refuses: Callable[[Sequence[str], Sequence[str]], Sequence[bool]]
    scrubber: Scrubber
    categories: Callable[[Sequence[str]], Sequence[str]]
    answerable: Callable[[Sequence[str]], Sequence[bool | None]] = _unknown
    forgotten: Mapping[str, int] = field(default_factory=dict)
    tell: Callable[[str], None] = lambda _: None

    def is_forgotten(self, user: str, at_us: int) -> bool:
        """Return whether a user asked that what happened at that time be forgotten."""
        return at_us <= self.forgotten.get(user, -1)
