"""All readings of a moment: every signal of the policy, for all together, for each arm and for each segment.

Called by whoever measures (`loop signals`, the monitor, reports). What the cube does not count (drift, forgetting)
comes in as estimates. Computation only: no clock, no files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from runner.signals.reading import Direction, Histogram, Holds, Level, Point, Reading, Trend
from runner.signals.readings import estimates, money, output
from runner.signals.readings.estimates import NO_DATA, Estimate
from runner.signals.readings.holds import holds
from runner.signals.readings.tally import ALL, HOUR_S, Arm, Tallies
from runner.spec.condition import Condition
from runner.spec.cost import CostPolicy
from runner.spec.metric import METRICS
from runner.spec.signals import Signal, SignalPolicy

DAY_HOURS = 24
HISTOGRAM_HOURS = 24
STEADY = 0.05
"""Relative change up to which a value that is known exactly counts as steady."""
ENOUGH = 30
"""What a value rests on at least, to be called steady: of few, nothing would look like a change."""
_COARSER = 12
"""Log buckets that one bar of a histogram takes: bars grow by about a quarter."""
_LEVELS = {"retrain": Level.RETRAIN, "hold": Level.HOLD, "warn": Level.WARN}


@dataclass(frozen=True, slots=True)
class Place:
    """For whom a reading is: an arm (all together by default) and a segment."""

    arm: Arm = ALL
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of metrics that no sum gives: of all together, and of single arms."""

    values: Mapping[tuple[str, Arm], Estimate] = field(default_factory=dict)

    def of(self, metric: str, place: Place) -> Estimate:
        """Return it; segments are not told apart."""
        return NO_DATA if place.segment else self.values.get((metric, place.arm), NO_DATA)


class Measured:
    """Estimates of any metric, for anybody, over any hours; `baseline` is the version that is trusted now."""

    def __init__(self, tallies: Tallies, cost: CostPolicy, baseline: str) -> None:
        self._all, self._cost = tallies, cost
        self._narrowed: dict[Place, Tallies] = {Place(): tallies}
        found = {each for each in tallies.arms() if each.name == "baseline"}
        self.baseline = Arm("baseline", baseline) if Arm("baseline", baseline) in found else Arm("baseline")

    def at(self, place: Place) -> Tallies:
        """Return the sums of one place."""
        if place not in self._narrowed:
            self._narrowed[place] = self._all.only(place.arm, place.segment)
        return self._narrowed[place]

    def estimate(self, metric: str, place: Place, since: int, until: int) -> Estimate | None:
        """Return a metric over the hours `since` to `until`; None for one that no sum gives."""
        here = self.at(place)
        if metric in estimates.COUNTED:
            return estimates.estimate(metric, here, since, until)
        match metric:
            case "cost_per_1000":
                return money.per_thousand(self._cost, here, self._all, since, until)
            case "answer_diversity":
                return output.diversity(here, since, until)
            case "output_drift":
                return output.drift(here, self._compared(place), since, until)
            case _:
                return None

    def point(self, metric: str, place: Place, since: int, until: int) -> tuple[float | None, int] | None:
        """Return the value alone over a step of time, and what it rests on; None for a metric that no sum gives."""
        if metric in estimates.COUNTED:
            return estimates.point(metric, self.at(place), since, until)
        if metric == "answer_diversity":
            return output.diverse(self.at(place), since, until)
        found = self.estimate(metric, place, since, until)
        return None if found is None else (found.value, found.n)

    def _compared(self, place: Place) -> Tallies | None:
        """What the shape of answers is compared with: the baseline's, None for the baseline and all (their past)."""
        if not place.arm.name or place.arm.name == "baseline":
            return None
        return self.at(Place(self.baseline, place.segment))


def readings(
    policy: SignalPolicy, measured: Measured, known: Known, places: Places, now: float
) -> tuple[Reading, ...]:
    """Return the readings of all signals at `now` (seconds since 1970), in the order of the policy and of places."""
    return tuple(
        _reading(policy, metric, signal, place, _Moment(measured, known, now))
        for metric, signal in policy.signals.items()
        for place in places.of(metric)
    )


@dataclass(frozen=True, slots=True)
class Places:
    """The arms and segments that are told apart."""

    arms: tuple[Arm, ...]
    segments: tuple[str, ...]

    @classmethod
    def found(cls, tallies: Tallies) -> Places:
        """Return those that the sums know."""
        return cls(tallies.arms(), tallies.segments())

    def of(self, metric: str) -> Iterator[Place]:
        """Yield where a metric is read: all together, then each arm, then each segment, as far as it has any."""
        yield Place()
        if metric == "win_rate":
            yield from (Place(arm) for arm in _once(self.arms))
        if METRICS[metric].per_arm:
            yield from (Place(arm) for arm in self.arms)
        if METRICS[metric].per_arm and len(self.segments) > 1:
            yield from (Place(ALL, segment) for segment in self.segments)


def _once(arms: tuple[Arm, ...]) -> Iterator[Arm]:
    """Yield each version once, as the candidate where it ever was one: a vote knows versions, no arms."""
    known_as = {arm.version: arm for arm in sorted(arms, key=lambda arm: arm.name == "candidate")}
    yield from (arm for arm in arms if arm == known_as[arm.version])


