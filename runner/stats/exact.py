"""Intervals for data that is looked at once: exact for any size, narrower than those that may be looked at often.

An evaluation asks a fixed number of questions and decides at its end, so nothing has to be paid for looking earlier.
Each end is wrong with a chance of at most `alpha`, so both together with one of at most 2 alpha: a gate passes by one
end and fails by the other, and only one of the two can be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr, betaincinv


def share_ends(k: int, n: int, alpha: float) -> tuple[float, float]:
    """Return the ends for the chance of an event that came `k` times in `n` (Clopper and Pearson, 1934).

    (0, 1) without data. ValueError for counts that cannot be.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} events in {n} observations")
    low = float(betaincinv(k, n - k + 1, alpha)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1.0 - alpha)) if k < n else 1.0
    return low, high


def quantile_ends(ordered: Sequence[float], q: float, alpha: float) -> tuple[float | None, float | None]:
    """Return the ends for the quantile `q` (0 < q < 1) of independent values in ascending order.

    They are two of the values (order statistics): exact for any distribution. An end is None where there are too few
    values to bound it.
    """
    n = len(ordered)
    at_most = bdtr(
        np.arange(n), n, q
    )  # at_most[r]: the chance that r or fewer values lie at or below the quantile
    above = np.flatnonzero(at_most >= 1.0 - alpha)
    below = np.flatnonzero(at_most <= alpha)
    low = ordered[int(below[-1])] if below.size else None
    high = ordered[int(above[0])] if above.size else None
    return low, high
