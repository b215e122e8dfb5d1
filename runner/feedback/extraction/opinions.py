"""What users said of answers they got: of each kind (thumbs, rating, correction) the latest counts.

Called by `extract` with rows of `tables.own_feedback`. Events may come in any order. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runner.feedback.records import Reason

KINDS: Final = ("thumbs", "rating", "correction")
LOW, HIGH = 2, 5
"""Ratings up to the first are low, from the second on high."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the user who got an answer said of it last; `sources` are the ids of the events that say so."""

    thumbs: int | None = None
    rating: int | None = None
    correction: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def reasons(self) -> frozenset[Reason]:
        """Why the answer is worth looking at."""
        found = set()
        if self.thumbs is not None:
            found.add(Reason.THUMBS_UP if self.thumbs > 0 else Reason.THUMBS_DOWN)
        if self.rating is not None and self.rating <= LOW:
            found.add(Reason.LOW_RATING)
        if self.rating is not None and self.rating >= HIGH:
            found.add(Reason.HIGH_RATING)
        if self.correction is not None:
            found.add(Reason.CORRECTION)
        return frozenset(found)


def latest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Opinion]:
    """Return what was said last of each request's answer; of two at one moment the larger id is the later."""
    said: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        kinds = said.setdefault(row["request"], {})
        for kind in KINDS:
            known = kinds.get(kind)
            if row[kind] is not None and (known is None or _when(known) < _when(row)):
                kinds[kind] = row
    return {request: _opinion(kinds) for request, kinds in said.items() if kinds}


def _when(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["at_us"], row["id"]


def _opinion(kinds: Mapping[str, Mapping[str, Any]]) -> Opinion:
    values = {kind: row[kind] for kind, row in kinds.items()}
    return Opinion(**values, sources=tuple(sorted({row["id"] for row in kinds.values()})))
