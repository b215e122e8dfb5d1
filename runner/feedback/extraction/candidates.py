"""Answers that something speaks for looking at: of those that say the same one is kept, and of each reason so many.

Called by `extract` with all that was found. Of answers alike the one with the strongest reason stays: a complaint is
what a reviewer should see, however many others liked the same words. Pure, and the same for every order of events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from runner import digest
from runner.feedback import near
from runner.feedback.extraction.words import folded
from runner.feedback.records import Messages, Reason, question, record_id

STRENGTH: Final = (
    Reason.CORRECTION,
    Reason.THUMBS_DOWN,
    Reason.LOW_RATING,
    Reason.REFUSAL,
    Reason.REASK,
    Reason.SHADOW,
    Reason.THUMBS_UP,
    Reason.HIGH_RATING,
    Reason.SHORT,
    Reason.LONG,
)
"""Reasons by how much they say: what a person wrote, said, showed by asking again; then what only looks odd."""


@dataclass(frozen=True)
class Candidate:
    """An answer, who gave and got it, and why it is looked at; texts as the log has them. No slots: its key is kept."""

    request: str
    prompt: Messages
    answer: str
    version: str
    digest: str
    group: str
    user: str
    at_us: int
    session: str | None
    reasons: frozenset[Reason]
    sources: tuple[str, ...]
    correction: str | None = None
    other: str | None = None
    thumbs: int | None = None
    rating: int | None = None

    @cached_property
    def id(self) -> str:
        """The record's id."""
        return record_id(self.request)

    @cached_property
    def asked(self) -> str:
        """The whole conversation up to the answer."""
        return "\n".join(f"{each['role']}: {each['content']}" for each in self.prompt)

    @cached_property
    def same(self) -> str:
        """What is equal for answers that say the same to the same, and were corrected in the same words."""
        return digest.of_value([*map(folded, (self.asked, self.answer, self.correction or ""))])

    @cached_property
    def weakness(self) -> tuple[int, int, str]:
        """Orders candidates, the most telling first."""
        return min(map(STRENGTH.index, self.reasons)), -len(self.reasons), self.id


@dataclass(slots=True)
class Distinct:
    """Takes candidates as they come and keeps one of those that are the same."""

    kept: dict[str, Candidate] = field(default_factory=dict)
    repeated: int = 0

    def add(self, candidate: Candidate) -> None:
        """Take one; of two that are the same the more telling one stays."""
        known = self.kept.get(candidate.same)
        self.repeated += known is not None
        if known is None or candidate.weakness < known.weakness:
            self.kept[candidate.same] = candidate


def without_near_duplicates(candidates: Iterable[Candidate], threshold: float) -> list[Candidate]:
    """Return the candidates that are not nearly the same as a more telling one, the most telling first.

    What somebody wrote instead of an answer is never given up for something similar.
    """
    ordered = sorted(candidates, key=lambda each: each.weakness)
    found = near.leaders([(each.asked, each.answer) for each in ordered], threshold)
    return [
        each
        for place, (each, leader) in enumerate(zip(ordered, found, strict=True))
        if leader == place or each.correction is not None
    ]


def drawn(candidates: Sequence[Candidate], per_reason: int) -> list[Candidate]:
    """Return at most `per_reason` candidates of each reason, each with the reasons that it was taken for.

    The stronger reasons draw first, and what they took counts for the weaker. Candidates are drawn in turns, every
    question and every user once before any comes again, in the order of the digests in their ids.
    """
    taken: dict[str, set[Reason]] = {}
    by_reason: defaultdict[Reason, list[Candidate]] = defaultdict(list)
    for each in sorted(candidates, key=lambda each: each.id):
        for reason in each.reasons:
            by_reason[reason].append(each)
    for reason in STRENGTH:
        turns = _turns(by_reason[reason])
        some = sorted(by_reason[reason], key=lambda each: (each.id not in taken, turns[each.id], each.id))
        for each in some[:per_reason]:
            taken.setdefault(each.id, set()).add(reason)
    return [replace(each, reasons=frozenset(taken[each.id])) for each in candidates if each.id in taken]


def _turns(candidates: Iterable[Candidate]) -> dict[str, int]:
    """Return in which turn each comes: how many before it ask the same question, or are of the same user."""
    seen: defaultdict[tuple[str, str], int] = defaultdict(int)
    found = {}
    for each in candidates:
        keys = ("question", folded(question(each.prompt))), ("user", each.user)
        found[each.id] = max(seen[key] for key in keys)
        for key in keys:
            seen[key] += 1
    return found
