"""Drift of one environment over time: feeds the follower with questions as they come in, and keeps its memory.

Called by `watch` after each pass. Questions are taken in once each, in order of time and two minutes late, so that
stragglers are still in order. Of a user's session the first alone is evidence: what follows in a conversation is about
the same, and would count again and again. The memory is one file, replaced whole; where it is lost the evidence begins
anew, which can delay an alarm and never raises one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runner.signals.cube.passes import Measurer
from runner.signals.drift.follow import Follower, Question, Window
from runner.signals.drift.shift import Shift, shift
from runner.signals.embedder import Embedder
from runner.signals.reading import Drift
from runner.signals.readings.measure import window_hours
from runner.signals.readings.tally import Tallies, Tally
from runner.spec.load import Spec
from runner.spec.signals import Drift as Policy
from runner.spec.signals import EmbeddingShift
from runner.watch.detectors import Detectors, detector_of

LATE_S = 120.0
FEED_EVERY_S = 30.0
"""Questions are read from the log that often at most."""
DAY_S = 86_400.0
WEEK_S, WEEKS = 7 * DAY_S, 8
KEPT_DAYS = 7 * WEEKS + 7
SHIFT_SAMPLE = 500
"""Most questions on either side of the permutation test; more change little and take long."""
SHIFT_EVERY_S = 600.0
"""The permutation test is repeated that often at most."""


Days = dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Day since 1970 -> questions by topic and by fine topic."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Drift over the policy's window, and week by week (of whole days, UTC), oldest first."""

    window: Drift
    weeks: tuple[Drift, ...]


@dataclass(slots=True)
class _Memory:
    """The follower, until when it has taken questions in, how many of each topic there were on each day, and when each
    user of late asked last."""

    follower: Follower
    until: float
    days: Days
    seen: dict[str, float]


