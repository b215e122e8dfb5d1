"""Is a measured series out of its normal range, when it is looked at again with every point?

For signals that have only a past and no second arm at the same time: the guards' benchmark replays real telemetry
through it, and the monitor may ask it of any signal over time. A fixed threshold takes the first part of a series
for all of it and knows neither heavy tails nor drift; here everything before a point is what it is compared with.

Two readings of a point, both sides of each: its value, and its distance from the mean of the points just before.
Each gets a p-value: its rank among the past, or beyond the past's own 95th percentile a generalised Pareto tail
fitted to what exceeded it (peaks over threshold; Pickands 1975, Siffer et al. 2017). A p-value becomes evidence by
the mixture of all power calibrators (Vovk and Wang 2021); the four are averaged, which stays an e-value however
they hang together. Alarm at 1 / alpha, as everywhere.

It judges one look at a time and does not multiply looks: the points of a real series depend on each other, and
evidence multiplied over them fired in most of the normal ones. So alpha does not bound the chance of an alarm over
all looks here, as it does in `runner.stats`: about one look in 1 / alpha**2 of a steady series passes. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALPHA: Final = 0.01

_SHARE = 0.05  # of the past, whose excesses make the tail
_FEWEST = 10  # excesses that a tail is fitted to
_HEAVIEST = 0.5  # shape of a tail from which its variance would be infinite
_GROWTH = 0.02  # by which the past grows before it is fitted anew
_LEAST_P = 1e-15

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Upper:
    """How high values reach: the past in order, and the tail beyond `edge`, which `share` of it exceeds.

    `scale` 0 says that nothing is known beyond the past (it is constant up there), and only ranks count.
    """

    past: Floats
    edge: float
    share: float
    scale: float
    shape: float

    @classmethod
    def fit(cls, past: ArrayLike) -> Self:
        """Fit by moments to at least two finite values, in any order."""
        ordered = np.sort(np.asarray(past, dtype=np.float64))
        count = min(max(_FEWEST, int(_SHARE * len(ordered))), len(ordered) // 2)
        edge, excesses = float(ordered[-count - 1]), ordered[-count:] - ordered[-count - 1]
        mean, variance = float(excesses.mean()), float(excesses.var())
        shape = 0.5 * (1.0 - mean * mean / variance) if variance > 0.0 else 0.0
        shape = min(max(shape, 0.0), _HEAVIEST)
        return cls(ordered, edge, count / len(ordered), mean * (1.0 - shape), shape)

    def p(self, values: Floats) -> Floats:
        """Return how likely something at least as high is, for each value; any shape."""
        size = len(self.past)
        rank = (size - np.searchsorted(self.past, values, side="left") + 1.0) / (size + 1.0)
        if self.scale <= 0.0:
            return np.asarray(rank)
        beyond = np.maximum(values - self.edge, 0.0) / self.scale
        tail = np.exp(-beyond) if self.shape < 1e-3 else (1.0 + self.shape * beyond) ** (-1.0 / self.shape)
        return np.asarray(np.where(beyond > 0.0, np.minimum(rank, self.share * tail), rank))


def evidence(values: ArrayLike, learn: int, recent: int) -> Floats:
    """Return the evidence of each point against "as before", natural logarithms, shape (n,).

    `values` (n): points in order of time, at even steps; one that is not finite is missing: evidence 0, and nothing
    is learned from it. `learn`: points at the start that are only learned from, at least 2. `recent`: points that
    the mean before a point is taken over. No point is compared with itself or what comes after it.
    """
    if learn < 2:
        raise ValueError(f"at least 2 points to learn from are expected, not {learn}")
    points = np.asarray(values, dtype=np.float64)
    change = points - _means_before(points, recent)
    readings = np.stack([points, -points, change, -change])
    there = np.asarray(np.isfinite(readings).all(axis=0))
    logs = np.zeros(len(points))
    start = learn
    while start < len(points):
        stop = min(len(points), start + max(1, int(_GROWTH * start)))
        known = np.compress(there[:start], readings[:, :start], axis=1)
        if known.shape[1] >= 2:
            logs[start:stop] = _judged(known, readings[:, start:stop])
        start = stop
    return np.where(there, logs, 0.0)


def first_alarm(values: ArrayLike, learn: int, recent: int, alpha: float = ALPHA) -> int | None:
    """Return the first point at which the alarm is raised, and with a latch stays; None where there is none.

    Arguments as in `evidence`.
    """
    raised = np.flatnonzero(evidence(values, learn, recent) >= -np.log(alpha))
    return int(raised[0]) if raised.size else None


def _judged(known: Floats, fresh: Floats) -> Floats:
    """Return the averaged evidence of fresh readings (4, m) after known ones (4, k), shape (m,)."""
    sides = [_calibrated(Upper.fit(past).p(now)) for past, now in zip(known, fresh, strict=True)]
    return np.asarray(np.logaddexp.reduce(sides, axis=0) - np.log(len(sides)))


def _calibrated(p: Floats) -> Floats:
    """Return the logarithm of the e-value that averages x p**(x - 1) over x from 0 to 1; one half at p = 1."""
    p = np.clip(p, _LEAST_P, 0.999)  # near 1 the formula is 0 / 0; there it hardly changes any more
    log = np.log(p)
    return np.asarray(np.log(1.0 - p + p * log) - log - 2.0 * np.log(-log))


def _means_before(points: Floats, recent: int) -> Floats:
    """Return the mean of the `recent` points before each that are there, shape (n,); NaN where there are none."""
    there = np.isfinite(points)
    sums = np.concatenate([[0.0], np.cumsum(np.where(there, points, 0.0))])
    counts = np.concatenate([[0.0], np.cumsum(there)])
    stop = np.arange(len(points))
    start = np.maximum(stop - recent, 0)
    count = counts[stop] - counts[start]
    return np.where(count > 0.0, (sums[stop] - sums[start]) / np.maximum(count, 1.0), np.nan)