@dataclass(frozen=True, slots=True)
class _Moment:
    """Everything a reading needs beside its own policy."""

    measured: Measured
    known: Known
    now: float

    def estimate(self, metric: str, signal: Signal, place: Place) -> Estimate:
        since, until = window_hours(self.now, signal.window)
        found = self.measured.estimate(metric, place, since, until)
        if found is None:
            return self.known.of(metric, place)
        why = self.known.of(metric, Place()).note if found.value is None and not found.note else ""
        return replace(found, note=why) if why else found


def window_hours(now: float, window: float) -> tuple[int, int]:
    """Return the first hour of a window and the one after its last: the hour under way and all it reaches into."""
    return math.floor((now - window) / HOUR_S), math.floor(now / HOUR_S) + 1


def _reading(policy: SignalPolicy, metric: str, signal: Signal, place: Place, moment: _Moment) -> Reading:
    found = moment.estimate(metric, signal, place)
    conditions = tuple(
        (name, _holds(policy, condition, place, moment))
        for name in ("warn", "hold", "retrain")
        if isinstance(condition := getattr(signal.thresholds, name), Condition)
    )
    return Reading(
        metric=metric,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        window=signal.window,
        arm=place.arm.name,
        version=place.arm.version,
        segment=place.segment,
        level=_level(found, conditions),
        conditions=conditions,
        trend=_trend(metric, signal, place, moment, found),
        points=tuple(_points(metric, signal, place, moment)),
        note=found.note,
    )


def _holds(policy: SignalPolicy, condition: Condition, place: Place, moment: _Moment) -> Holds:
    def of(where: Place) -> Callable[[str], Estimate]:
        return lambda metric: moment.estimate(metric, policy.signals[metric], where)

    compared = place.arm.name not in ("", "baseline")
    baseline = of(Place(moment.measured.baseline, place.segment)) if compared else None
    return holds(condition.expression, of(place), baseline)


def _level(found: Estimate, conditions: tuple[tuple[str, Holds], ...]) -> Level:
    if found.value is None:
        return Level.UNMEASURED
    said = dict(conditions)
    for name, level in _LEVELS.items():
        if said.get(name) is Holds.YES:
            return level
    return Level.UNSURE if Holds.UNSURE in said.values() else Level.FINE


def _trend(metric: str, signal: Signal, place: Place, moment: _Moment, found: Estimate) -> Trend:
    since, _ = window_hours(moment.now, signal.window)
    length = math.ceil(signal.window / HOUR_S)
    before = moment.measured.estimate(metric, place, since - length, since) or NO_DATA
    return Trend(_direction(before, found), before.value, before.n)


def _direction(before: Estimate, found: Estimate) -> Direction:
    """Say which way a value went: with certainty where the intervals are apart, steady where one holds the other."""
    if before.value is None or found.value is None:
        return Direction.UNKNOWN
    low, high = _ends(before)
    lower, higher = _ends(found)
    if low == high and lower == higher:  # known exactly, and every tiny change would be one
        margin = STEADY * abs(before.value)
        low, high = low - margin, high + margin
    if lower > high:
        return Direction.RISING
    if higher < low:
        return Direction.FALLING
    enough = min(before.n, found.n) >= ENOUGH
    each_holds_the_other = low <= found.value <= high and lower <= before.value <= higher
    return Direction.STEADY if enough and (each_holds_the_other or lower == higher) else Direction.UNKNOWN


def _ends(found: Estimate) -> tuple[float, float]:
    """Return the ends of an interval; one that is not known is as far away as it can be."""
    return (
        -math.inf if found.low is None else found.low,
        math.inf if found.high is None else found.high,
    )


def _points(metric: str, signal: Signal, place: Place, moment: _Moment) -> Iterator[Point]:
    """Yield a day of hours for a window of up to a day, else days."""
    since, until = window_hours(moment.now, max(signal.window, DAY_HOURS * HOUR_S))
    step = 1 if until - since <= DAY_HOURS + 1 else DAY_HOURS
    for start in range(until - (until - since) // step * step, until, step):
        found = moment.measured.point(metric, place, start, start + step)
        if found is None:
            return
        yield Point(start * HOUR_S, *found)


def histograms(tallies: Tallies, arms: tuple[Arm, ...], now: float) -> tuple[Histogram, ...]:
    """Return the distributions of the last day, for all together and for each arm."""
    since, until = window_hours(now, HISTOGRAM_HOURS * HOUR_S)
    found = []
    for arm in (ALL, *arms):
        here = tallies.only(arm)
        for name, measure in estimates.DISTRIBUTIONS.items():
            tally = here.over(measure, since, until)
            if tally.counts.size:
                coarse, index = np.unique(-(-tally.buckets // _COARSER), return_inverse=True)
                counts = np.bincount(index, weights=tally.counts)
                edges = estimates.upper_edges(coarse * _COARSER)
                found.append(
                    Histogram(
                        name,
                        arm.name,
                        arm.version,
                        tuple(float(edge) for edge in edges),
                        tuple(int(count) for count in counts),
                        tally.total,
                    )
                )
    return tuple(found)
