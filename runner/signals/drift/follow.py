"""The resident follower of what is asked: takes in questions once each, in order, and says how far they have drifted.

The monitor keeps one for each environment, next to the topics of its reference set, and writes its state where it
stopped; read back it goes on as if it had never stopped. Two statements come of it and are not the same. A change is
proven when the evidence of the sequence reaches 1/alpha, however often one looks; it is kept with its time
(`Drift.alarmed_at`) until there is a new reference. A band (`Drift.alarm`, which holds rollouts and asks for
training) needs that proof and a window that is surely more than 0.1 or 0.5 nats away. Pure: no files, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from runner.signals.drift.divergence import Divergence, band, divergence
from runner.signals.drift.exchange import Exchange
from runner.signals.drift.shift import Shift
from runner.signals.drift.topics import UNLIKE, Topics
from runner.signals.reading import Drift, Topic
from runner.stats.grid import Floats
from runner.stats.logic import either

WEIGHTS: Final = (0.7, 0.3)
"""Shares of the capital on coarse and on fine topics; all on the coarse where the reference carries no finer ones."""
SHOWN: Final = 3
"""Topics named as grown and as shrunk, and questions shown of each."""
LONGEST: Final = 160
"""Characters shown of a question."""
DAYS: Final = 120
"""Days whose last evidence is remembered, for the history by weeks."""

_DAY: Final = 86_400
_LARGEST: Final = 700.0  # e to this is still a number
_CLEAR: Final = 2.0  # standard errors from which a topic counts as grown or shrunk


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """A question, masked, and the topics it was sorted into; in order of time, then of identity."""

    at: float
    id: str
    text: str
    topic: int
    fine: int


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What was counted over `seconds` until `at`: questions by topic and by fine topic, and how far means moved."""

    at: float
    seconds: float
    counts: ArrayLike
    fine: ArrayLike
    shift: Shift | None = None


