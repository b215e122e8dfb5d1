"""Curves that a sum of deviations never crosses, with a chosen probability, at all times at once.

For sums with variance (process) `v`: the normal mixture, where deviations behave like a normal walk, and the
beta-binomial one, exact where each deviation is one of two values. Formulas of Howard, Ramdas, McAuliffe and
Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences" (2021). `intervals` calls it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaln

from runner.stats.grid import Floats

_HALVINGS = 60  # more than the bits of a float's mantissa


class Sides(Enum):
    """Whether a sum may deviate to one side or to both."""

    ONE = auto()
    TWO = auto()


def normal_rho(v_opt: ArrayLike, alpha: float, sides: Sides = Sides.TWO) -> Floats:
    """Return the mixture's precision that makes the curve narrowest about variance `v_opt`.

    One-sided alpha below 1/2.
    """
    log_odds = -2.0 * np.log(alpha if sides is Sides.TWO else 2.0 * alpha)
    return np.asarray(np.asarray(v_opt, dtype=np.float64) / (log_odds + np.log1p(log_odds)))


def normal_bound(v: ArrayLike, alpha: float, rho: ArrayLike) -> Floats:
    """Return what the absolute value of the sum stays below with probability 1 - alpha; `rho` above 0."""
    precision = np.asarray(rho, dtype=np.float64)
    total = np.asarray(v, dtype=np.float64) + precision
    return np.asarray(np.sqrt(total * (np.log(total / precision) - 2.0 * np.log(alpha))))


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """The mixture for sums of deviations that are -g or +h with mean 0; `r` above 0 says where it is aimed.

    Variance `v` is g h times the number of deviations.
    """

    r: float
    g: float
    h: float
    sides: Sides

    @classmethod
    def aimed(cls, v_opt: float, alpha: float, g: float, h: float, sides: Sides) -> Self:
        """Return the mixture whose curve is about the narrowest near variance `v_opt`."""
        rho = float(normal_rho(v_opt, alpha, sides))
        return cls(max(rho - g * h, 1e-3 * g * h), g, h, sides)

    def log_e(self, s: ArrayLike, v: ArrayLike) -> Floats:
        """Return the log e-value of a sum `s` (from -v/h to v/g) at variance `v`, each of shape (...)."""
        s, v = np.asarray(s, dtype=np.float64), np.asarray(v, dtype=np.float64)
        g, h, whole = self.g, self.h, self.g + self.h
        ups, downs = (v + h * s) / (h * whole), (v - g * s) / (g * whole)
        a, b = self.r / (g * whole), self.r / (h * whole)
        mixed = self._log_beta(a + downs, b + ups) - self._log_beta(a, b)
        return np.asarray(mixed - ups * np.log(g / whole) - downs * np.log(h / whole))

    def bound(self, v: float, alpha: float) -> float:
        """Return what the sum stays below (its absolute value, with two sides) with probability 1 - alpha."""
        low, high = 0.0, v / self.g
        if self.log_e(high, v) < -np.log(alpha):
            return high  # not even the largest possible sum is proof
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.log_e(middle, v) < -np.log(alpha) else (low, middle)
        return high

    def _log_beta(self, a: ArrayLike, b: ArrayLike) -> Floats:
        """Return the log of the beta integral, only over chances that push the sum up where one side counts."""
        share = 1.0 if self.sides is Sides.TWO else betainc(a, b, self.h / (self.g + self.h))
        return np.asarray(betaln(a, b) + np.log(share))
