"""Quantiles of durations and counts in little space: a histogram whose buckets grow with the value.

The ledger keeps one per arm and metric. Every quantile is right within `ACCURACY` of its value, whatever the
distribution, and two sketches merge without loss (DDSketch: Masson, Rim and Lee, 2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import ceil
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from runner.stats.grid import Floats

ACCURACY: Final = 0.01
"""The greatest relative error of a quantile."""

_GROWTH: Final = (1.0 + ACCURACY) / (1.0 - ACCURACY)
_LOG_GROWTH: Final = float(np.log(_GROWTH))
_SMALLEST: Final = 1e-9
"""What is less counts as 0: below a nanosecond, and below one token."""


class Sketch:
    """A histogram of values of at least 0 that grows as they come; about 700 buckets from 1 ms to 1000 s."""

    __slots__ = ("_buckets", "_zeros")

    def __init__(self) -> None:
        self._zeros = 0
        self._buckets: Counter[int] = Counter()

    @property
    def n(self) -> int:
        """How many values were added."""
        return self._zeros + self._buckets.total()

    def add(self, values: ArrayLike) -> None:
        """Add values (any shape, native unit). ValueError, with nothing added, where one is negative or not finite."""
        x = np.asarray(values, dtype=np.float64).ravel()
        if not np.all(np.isfinite(x) & (x >= 0.0)):
            raise ValueError("finite values of at least 0 are expected")
        positive = x[x >= _SMALLEST]
        self._zeros += x.size - positive.size
        self._buckets.update(_bucket(positive).tolist())

    def merge(self, other: Sketch) -> None:
        """Add everything that another sketch holds."""
        self._zeros += other._zeros
        self._buckets.update(other._buckets)

    def histogram(self) -> tuple[Floats, Floats]:
        """Return the middles of the buckets in use, ascending, and how many values each holds: two of shape (V,)."""
        order = sorted(self._buckets)
        values = bucket_middles(order)
        counts = np.array([self._buckets[one] for one in order], dtype=np.float64)
        if not self._zeros:
            return values, counts
        return np.concatenate(([0.0], values)), np.concatenate(([float(self._zeros)], counts))

    def quantile(self, q: float) -> float | None:
        """Return the smallest value that at least a share `q` (0 to 1) does not exceed; None without data."""
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a share from 0 to 1 is expected, not {q}")
        if not self.n:
            return None
        values, counts = self.histogram()
        rank = max(1, ceil(q * self.n - 1e-9))  # 0.07 * 100 is a little more than 7
        return float(values[np.searchsorted(np.cumsum(counts), rank)])

    def share_above(self, x: float) -> float | None:
        """Return the share of values above `x`, without those as good as equal (same bucket); None without data."""
        if not self.n:
            return None
        if x < _SMALLEST:
            return self._buckets.total() / self.n if x >= 0.0 else 1.0
        limit = int(_bucket(np.array([x]))[0])
        return sum(count for bucket, count in self._buckets.items() if bucket > limit) / self.n

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and lists that `from_json` reads back exactly."""
        return {
            "zeros": self._zeros,
            "buckets": sorted([bucket, count] for bucket, count in self._buckets.items()),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Rebuild what `to_json` wrote; KeyError, TypeError or ValueError where it is something else."""
        sketch = cls()
        sketch._zeros = int(document["zeros"])
        sketch._buckets = Counter(dict(_pairs(document["buckets"])))
        return sketch


def bucket_middles(buckets: ArrayLike) -> Floats:
    """Return the value that stands for each bucket, within `ACCURACY` of everything in it; any shape."""
    return np.asarray(2.0 * _GROWTH ** np.asarray(buckets, dtype=np.float64) / (1.0 + _GROWTH))


def bucket_edges(buckets: ArrayLike) -> Floats:
    """Return the greatest value that each bucket takes; any shape."""
    return np.asarray(_GROWTH ** np.asarray(buckets, dtype=np.float64))


def _bucket(positive: Floats) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.ceil(np.log(positive) / _LOG_GROWTH).astype(np.int64)


def _pairs(document: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    return ((int(bucket), int(count)) for bucket, count in document)
