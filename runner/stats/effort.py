"""About how many more observations a decision takes, if arms go on as they seem to be.

Status and reports tell it to people; nothing is decided by it. `needed` continues the bets that are really held,
so it knows what is already won or lost.
"""

from __future__ import annotations

from math import ceil, e
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from runner.stats import label, mean
from runner.stats.grid import Floats
from runner.stats.mean import Direction
from runner.stats.mixture import PACE, Mixture

_MOST: Final = 1e12
"""More observations than anybody has."""
_HALVINGS: Final = 60


def mean_growth(p: ArrayLike, m0: ArrayLike) -> Floats:
    """Return the greatest growth of log E per outcome when outcomes have mean `p` and the limit is `m0`.

    The relative entropy of two coins (Wald): no test of either direction can win faster. 0 where they are equal.
    """
    mean_, limit = np.asarray(p, dtype=np.float64), np.asarray(m0, dtype=np.float64)
    return _weighed(mean_, mean_ / limit) + _weighed(1.0 - mean_, (1.0 - mean_) / (1.0 - limit))


def label_growth(pi: ArrayLike, candidate: ArrayLike, baseline: ArrayLike) -> Floats:
    """Return the greatest growth of log E per observation of EITHER arm, for two arms with these shares of events.

    The nearest world without difference has the arms' pooled share. Divide by `pi` for growth per observation of
    the candidate.
    """
    share, worse, usual = (np.asarray(one, dtype=np.float64) for one in (pi, candidate, baseline))
    pooled = share * worse + (1.0 - share) * usual
    return np.asarray(share * mean_growth(worse, pooled) + (1.0 - share) * mean_growth(usual, pooled))


def needed_mean(
    mixture: Mixture, m0: float, p: float, log_bound: float, direction: Direction = Direction.ABOVE
) -> int | None:
    """Return about how many more outcomes, with mean `p`, bring a test of `mean.increments` to `log_bound`."""
    return needed(mixture, mean.increments(m0, p, 1.0, direction), log_bound)


def needed_label(
    mixture: Mixture, pi: float, candidate: float, baseline: float, log_bound: float
) -> int | None:
    """Return about how many more observations OF THE CANDIDATE bring a test of `label.increments` to `log_bound`.

    `candidate` and `baseline` are the arms' shares of events. The mixture must have counted its `n` in expected
    observations of the candidate (`pi` times those of both arms).
    """
    odds = (1.0 - pi) / pi
    one = label.increments(pi, (candidate, 1.0), (odds * baseline, odds), baseline)
    return needed(mixture, one, log_bound)


def needed(mixture: Mixture, drift: Floats, log_bound: float) -> int | None:
    """Return about how many more observations bring one test's log E to `log_bound`; None where it never gets there.

    `drift`, shape (G,), is what one observation of the mixture's own clock adds to each bet on average: the
    increments of expected counts. Bets that restarts will place later count as if placed now at what they can
    still earn.
    """
    capital = np.logaddexp(mixture.logs, _fresh(mixture, drift))
    if _ahead(capital, drift, 0.0) >= log_bound or float(mixture.log_e) >= log_bound:
        return 0
    if _ahead(capital, drift, _MOST) < log_bound:
        return None
    low, high = 0.0, 1.0
    while _ahead(capital, drift, high) < log_bound:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _ahead(capital, drift, middle) < log_bound else (low, middle)
    return ceil(high)


def _ahead(capital: Floats, drift: Floats, n: float) -> float:
    return float(np.logaddexp.reduce(capital + n * drift))


def _fresh(mixture: Mixture, drift: Floats) -> Floats:
    """Return the logs of capital that, placed now, grows to what later placements will: pace / drift, at most all.

    Capital placed at a pace w while a bet grows like exp(drift t) sums to w / drift exp(drift t) in the long run.
    """
    clock = e * PACE + mixture.seen
    pace = mixture.free / (np.log(clock / PACE) * clock)
    with np.errstate(divide="ignore"):
        placed = np.where(
            drift > 0.0, np.minimum(pace / np.where(drift > 0.0, drift, 1.0), mixture.free), 0.0
        )
        return np.asarray(np.log(placed / drift.shape[-1]))


def _weighed(weight: Floats, ratio: Floats) -> Floats:
    """Return weight * log(ratio), 0 where the weight is 0."""
    return np.asarray(weight * np.log(np.where(weight > 0.0, ratio, 1.0)))
