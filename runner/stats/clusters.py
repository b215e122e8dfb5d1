"""Evidence and intervals for a mean of outcomes that come in clusters: votes of people who differ in taste.

The standings call it. The unit of evidence is the cluster: a thousand outcomes of one say what that one is like, and
nothing of the others. It is a sequential t-test of the clusters' deviations (Lai, 1976; Wang and Ramdas, 2025), so that
people may look whenever they like; approximate, since deviations are taken as normal, and cautious where a few clusters
have most of the weight: they count as the number that Kish's formula (1965) gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runner.stats.grid import Floats

Flags = NDArray[np.bool_]

_PRIOR = 0.5
"""Precision of the prior on the mean, in standard deviations of a cluster: effects of about 1.4 of those are easiest
told. Of four clusters that are all alike the evidence is 27, of three it is 7."""
_MOST_LOG = 700.0  # its exponential is still a number


@dataclass(frozen=True, slots=True)
class Clusters:
    """Sums over clusters of their outcomes' sum `k` and weight `n`, each of shape (...)."""

    number: Floats
    k: Floats
    n: Floats
    kk: Floats
    kn: Floats
    nn: Floats

    @classmethod
    def of(cls, k: ArrayLike, n: ArrayLike) -> Clusters:
        """Return clusters with sums `k` and weights `n`, each above 0 and of shape (clusters,)."""
        return cls(*(np.asarray(each.sum()) for each in _columns(k, n)))

    @classmethod
    def without_each(cls, k: ArrayLike, n: ArrayLike) -> Clusters:
        """Return all of them but one, for each of them: shape (clusters,). At least two are expected."""
        return cls(*(each.sum() - each for each in _columns(k, n)))

    @property
    def mean(self) -> Floats:
        """The mean of the outcomes."""
        return np.asarray(self.k / self.n)

    @property
    def effective(self) -> Floats:
        """How many clusters of equal weight tell as much: 1 where one has nearly all of it."""
        return np.asarray(self.n**2 / self.nn)

    def evidence(self, mean: float) -> Floats:
        """Return the e-value against `mean`: 1 says nothing, 1/alpha is where `interval` ends."""
        spread, shrunk = self._spread, self._shrunk
        far = (self.mean - mean) ** 2
        known = spread + far > 0.0
        ratio = np.where(known, spread + far, 1.0) / np.where(known, spread + shrunk * far, 1.0)
        logs = 0.5 * np.log(shrunk) + 0.5 * self.effective * np.log(ratio)
        return np.asarray(np.exp(np.minimum(logs, _MOST_LOG)))

    def is_bounded(self, alpha: float) -> Flags:
        """Return whether so many clusters can bound the mean at all; four of equal weight can at 5%."""
        return np.asarray(self._wanted(alpha) * self._shrunk < 1.0)

    def interval(self, alpha: float) -> tuple[Floats, Floats]:
        """Return the lower and upper ends for the mean; infinite where so few clusters cannot bound it."""
        wanted, bounded = self._wanted(alpha), self.is_bounded(alpha)
        scale = (wanted - 1.0) / np.where(bounded, 1.0 - wanted * self._shrunk, 1.0)
        half = np.sqrt(np.where(bounded, self._spread * scale, np.inf))
        return np.asarray(self.mean - half), np.asarray(self.mean + half)

    def _wanted(self, alpha: float) -> Floats:
        """The ratio in `evidence` at which it is 1/alpha."""
        logs = -np.log(alpha) - 0.5 * np.log(self._shrunk)
        return np.asarray(np.exp(np.minimum(2.0 * logs / self.effective, _MOST_LOG)))

    @property
    def _shrunk(self) -> Floats:
        return np.asarray(_PRIOR / (self.effective + _PRIOR))

    @property
    def _spread(self) -> Floats:
        """The variance of the mean between clusters, times the degrees of freedom of that variance."""
        squares = np.maximum(self.kk - 2.0 * self.mean * self.kn + self.mean**2 * self.nn, 0.0)
        variance = self.number / np.maximum(self.number - 1.0, 1.0) * squares / self.n**2
        tiny = 1e-12 * self.nn / self.n**2  # what is left of rounding where all clusters are alike
        return np.where(variance > tiny, variance, 0.0) * (self.effective - 1.0)


def _columns(k: ArrayLike, n: ArrayLike) -> tuple[Floats, ...]:
    sums, weights = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    return np.ones_like(sums), sums, weights, sums**2, sums * weights, weights**2
