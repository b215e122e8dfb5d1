"""Sessions: what is counted, since a user keeps his arm and one user's hundred failures are one mishap.

`outcomes` puts values in, and gets each session's outcomes twice: its first value of a metric at once, and the
values of the whole session when it has been silent for the gap. Holds open sessions only. Event times may step
backwards: a session is then as old as its latest event, and no duration is negative. Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runner.signals.visits import Visits

KEPT = 256
"""Values of one metric that a session keeps; beyond that every second one, then every fourth, and so on."""
LONGEST = 2.0
"""Gaps after which a session ends though its user never was silent: a program that always asks would count once."""
MOST_OPEN = 200_000
"""Open sessions; beyond that the one that has been open longest is closed."""


class Count(StrEnum):
    """How often a session has its say."""

    FIRST = "first"
    """Its first value, at once."""
    CLOSED = "closed"
    """All its values, when it has ended."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a session sits: its arm, how likely the candidate was (None: the arm was not drawn), its group.

    `always`: its user has the candidate whatever its share is, so that he stands for no other user.
    """

    arm: str
    pi: float | None
    group: str
    always: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one session says of one metric, in the metric's unit (seconds, 1 to 5, tokens, 0 or 1 for shares).

    `metric` is a metric's name, without the percentile for times (`latency`, `first_token`). `value` is the session's
    first for Count.FIRST, the mean of all of them for Count.CLOSED; `values` are what it is the mean of (thinned out
    evenly beyond 256). `at`: seconds since 1970; `asked`: when the session's first question was. `visit`: its number
    among its user's sessions within a window, from 1. `always`: see `Seat`.
    """

    metric: str
    arm: str
    pi: float | None
    value: float
    values: tuple[float, ...]
    at: float
    how: Count
    group: str
    asked: float
    visit: int
    always: bool = False


@dataclass(slots=True)
class _Kept:
    """Values of one metric, thinned out evenly without regard to what they are."""

    values: list[float] = field(default_factory=list)
    stride: int = 1
    seen: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        self.total += value
        if self.seen % self.stride == 0:
            self.values.append(value)
            if len(self.values) > KEPT:
                self.values = self.values[::2]
                self.stride *= 2
        self.seen += 1


@dataclass(slots=True)
class _Open:
    user: str
    seat: Seat
    begun: float
    last: float
    asked: float
    visit: int = 0
    """0 until it says something."""
    metrics: dict[str, _Kept] = field(default_factory=dict)

    def outcome(self, metric: str, value: float, values: tuple[float, ...], at: float, how: Count) -> Outcome:
        seat = self.seat
        return Outcome(
            metric, seat.arm, seat.pi, value, values, at, how, seat.group, self.asked, self.visit, seat.always
        )


class Sessions:
    """The open sessions of one stream of events; `gap` seconds of silence end one, `window`: see `visits`."""

    def __init__(self, gap: float, window: float) -> None:
        self._gap = gap
        self._visits = Visits(window)
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._looked = 0.0

    def add(
        self, key: str, seat: Seat, at: float, values: dict[str, float], asked: float | None = None
    ) -> Iterator[Outcome]:
        """Put in what one event says; yield what a session that it ends says, and the first values it brings.

        `asked` is when the answer was asked for that the event is about, `at` if not given. A session keeps the arm
        in which it began: what its user meets in another arm says nothing about either.
        """
        session = self._open.get(key)
        if session is not None and self._is_over(session, at):
            yield from self._close(key)
            session = None
        if session is None:
            session = self._open[key] = _Open(_user_of(key), seat, at, at, at if asked is None else asked)
        session.last = max(session.last, at)
        if session.seat.arm != seat.arm:
            return
        if values and not session.visit:
            session.visit = self._visits.number(session.user, at)
        for metric, value in values.items():
            kept = session.metrics.get(metric)
            if kept is None:
                kept = session.metrics[metric] = _Kept()
                yield session.outcome(metric, value, (value,), at, Count.FIRST)
            kept.add(value)
        if len(self._open) > MOST_OPEN:
            yield from self._close(next(iter(self._open)))

    def _is_over(self, session: _Open, at: float) -> bool:
        """Whether a session has been silent for the gap, or has gone on for so long that its user counts anew.

        The end must not depend on the arm: those who change arms between stages are no sample of all users.
        """
        return abs(at - session.last) > self._gap or abs(at - session.begun) > LONGEST * self._gap

    def close(self, now: float) -> Iterator[Outcome]:
        """Yield what the sessions say that have ended by `now`, in the order in which they ended."""
        if abs(now - self._looked) < min(1.0, self._gap / 10):
            return
        self._looked = now
        ended = [
            (session.last, key) for key, session in self._open.items() if abs(now - session.last) >= self._gap
        ]
        for _, key in sorted(ended):
            yield from self._close(key)

    def _close(self, key: str) -> Iterator[Outcome]:
        session = self._open.pop(key)
        for metric, kept in session.metrics.items():
            mean, values = kept.total / kept.seen, tuple(kept.values)
            yield session.outcome(metric, mean, values, session.last, Count.CLOSED)

    def to_json(self) -> dict[str, Any]:
        """Return the open sessions and how often users came, as JSON values."""
        rows = [
            [
                key,
                [each.seat.arm, each.seat.pi, each.seat.group, each.seat.always],
                [each.begun, each.last, each.asked, each.visit],
                [
                    [name, kept.values, kept.stride, kept.seen, kept.total]
                    for name, kept in each.metrics.items()
                ],
            ]
            for key, each in self._open.items()
        ]
        return {"looked": self._looked, "open": rows, "visits": self._visits.to_json()}

    @classmethod
    def from_json(cls, gap: float, window: float, value: Any) -> Sessions:
        """Read them back."""
        sessions = cls(gap, window)
        sessions._visits = Visits.from_json(window, value["visits"])
        sessions._looked = float(value["looked"])
        for key, seat, times, metrics in value["open"]:
            kept = {name: _Kept(list(values), *rest) for name, values, *rest in metrics}
            begun, last, asked, visit = times
            sessions._open[key] = _Open(_user_of(key), Seat(*seat), begun, last, asked, visit, kept)
        return sessions


def session_key(user: str, name: str | None) -> str:
    """Return what tells sessions apart; a name that two users share is two sessions."""
    return f"{user}/{name}" if name else user


def _user_of(key: str) -> str:
    return key.partition("/")[0]
