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
"""Chance that an interval ever excludes the truth."""


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


def exact(value: float, n: int, note: str = "") -> Estimate:
    """Return a value that needs no interval: a sum of what is known."""
    return Estimate(value, value, value, n, note)


def share(tally: Tally) -> Estimate:
    """Return the share `total` of `n`, for anything between 0 and 1."""
    if not tally.n:
        return NO_DATA
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
    low, high = unbounded_mean_interval(tally.total, tally.squares, tally.n, ALPHA)
    return Estimate(tally.total / tally.n, _finite(float(low)), _finite(float(high)), tally.n)


def per_session(tally: Tally) -> Estimate:
    """Return requests for each session: one over the share of requests that begin a session.

    The interval takes a session to go on with the same chance after each of its requests.
    """
    begun = share(tally)
    if not tally.total:
        return NO_DATA
    low = 1.0 / begun.high if begun.high else None
    return Estimate(tally.n / tally.total, low, 1.0 / begun.low if begun.low else None, tally.n)


def greatest(tally: Tally) -> Estimate:
    """Return the greatest value seen, which is what it is."""
    return NO_DATA if tally.peak is None else exact(tally.peak, tally.n)


def quantile(q: float) -> Rule:
    """Return the rule for a percentile (`q` from 0 to 1) of values in log buckets, right within 1%."""

    def of(tally: Tally) -> Estimate:
        if not tally.n or not tally.counts.size:
            return NO_DATA
        middles = bucket_middles(tally.buckets)
        rank = max(1, math.ceil(q * tally.counts.sum() - 1e-9))
        value = float(middles[np.searchsorted(np.cumsum(tally.counts), rank)])
        low, high = quantile_interval(middles, tally.counts, q, ALPHA)
        return Estimate(value, _finite(low), _finite(high), int(tally.counts.sum()))

    return of


@dataclass(frozen=True, slots=True)
class Counted:
    """From which measure of the cube a metric is read, and by which rule."""

    measure: str
    rule: Rule


def _percentiles(metric: str, measure: str) -> dict[str, Counted]:
    return {f"{metric}_p{q}": Counted(measure, quantile(q / 100.0)) for q in (50, 95, 99)}


COUNTED: Mapping[str, Counted] = {
    "error_rate": Counted("error", share),
    "crash_rate": Counted("crash", share),
    "refusal_rate": Counted("refusal", share),
    "over_refusal_rate": Counted("over_refusal", share),
    "reask_rate": Counted("reask", share),
    "consistency": Counted("consistency", share),
    "factuality": Counted("factuality", share),
    "satisfaction": Counted("stars", stars),
    "thumbs_down_rate": Counted("thumbs_down", share),
    "response_rate": Counted("response", share),
    "win_rate": Counted("win", share),
    "session_length": Counted("session", per_session),
    **_percentiles("latency", "latency"),
    **_percentiles("first_token", "first_token"),
    "prompt_tokens": Counted("prompt_tokens", mean),
    "answer_tokens": Counted("answer_tokens", mean),
    "proxy_reward": Counted("reward", mean),
    "data_quality": Counted("data_quality", share),
    "parity": Counted("parity", greatest),
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


def upper_edges(buckets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the greatest value that each log bucket takes."""
    return bucket_edges(buckets)


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None
