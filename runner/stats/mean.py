"""Evidence that the mean of outcomes between 0 and 1 lies beyond a fixed limit, one arm alone.

The ledger of a rollout calls it for absolute limits (an error rate above 5%), and with the other direction to
certify that a limit is kept. A mixture of likelihood-ratio bets (Robbins; Wald), for values that are not just 0 or
1 the bets of Waudby-Smith and Ramdas. It returns what a batch is worth; `Mixture` keeps the sum.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from runner.stats.grid import BETS, ODDS, Floats, column

_LEAST = 1e-9
"""The lowest limit told apart from 0; a test of a higher limit is also a test of a lower one."""

_PROOF = 1e9
"""The factor of an event that the hypothesis says cannot happen: any is valid, and an infinite one spoils sums."""


class Direction(StrEnum):
    """On which side of the limit the evidence puts the mean."""

    ABOVE = "above"
    """Against the hypothesis that the mean is at most the limit."""
    BELOW = "below"
    """Against the hypothesis that the mean is at least the limit."""


def increments(m0: float, k: ArrayLike, n: ArrayLike, direction: Direction = Direction.ABOVE) -> Floats:
    """Return what `n` outcomes, `k` of them 1 and the rest 0, are worth per odds ratio: shape (..., 5), logs.

    `k` and `n` have shape (...). Linear in both, so that expected counts give expected growth.
    """
    event, other = _binary(m0, direction)
    k, n = column(k), column(n)
    if direction is Direction.BELOW:
        k = n - k
    return k * event + (n - k) * other


def increments_of(
    m0: float, values: ArrayLike, counts: ArrayLike | None = None, direction: Direction = Direction.ABOVE
) -> Floats:
    """Return what outcomes in [0, 1] are worth per fraction: shape (..., 6), natural logarithms.

    `values`: shape (V,), `counts`: shape (..., V), how often each value occurred; without counts once each.
    ValueError where a value lies outside [0, 1].
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size and not (x.min() >= 0.0 and x.max() <= 1.0):
        raise ValueError(f"values from 0 to 1 are expected, not {x.min()} to {x.max()}")
    centre, bets = _bets(m0, direction)
    if direction is Direction.BELOW:
        x = 1.0 - x
    worth = np.log1p((x - centre)[..., None] * bets)
    return np.asarray(worth.sum(axis=-2) if counts is None else np.asarray(counts, dtype=np.float64) @ worth)


@cache
def _binary(m0: float, direction: Direction) -> tuple[Floats, Floats]:
    """Return the logarithms of a bet's factor at an event and at none; 0 where nothing can be beyond the limit."""
    centre = _centre(m0, direction)
    if centre >= 1.0:
        return np.zeros_like(ODDS), np.zeros_like(ODDS)
    if centre <= 0.0:
        return np.full_like(ODDS, np.log(_PROOF)), np.zeros_like(ODDS)
    odds = ODDS * (centre / (1.0 - centre))
    return np.log(odds / (1.0 + odds) / centre), -np.log1p(odds) - np.log1p(-centre)


@cache
def _bets(m0: float, direction: Direction) -> tuple[float, Floats]:
    """Return the limit and how much each bet stakes on a distance from it."""
    centre = _centre(m0, direction)
    if centre >= 1.0:
        return centre, np.zeros_like(BETS)
    return centre, BETS / centre if centre > 0.0 else BETS * _PROOF


def _centre(m0: float, direction: Direction) -> float:
    """Return the limit of badness, 0 and 1 exactly or not too near 0."""
    if not 0.0 <= m0 <= 1.0:
        raise ValueError(f"a limit from 0 to 1 is expected, not {m0}")
    limit = m0 if direction is Direction.ABOVE else 1.0 - m0
    return max(limit, _LEAST) if limit > 0.0 else 0.0
