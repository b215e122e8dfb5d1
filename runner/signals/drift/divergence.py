"""How far the topics of a window are from those of the reference, in nats, as far as the numbers can say.

A bare divergence of counts is positive where nothing has changed, the more so the more topics there are: with 200
topics and 1,000 questions it is about 0.1 by itself, which is the threshold of the lower band. Here that part is taken
off (Miller and Madow, 1955), an error is given, and few data are called insufficient. Numbers in, numbers out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from runner.stats.grid import Floats

SLIGHT_ABOVE: Final = 0.1
DRIFT_ABOVE: Final = 0.5
SURE: Final = 1.645
"""Standard deviations below the value at which its one-sided lower bound of 95% lies."""
PER_TOPIC: Final = 20
"""Questions needed for each topic beyond the first."""

_PRIOR: Final = 0.5


class Band(StrEnum):
    """Which divergence is proven."""

    NONE = ""
    SLIGHT = "slight"
    """Above 0.1: hold what is being rolled out, and tell."""
    DRIFT = "drift"
    """Above 0.5: a reason to train again."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """A debiased divergence (nats) and its standard error; both None where `n` is under `needed`."""

    value: float | None
    sd: float | None
    n: int
    needed: int

    @property
    def low(self) -> float | None:
        """The lower bound that the bands are judged by."""
        return None if self.value is None or self.sd is None else self.value - SURE * self.sd


def divergence(counts: ArrayLike, reference: ArrayLike) -> Divergence:
    """Return how far `counts` are from `reference`, both of shape (topics,): KL divergence without its null bias.

    A topic that the reference lacks counts there as half a question. The error covers the chance in both samples.
    ValueError where shapes differ or the reference is empty.
    """
    c, r = np.asarray(counts, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if c.shape != r.shape or c.ndim != 1 or r.sum() <= 0:
        raise ValueError("counts of the same topics are expected, and a reference that is not empty")
    used = (c + r) > 0
    c, r = c[used], r[used]
    n, m, free = float(c.sum()), float(r.sum()), len(c) - 1
    needed = PER_TOPIC * free
    if n < max(needed, 1):
        return Divergence(None, None, int(n), needed)
    p, q = c / n, _shares(r)
    logs = np.log(np.where(p > 0.0, p / q, 1.0))
    plain = float(p @ logs)
    of_window = (float(p @ logs**2) - plain**2) / n
    of_reference = (float(p @ (p / q)) - 1.0) / m
    value = plain - free / 2.0 * (1.0 / n + 1.0 / m)
    return Divergence(value, float(np.sqrt(max(of_window, 0.0) + max(of_reference, 0.0))), int(n), needed)


def band(found: Divergence, changed: bool) -> Band:
    """Return the band that is proven: a change is (`exchange`), and the lower bound of its size is above the limit."""
    if not changed or found.low is None or found.low <= SLIGHT_ABOVE:
        return Band.NONE
    return Band.DRIFT if found.low > DRIFT_ABOVE else Band.SLIGHT


def _shares(counts: Floats) -> Floats:
    """Return shares, none of them 0."""
    filled = np.where(counts > 0.0, counts, _PRIOR)
    return np.asarray(filled / filled.sum())
