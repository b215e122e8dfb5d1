"""Reasons beyond money: whether what they rest on is so, where that can be measured here.

A reason may name a bound on latency. It stands where the whole interval of what was measured is within the bound.
Called by `statement`. Computation only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runner.events.traffic import Served, Times
from runner.signals.reading import Holds
from runner.signals.readings.estimates import ALPHA, NO_DATA, Estimate
from runner.signals.readings.holds import holds
from runner.spec.cost import Reason
from runner.stats.intervals import quantile_interval


@dataclass(frozen=True, slots=True)
class Standing:
    """A reason, whether its bound holds (None where it has none), and what was measured of each metric it names."""

    reason: Reason
    holds: Holds | None
    measured: tuple[tuple[str, Estimate], ...] = ()


def standing(reason: Reason, served: Served | None) -> Standing:
    """Return how a reason stands by what was served."""
    if reason.bound is None:
        return Standing(reason, None)
    names = dict.fromkeys(each.metric for each in reason.bound.comparisons())
    found = {name: _estimate(name, served) for name in names}
    return Standing(reason, holds(reason.bound.expression, found.__getitem__, None), tuple(found.items()))


def _estimate(metric: str, served: Served | None) -> Estimate:
    """Return a percentile in seconds, such as `first_token_p95`."""
    name, _, percent = metric.rpartition("_p")
    times = (
        Times((), ()) if served is None else served.first_token if name == "first_token" else served.latency
    )
    n, q = sum(times.counts), int(percent) / 100
    if not n:
        return NO_DATA
    rank = max(1, math.ceil(q * n - 1e-9))
    value = times.values[int(np.searchsorted(np.cumsum(times.counts), rank))]
    low, high = quantile_interval(times.values, times.counts, q, ALPHA)
    return Estimate(value, low if math.isfinite(low) else None, high if math.isfinite(high) else None, n)