class Drifting:
    """The follower of one environment; `path` is where its memory is kept."""

    def __init__(self, path: Path, spec: Spec, detectors: Detectors, embedder: Embedder) -> None:
        assert detectors.topics is not None and detectors.reference is not None  # noqa: S101 - the caller looked
        self._path, self._detectors, self._embedder = path, detectors, embedder
        self._topics = detectors.topics
        self._policy = detector_of(spec, Policy) or Policy(kind="drift", reference=detectors.reference.name)
        self._permutations = detector_of(spec, EmbeddingShift)
        self._gap = spec.policies.rollout.decision.session_gap
        signals = spec.policies.signals.signals.values()
        windows = (signal.window for signal in signals if isinstance(signal.detector, Policy))
        self._window = next(windows, WEEK_S)
        self._shifted: tuple[float, Shift | None] = (0.0, None)

    def feed(self, measurer: Measurer, now: float) -> None:
        """Take in what was asked since the last time. All of it must be scored: it is not looked at again."""
        self._feed(self._remembered(now), measurer, now - LATE_S)

    def measure(self, measurer: Measurer, tallies: Tallies, now: float, window: float | None) -> Measurement:
        """Say how far what was asked is from the reference."""
        memory = self._remembered(now)
        if not memory.follower.n:
            memory.follower.since = now
        seconds = window or self._window
        moved = self._shift(measurer, now, seconds)
        return Measurement(
            memory.follower.drift(self._counted(tallies, now, seconds, moved)),
            memory.follower.history(list(_weeks(memory.days, now))),
        )

    def _remembered(self, now: float) -> _Memory:
        """Return the follower as it was left; a new one where there is no memory, or it is of something else."""
        alpha = self._policy.alpha
        try:
            kept = json.loads(self._path.read_bytes())
            follower = Follower.resume(self._topics, alpha, kept, now)
            if kept["topics"] == self._topics.key:
                days = {int(day): self._sized(*counts) for day, counts in kept["days"].items()}
                # a clock that was ahead for a moment must not keep questions away until it is right again
                until = min(float(kept["until"]), now)
                return _Memory(
                    follower, until, days, {str(user): float(at) for user, at in kept["seen"].items()}
                )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            pass  # not there, of another reference, or something else
        return _Memory(Follower.resume(self._topics, alpha, None, 0.0), 0.0, {}, {})

    def _sized(self, coarse: Any, fine: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return one day's counts; ValueError where they are of other topics."""
        counts = np.array(coarse, dtype=np.float64), np.array(fine, dtype=np.float64)
        wanted = (len(self._topics.coarse_counts),), (len(self._topics.fine_counts),)
        if (counts[0].shape, counts[1].shape) != wanted:
            raise ValueError("the state has other numbers of topics")
        return counts

    def _feed(self, memory: _Memory, measurer: Measurer, until: float) -> None:
        if until - memory.until < FEED_EVERY_S:
            return
        asked = sorted(_questions(measurer.questions(memory.until, until)))
        if asked and not memory.follower.n:
            memory.follower.since = asked[0][0].at
        memory.follower.feed(self._first_of_sessions(memory.seen, asked))
        for question, _ in asked:
            self._count(memory.days, question)
        for day in sorted(memory.days)[:-KEPT_DAYS]:
            del memory.days[day]
        days = {str(day): [coarse.tolist(), fine.tolist()] for day, (coarse, fine) in memory.days.items()}
        value = {**memory.follower.to_json(), "until": until, "days": days, "seen": memory.seen}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(self._path)

    def _first_of_sessions(self, seen: dict[str, float], asked: list[tuple[Question, str]]) -> list[Question]:
        """Return the questions that begin a session; `seen` is when each user asked last, and is kept up to date."""
        first = []
        for question, user in asked:
            if question.at - seen.get(user, -self._gap) >= self._gap:
                first.append(question)
            seen[user] = question.at
        latest = max(seen.values(), default=0.0)
        for user in [user for user, at in seen.items() if latest - at > self._gap]:
            del seen[user]
        return first

    def _count(self, days: Days, question: Question) -> None:
        sizes = len(self._topics.coarse_counts), len(self._topics.fine_counts)
        coarse, fine = days.setdefault(int(question.at // DAY_S), (np.zeros(sizes[0]), np.zeros(sizes[1])))
        coarse[question.topic] += 1
        fine[question.fine] += 1

    def _counted(self, tallies: Tallies, at: float, seconds: float, moved: Shift | None) -> Window:
        since, until = window_hours(at, seconds)
        coarse, fine = (
            _dense(tallies.over(measure, since, until), len(counts))
            for measure, counts in (
                ("topic", self._topics.coarse_counts),
                ("fine_topic", self._topics.fine_counts),
            )
        )
        return Window(at, seconds, coarse, fine, moved)

    def _shift(self, measurer: Measurer, now: float, seconds: float) -> Shift | None:
        """Return how far the mean question has moved; measured again now and then, since it permutes."""
        vectors = self._detectors.vectors
        if self._permutations is None or vectors is None:
            return None
        if now - self._shifted[0] < SHIFT_EVERY_S:
            return self._shifted[1]
        texts = measurer.questions(now - seconds, now)["question"].to_pylist()
        rng = np.random.default_rng(0)
        asked = [texts[at] for at in sorted(rng.permutation(len(texts))[:SHIFT_SAMPLE])]
        held = vectors[np.sort(rng.permutation(len(vectors))[:SHIFT_SAMPLE])]
        found = shift(self._embedder.embed(asked), held, self._permutations.permutations) if asked else None
        if found is not None:
            self._shifted = (now, found)
        return found


def _questions(rows: pa.Table) -> Iterator[tuple[Question, str]]:
    """Yield questions with who asked."""
    for row in rows.to_pylist():
        if row["topic"] is not None and row["fine_topic"] is not None:
            at = row["time_us"] / 1e6
            question = Question(at, row["event_id"], row["question"] or "", row["topic"], row["fine_topic"])
            yield question, row["user"] or row["event_id"]


def _weeks(days: Days, now: float) -> Iterator[Window]:
    """Yield the weeks in which anything was asked, the one that ends today last."""
    today = int(now // DAY_S)
    for back in range(WEEKS - 1, -1, -1):
        last = today - 7 * back
        inside = [days[day] for day in range(last - 6, last + 1) if day in days]
        if inside:
            end = min(now, (last + 1) * DAY_S)
            yield Window(end, WEEK_S, sum(one for one, _ in inside), sum(fine for _, fine in inside))


def _dense(tally: Tally, size: int) -> NDArray[np.float64]:
    """Return a tally's counts by bucket, shape (size,)."""
    found = np.zeros(size)
    inside = tally.buckets < size
    found[tally.buckets[inside]] = tally.counts[inside]
    return found
