"""How much is served and trained: measured where enough was logged, else as the policies assume it.

Every figure says which of the two it is and what it rests on. Called by `statement`. Computation only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

from runner.events.traffic import Served, Tokens
from runner.signals.readings.estimates import ALPHA, FEWEST
from runner.spec.cadence import CadencePolicy, Frequency
from runner.spec.cost import MONTH_HOURS, CostPolicy
from runner.stats.intervals import unbounded_mean_interval

_DAY_S: Final = 86_400.0
LEAST_S: Final = 7 * _DAY_S
"""Time without which traffic is not scaled to a month: days of the week differ."""
_CHANCE: Final = 2.6
"""Standard deviations of a count (the root of it) that hold it 99 times of 100."""
_ROUNDS = {
    Frequency.WEEKLY: 365 / 7 / 12,
    Frequency.BI_WEEKLY: 365 / 14 / 12,
    Frequency.MONTHLY: 1.0,
    Frequency.QUARTERLY: 1 / 3,
}
"""Rounds of training in a month."""


class Source(StrEnum):
    """Where a figure comes from."""

    MEASURED = "measured"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, the least and the most it may be, and what it rests on in words."""

    value: float
    low: float
    high: float
    source: Source
    rests_on: str


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests a month, mean tokens of a request, rounds of training a month, and hours that a round takes."""

    requests: Figure
    input_tokens: Figure
    output_tokens: Figure
    rounds: float
    training_hours: Figure


def workload(
    policy: CostPolicy, cadence: CadencePolicy, served: Served | None = None, trained: Sequence[float] = ()
) -> Workload:
    """Return the workload: of what was `served`, and of rounds that took `trained` seconds, as far as they suffice."""
    traffic, none = policy.traffic, Tokens(0, 0.0, 0.0)
    read, written = (served.input_tokens, served.output_tokens) if served is not None else (none, none)
    return Workload(
        requests=_requests(policy, served),
        input_tokens=_tokens(traffic.input_tokens, traffic.uncertainty, read),
        output_tokens=_tokens(traffic.output_tokens, traffic.uncertainty, written),
        rounds=_ROUNDS[cadence.phases[cadence.phase].frequency],
        training_hours=_training(policy, trained),
    )


def _requests(policy: CostPolicy, served: Served | None) -> Figure:
    """Return requests a month; measured ones are as unsure as the policy says, or as their number makes them."""
    traffic = policy.traffic
    if served is None or not served.requests:
        return _assumed(traffic.requests_per_month, traffic.uncertainty, "nothing was logged")
    told = f"{served.requests:,} requests in {_lasting(served.seconds)}"
    if served.seconds < LEAST_S:
        why = f"{told} are too short a time, {LEAST_S / _DAY_S:g} days are wanted"
        return _assumed(traffic.requests_per_month, traffic.uncertainty, why)
    off = max(traffic.uncertainty, min(_CHANCE / math.sqrt(served.requests), 1.0))
    month = served.requests * MONTH_HOURS * 3600 / served.seconds
    return Figure(month, month * (1 - off), month * (1 + off), Source.MEASURED, told)


def _lasting(seconds: float) -> str:
    """Return a time in the greatest unit of which there are two, to a tenth."""
    for unit, size in (("days", _DAY_S), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _tokens(assumed: float, uncertainty: float, found: Tokens) -> Figure:
    if not found.n:
        return _assumed(assumed, uncertainty, "nothing was logged")
    told = f"{found.n:,} answers"
    if found.n < FEWEST:
        return _assumed(assumed, uncertainty, f"{told} are too few, {FEWEST} are wanted")
    mean = found.total / found.n
    low, high = (float(end) for end in unbounded_mean_interval(found.total, found.squares, found.n, ALPHA))
    off = mean * uncertainty
    ends = (low, high) if math.isfinite(low) and math.isfinite(high) else (mean - off, mean + off)
    return Figure(mean, max(ends[0], 0.0), ends[1], Source.MEASURED, told)


def _training(policy: CostPolicy, trained: Sequence[float]) -> Figure:
    if not trained:
        hours = policy.training_time / 3600
        return Figure(hours, hours, hours, Source.ASSUMED, "no version says how long its training took")
    hours = median(trained) / 3600
    told = f"median of {len(trained)} {'round' if len(trained) == 1 else 'rounds'}"
    return Figure(hours, min(trained) / 3600, max(trained) / 3600, Source.MEASURED, told)


def _assumed(value: float, uncertainty: float, why: str) -> Figure:
    return Figure(value, value * (1 - uncertainty), value * (1 + uncertainty), Source.ASSUMED, why)
