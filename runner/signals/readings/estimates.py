"""What each metric's value is, and how sure it is: sums in, estimate out, one rule for each kind of number.

Called by `readings.measure`. Intervals hold at all times at once, since people look whenever they like. Metrics that
no sum can give (drift, forgetting, cost) are made elsewhere and join as estimates. Computation only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.signals.readings.tally import Tallies, Tally
from runner.stats.intervals import mean_interval, quantile_interval, unbounded_mean_interval
from runner.stats.quantiles import bucket_edges, bucket_middles

ALPHA = 0.01
"""Chance that an interval ever excludes the truth; exact for shares, ratings and percentiles."""
FEWEST = 300
"""Values without which a mean of any size has no interval: of fewer, the approximation excludes the truth too often."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, in the metric's own unit; None where there is none. `n` is what it rests on."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    note: str = ""


NO_DATA = Estimate(None, None, None, 0)
Rule = Callable[[Tally], Estimate]
Point = Callable[[Tally], float | None]


def exact(value: float, n: int, note: str = "") -> Estimate:
    """Return a value that needs no interval: a sum of what is known."""
    return Estimate(value, value, value, n, note)


def share(tally: Tally) -> Estimate:
    """Return the share `total` of `n`, for anything between 0 and 1."""
    if not tally.n:
        return NO_DATA
    if tally.total > tally.n:  # a window that has the effects of what lies before it
        return Estimate(1.0, None, None, tally.n, "more in this window than it can be a share of")
    low, high = mean_interval(tally.total, tally.n, ALPHA)
    return Estimate(tally.total / tally.n, float(low), float(high), tally.n)


def stars(tally: Tally) -> Estimate:
    """Return the mean of ratings from 1 to 5."""
    if not tally.n:
        return NO_DATA
    low, high = mean_interval((tally.total - tally.n) / 4.0, tally.n, ALPHA)
    return Estimate(tally.total / tally.n, 1.0 + 4.0 * float(low), 1.0 + 4.0 * float(high), tally.n)


def mean(tally: Tally) -> Estimate:
    """Return the mean of numbers of any size."""
    if not tally.n:
        return NO_DATA
    if tally.n < FEWEST:
        return Estimate(tally.total / tally.n, None, None, tally.n, f"an interval takes {FEWEST}")
    low, high = unbounded_mean_interval(tally.total, tally.squares, tally.n, ALPHA)
    return Estimate(tally.total / tally.n, _finite(float(low)), _finite(float(high)), tally.n)


def per_session(tally: Tally) -> Estimate:
    """Return requests for each session; no interval, since sums do not say how much sessions differ in length."""
    if not tally.total:
        return NO_DATA
    return Estimate(tally.n / tally.total, None, None, tally.n)


def greatest(tally: Tally) -> Estimate:
    """Return the greatest value seen, which is what it is."""
    return NO_DATA if tally.peak is None else exact(tally.peak, tally.n)


def quantile(q: float) -> Rule:
    """Return the rule for a percentile (`q` from 0 to 1) of values in log buckets, right within 1%."""

    def of(tally: Tally) -> Estimate:
        value = _quantile(q)(tally)
        if value is None:
            return NO_DATA
        low, high = quantile_interval(bucket_middles(tally.buckets), tally.counts, q, ALPHA)
        return Estimate(value, _finite(low), _finite(high), int(tally.counts.sum()))

    return of


def _quantile(q: float) -> Point:
    def of(tally: Tally) -> float | None:
        if not tally.n or not tally.counts.size:
            return None
        rank = max(1, math.ceil(q * tally.counts.sum() - 1e-9))
        return float(bucket_middles(tally.buckets)[np.searchsorted(np.cumsum(tally.counts), rank)])

    return of


@dataclass(frozen=True, slots=True)
class Counted:
    """From which measure of the cube a metric is read, by which rule, and the value alone, for steps of time."""

    measure: str
    rule: Rule
    point: Point


def _mean_of(tally: Tally) -> float | None:
    return tally.total / tally.n if tally.n else None


def _inverse(tally: Tally) -> float | None:
    return tally.n / tally.total if tally.total else None


def _peak(tally: Tally) -> float | None:
    return tally.peak


def _percentiles(metric: str, measure: str) -> dict[str, Counted]:
    return {
        f"{metric}_p{q}": Counted(measure, quantile(q / 100.0), _quantile(q / 100.0)) for q in (50, 95, 99)
    }


COUNTED: Mapping[str, Counted] = {
    "error_rate": Counted("error", share, _mean_of),
    "crash_rate": Counted("crash", share, _mean_of),
    "refusal_rate": Counted("refusal", share, _mean_of),
    "over_refusal_rate": Counted("over_refusal", share, _mean_of),
    "reask_rate": Counted("reask", share, _mean_of),
    "consistency": Counted("consistency", share, _mean_of),
    "factuality": Counted("factuality", share, _mean_of),
    "satisfaction": Counted("stars", stars, _mean_of),
    "thumbs_down_rate": Counted("thumbs_down", share, _mean_of),
    "response_rate": Counted("response", share, _mean_of),
    "win_rate": Counted("win", share, _mean_of),
    "session_length": Counted("session", per_session, _inverse),
    **_percentiles("latency", "latency"),
    **_percentiles("first_token", "first_token"),
    "prompt_tokens": Counted("prompt_tokens", mean, _mean_of),
    "answer_tokens": Counted("answer_tokens", mean, _mean_of),
    "proxy_reward": Counted("reward", mean, _mean_of),
    "data_quality": Counted("data_quality", share, _mean_of),
    "parity": Counted("parity", greatest, _peak),
}
"""Metric -> how the cube answers it."""

DISTRIBUTIONS: Mapping[str, str] = {
    "latency": "latency",
    "first_token": "first_token",
    "prompt_tokens": "prompt_tokens",
    "answer_tokens": "answer_tokens",
    "answer_length": "answer_length",
}
"""What is shown as a histogram -> its measure."""


def estimate(metric: str, tallies: Tallies, since_hour: int, until_hour: int) -> Estimate:
    """Return a counted metric over some hours. Raises KeyError for one that the cube does not count."""
    counted = COUNTED[metric]
    return counted.rule(tallies.over(counted.measure, since_hour, until_hour))


def point(metric: str, tallies: Tallies, since_hour: int, until_hour: int) -> tuple[float | None, int]:
    """Return the value alone of a counted metric, and what it rests on."""
    counted = COUNTED[metric]
    tally = tallies.over(counted.measure, since_hour, until_hour)
    return counted.point(tally), tally.n


def upper_edges(buckets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the greatest value that each log bucket takes."""
    return bucket_edges(buckets)


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None
