"""What speaks for looking at an answer before its words are read: by the id of its request's event.

Called once by `extract`, which holds all of it while the words of answers pass by, some at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runner.events.lake import Engine
from runner.feedback import near
from runner.feedback.extraction import opinions, words
from runner.feedback.extraction.opinions import Opinion
from runner.feedback.extraction.rules import Rules
from runner.feedback.extraction.tables import (
    Tables,
    asked_soon_after,
    copies,
    count,
    on_known_answers,
    own_feedback,
    tails,
)
from runner.feedback.records import Reason, record_id
from runner.signals.reask import likenesses
from runner.signals.reask.question import READ

TAIL_DRAW: Final = 10
"""Answers drawn from a tail for each record wanted of it: many say the same."""
FAR: Final = 0.1
"""Share of common runs of characters under which two questions are not alike, whatever they mean."""
NOTHING: Final = Opinion()


@dataclass(frozen=True, slots=True)
class Copy:
    """What a shadowed version answered instead, JSON messages, and the event that says so."""

    id: str
    said: str


@dataclass(frozen=True, slots=True)
class Marks:
    """What is known of answers by the ids of their requests; `left_out` counts events that say nothing of any."""

    opinions: Mapping[str, Opinion]
    again: Mapping[str, str]
    """Request -> the request of the question that was asked again."""
    copies: Mapping[str, Copy]
    tails: Mapping[str, Reason]
    left_out: Mapping[str, int]

    def __contains__(self, request: str) -> bool:
        """Return whether anything is known of an answer."""
        return any(request in each for each in (self.opinions, self.again, self.copies, self.tails))

    def of(self, request: str) -> tuple[frozenset[Reason], tuple[str, ...]]:
        """Return the reasons that need no words, and the ids of the events that they rest on."""
        opinion = self.opinions.get(request, NOTHING)
        reasons, sources = set(opinion.reasons), list(opinion.sources)
        if other := self.again.get(request):
            reasons.add(Reason.REASK)
            sources.append(other)
        if tail := self.tails.get(request):
            reasons.add(tail)
        return frozenset(reasons), tuple(sorted(set(sources)))


def gather(tables: Tables, engine: Engine, rules: Rules) -> Marks:
    """Return the marks of a window's answers."""
    own = engine.arrow(own_feedback(tables.feedback, tables.requests))
    said, known = (
        count(engine, each) for each in (tables.feedback, on_known_answers(tables.feedback, tables.requests))
    )
    left_out = {"feedback_of_others": known - own.num_rows, "feedback_on_no_answer": said - known}
    return Marks(
        opinions=opinions.latest(own.to_pylist()),
        again=_again(engine, tables, rules),
        copies=_copies(engine, tables),
        tails=_tails(engine.arrow(tails(tables.everyday, rules.tails)), rules.per_reason),
        left_out=left_out,
    )


def _again(engine: Engine, tables: Tables, rules: Rules) -> dict[str, str]:
    """Return the questions that their user asked again within the policy's time, and the first that did."""
    within_us = int(rules.detection.within * 1e6)
    pairs = engine.arrow(asked_soon_after(tables, within_us))
    found: dict[str, str] = {}
    likely = pairs.filter(_likeness(pairs) >= rules.detection.reask_threshold)
    for request, other in zip(likely["event_id"].to_pylist(), likely["other_id"].to_pylist(), strict=True):
        found[request] = min(other, found.get(request, other))
    return found


def _likeness(pairs: pa.Table) -> NDArray[np.float64]:
    """Return how alike each pair of questions is; the same two are compared once.

    Most follow each other by chance and share next to nothing: those are told by their spelling alone, which is much
    faster. Of re-asks in Korean, in English and of the bookshop none was lost by it.
    """
    distinct: dict[tuple[str, str], int] = {}
    both = zip(pairs["asked"].to_pylist(), pairs["other_asked"].to_pylist(), strict=True)
    which = [distinct.setdefault(pair, len(distinct)) for pair in both]
    texts = [(words.asked(one), words.asked(other)) for one, other in distinct]
    close = [
        place for place, (one, other) in enumerate(texts) if near.likeness(one[:READ], other[:READ]) >= FAR
    ]
    scores = np.zeros(len(texts))
    scores[close] = likenesses([texts[place][0] for place in close], [texts[place][1] for place in close])
    return scores[which] if which else scores


def _copies(engine: Engine, tables: Tables) -> dict[str, Copy]:
    rows = engine.arrow(copies(tables.shadows)).to_pylist()
    found: dict[str, Copy] = {}
    for row in sorted(rows, key=lambda row: str(row["id"]), reverse=True):
        found[row["request"]] = Copy(row["id"], row["said"])
    return found


def _tails(rows: pa.Table, per_reason: int) -> dict[str, Reason]:
    """Return a draw from both tails: of all that are in them, those whose records' ids come first."""
    by_tail: defaultdict[Reason, list[str]] = defaultdict(list)
    row: Any
    for row in rows.to_pylist():
        by_tail[Reason.SHORT if row["short"] else Reason.LONG].append(row["request"])
    return {
        request: tail
        for tail, requests in by_tail.items()
        for request in sorted(requests, key=record_id)[: TAIL_DRAW * per_reason]
    }