class Follower:
    """The evidence since `since`, and just enough besides to show what changed. Grows in place."""

    __slots__ = ("_examples", "_exchanges", "_last", "_marks", "alarmed_at", "alpha", "since", "topics")

    def __init__(self, topics: Topics, alpha: float, since: float) -> None:
        """Begin anew; `alpha` is the chance of an alarm without a change, over all looks."""
        self.topics, self.alpha, self.since = topics, alpha, since
        self.alarmed_at: float | None = None
        references = [topics.coarse_counts]
        if len(topics.fine_counts) > len(topics.coarse_counts):
            references.append(topics.fine_counts)
        self._exchanges = [Exchange(each, UNLIKE) for each in references]
        self._last: tuple[float, str] = (since, "")
        self._examples: dict[int, list[tuple[float, str]]] = {}
        self._marks: dict[int, float] = {}

    @property
    def n(self) -> int:
        """Questions taken in."""
        return self._exchanges[0].n

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence that questions are not as the reference is."""
        return float(_averaged([np.array(each.log_e) for each in self._exchanges]))

    def feed(self, questions: Iterable[Question]) -> int:
        """Take in the questions that are later than all before, in order; return how many they were.

        A question already taken in, or older than the latest one, is passed over: the caller waits for stragglers.
        """
        fresh = sorted(each for each in questions if (each.at, each.id) > self._last)
        fresh = [each for at, each in enumerate(fresh) if not at or (each.at, each.id) > _key(fresh[at - 1])]
        if not fresh:
            return 0
        columns = ([each.topic for each in fresh], [each.fine for each in fresh])
        logs = _averaged([each.feed(column) for each, column in zip(self._exchanges, columns, strict=False)])
        proven = np.flatnonzero(logs >= log(1.0 / self.alpha))
        if self.alarmed_at is None and len(proven):
            self.alarmed_at = fresh[int(proven[0])].at
        for question, evidence in zip(fresh, logs, strict=True):
            self._marks[int(question.at // _DAY)] = float(evidence)
            self._show(question)
        for day in sorted(self._marks)[:-DAYS]:
            del self._marks[day]
        self._last = _key(fresh[-1])
        return len(fresh)

    def drift(self, window: Window) -> Drift:
        """Return what one window comes to; one that lies in the past with the evidence of its last day."""
        found = divergence(window.counts, self.topics.coarse_counts)
        fine = divergence(window.fine, self.topics.fine_counts)
        proven = self.alarmed_at is not None and self.alarmed_at <= window.at
        enough = found.value is not None
        grown, shrunk = (
            self._moved(np.asarray(window.counts, dtype=np.float64), window) if enough else ((), ())
        )
        return Drift(
            at=window.at,
            window=window.seconds,
            n=found.n,
            needed=found.needed,
            divergence=found.value,
            low=found.low,
            fine_divergence=fine.value,
            e_value=exp(min(self._evidence(window.at), _LARGEST)),
            since=self.since,
            alarm=band(found, proven).value,
            alarmed_at=self.alarmed_at if proven else None,
            shift=window.shift.distance if window.shift else None,
            shift_p=window.shift.p if window.shift else None,
            grown=grown,
            shrunk=shrunk,
            note=_note(found, proven),
        )

    def history(self, windows: Sequence[Window]) -> tuple[Drift, ...]:
        """Return what several windows come to, such as the weeks so far, oldest first."""
        return tuple(self.drift(each) for each in sorted(windows, key=lambda one: one.at))

    def _evidence(self, at: float) -> float:
        """Return log E as it was at the end of the day in which a window ends; 0 before the first question."""
        if at >= self._last[0]:
            return self.log_e
        return next((self._marks[day] for day in sorted(self._marks, reverse=True) if day * _DAY < at), 0.0)

    def _show(self, question: Question) -> None:
        """Remember the latest questions of each topic, each text once."""
        text = question.text.strip()[:LONGEST]
        if not text:
            return
        others = [each for each in self._examples.get(question.topic, ()) if each[1] != text]
        self._examples[question.topic] = [*others, (question.at, text)][-SHOWN:]

    def _moved(self, counts: Floats, window: Window) -> tuple[tuple[Topic, ...], tuple[Topic, ...]]:
        """Return the topics that surely grew and those that surely shrank, those with most of the divergence first."""
        reference = self.topics.coarse_counts.astype(np.float64)
        n, m = counts.sum(), reference.sum()
        if not n:
            return (), ()
        p, q, both = counts / n, reference / m, (counts + reference) / (n + m)
        error = np.sqrt(both * (1.0 - both) * (1.0 / n + 1.0 / m))
        weight = (p - q) * np.log((counts + 0.5) / (n + 0.5) / ((reference + 0.5) / (m + 0.5)))
        order = np.argsort(-weight, kind="stable")
        grown = [int(each) for each in order if p[each] - q[each] > _CLEAR * error[each]]
        shrunk = [int(each) for each in order if q[each] - p[each] > _CLEAR * error[each]]

        def shown(number: int) -> Topic:
            asked = self._asked(number, window)
            return Topic(number, float(p[number]), float(q[number]), asked or self.topics.examples[number])

        return tuple(map(shown, grown[:SHOWN])), tuple(map(shown, shrunk[:SHOWN]))

    def _asked(self, number: int, window: Window) -> tuple[str, ...]:
        begin = window.at - window.seconds
        return tuple(text for at, text in self._examples.get(number, ()) if begin <= at <= window.at)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back exactly, without the topics themselves."""
        return {
            "topics": self.topics.key,
            "alpha": self.alpha,
            "since": self.since,
            "alarmed_at": self.alarmed_at,
            "last": list(self._last),
            "exchanges": [each.to_json() for each in self._exchanges],
            "examples": [[number, list(map(list, each))] for number, each in sorted(self._examples.items())],
            "marks": sorted([day, value] for day, value in self._marks.items()),
        }

    @classmethod
    def from_json(cls, topics: Topics, document: dict[str, Any]) -> Self:
        """Rebuild what `to_json` wrote; KeyError, TypeError or ValueError where it is something else.

        ValueError also where the state is of other topics: evidence against one reference says nothing of another.
        """
        if document["topics"] != topics.key:
            raise ValueError("the state belongs to other topics")
        follower = cls(topics, float(document["alpha"]), float(document["since"]))
        exchanges = [Exchange.from_json(each) for each in document["exchanges"]]
        if [each.topics for each in exchanges] != [each.topics for each in follower._exchanges]:
            raise ValueError("the state has other numbers of topics")
        follower._exchanges = exchanges
        alarmed_at, (at, identity) = document["alarmed_at"], document["last"]
        follower.alarmed_at = None if alarmed_at is None else float(alarmed_at)
        follower._last = (float(at), str(identity))
        follower._examples = {
            int(number): [(float(at), str(text)) for at, text in each]
            for number, each in document["examples"]
        }
        follower._marks = {int(day): float(value) for day, value in document["marks"]}
        return follower

    @classmethod
    def resume(cls, topics: Topics, alpha: float, document: dict[str, Any] | None, at: float) -> Self:
        """Go on from a state where it is of these topics and this alpha; else begin anew at `at`.

        KeyError, TypeError or ValueError where a state of these topics is damaged.
        """
        if document is None or document.get("topics") != topics.key or document.get("alpha") != alpha:
            return cls(topics, alpha, at)
        return cls.from_json(topics, document)


def _key(question: Question) -> tuple[float, str]:
    return question.at, question.id


def _averaged(logs: Sequence[Floats]) -> Floats:
    """Return the log of the weighted average of e-values, one array for each grouping."""
    return logs[0] if len(logs) == 1 else either(list(logs), WEIGHTS)


def _note(found: Divergence, proven: bool) -> str:
    if found.value is None:
        return f"insufficient: {found.n} of {found.needed} questions needed for this many topics"
    if proven and band(found, proven).value == "":
        return "what is asked has changed, by less than surely 0.1 nats in this window"
    return ""
