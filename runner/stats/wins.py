"""An exact interval for a share won where ties count half, from one look at so many comparisons.

Evaluations call it: a suite is asked once and looked at once, so nothing is paid here for looking again and again, as
`intervals.mean_interval` pays. Each end holds for any share of ties, by a supremum over those shares that the ties
seen make believable (Berger and Boos, 1994); ties make it narrower, since a tie is less of a surprise than a win.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv, gammaln, xlog1py, xlogy

from runner.stats.grid import Floats

_FOR_TIES = 0.05
"""Part of the allowed chance that is spent on not knowing how often ties happen."""
_SHARES = 21
"""Shares of ties that are tried between the ends of their own interval."""
_HALVINGS = 40
"""Of the unit interval: to 12 digits."""
_NEVER = 1e-15
"""Numbers of ties less likely than this are left out of sums."""


def wins_interval(wins: int, ties: int, losses: int, alpha: float) -> tuple[float, float]:
    """Return the lower and upper end for the mean of independent comparisons: 1 won, a half tied, 0 lost.

    Each end is wrong with a chance of at most `alpha`. (0, 1) without comparisons.
    """
    return _lower(wins, ties, losses, alpha), 1.0 - _lower(losses, ties, wins, alpha)


def _lower(wins: int, ties: int, losses: int, alpha: float) -> float:
    """Return the least mean under which so many points, or more, come with a chance above `alpha`."""
    n, points = wins + ties + losses, 2 * wins + ties
    if not points:
        return 0.0
    spent = alpha * _FOR_TIES
    shares: Floats = np.linspace(*_ties_interval(ties, n, spent), _SHARES, dtype=np.float64)
    tied: Floats = np.arange(n + 1, dtype=np.float64)
    weights = _binomial(n, tied, shares[:, None])
    likely = weights.max(axis=0) > _NEVER
    tied, weights = tied[likely], weights[:, likely]
    needed = np.ceil((points - tied) / 2.0)
    low, high = np.zeros(_SHARES), np.ones(_SHARES)
    # the more is won of what is decided, the likelier are so many points
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        chance = np.sum(weights * _at_least(needed, n - tied, middle[:, None]), axis=1)
        rare = chance <= alpha - spent
        low, high = np.where(rare, middle, low), np.where(rare, high, middle)
    return float((shares / 2.0 + (1.0 - shares) * low).min())


def _ties_interval(ties: int, n: int, alpha: float) -> tuple[float, float]:
    """Return the ends for the share of ties, both wrong with a chance of `alpha` at most (Clopper and Pearson)."""
    low = betaincinv(ties, n - ties + 1, alpha / 2.0) if ties else 0.0
    high = betaincinv(ties + 1, n - ties, 1.0 - alpha / 2.0) if ties < n else 1.0
    return float(low), float(high)


def _binomial(n: int, k: Floats, share: Floats) -> Floats:
    """Return the chance of `k` in `n`."""
    ways = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return np.asarray(np.exp(ways + xlogy(k, share) + xlog1py(n - k, -share)))


def _at_least(k: Floats, n: Floats, share: Floats) -> Floats:
    """Return the chance of `k` or more in `n`; certain where `k` is 0 or less, impossible where it is above `n`."""
    inside = (k >= 1.0) & (k <= n)
    found = betainc(np.where(inside, k, 1.0), np.where(inside, n - k + 1.0, 1.0), share)
    return np.asarray(np.where(inside, found, np.where(k < 1.0, 1.0, 0.0)))
