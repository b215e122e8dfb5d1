"""Sums of cube rows over any time, arm, version and segment.

`estimates` asks it; it knows no metric. Rows come from `cube` as one Arrow table; they are held as arrays, sorted by
hour for each measure, so that a window is a slice. Computation only.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

HOUR_S = 3600.0
SCALAR = -(2**31)
"""Stands for "no bucket" in an array; log buckets of small values are negative too, but never as far down."""
_MOST_BUCKETS = 200_000


@dataclass(frozen=True, slots=True)
class Arm:
    """Whose requests: an arm with the version that served it; both "" for all together."""

    name: str = ""
    version: str = ""


ALL = Arm()


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over some rows: `n` observations, their total and sum of squares, the greatest, and the buckets in use.

    `buckets` ascends, `counts` is of its shape; both are empty where the measure has none.
    """

    n: int
    total: float
    squares: float
    peak: float | None
    buckets: NDArray[np.int64]
    counts: NDArray[np.int64]


NOTHING = Tally(0, 0.0, 0.0, None, np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one measure, ascending by hour; all arrays of one shape."""

    hour: NDArray[np.int64]
    arm: NDArray[np.object_]
    version: NDArray[np.object_]
    segment: NDArray[np.object_]
    bucket: NDArray[np.int64]
    n: NDArray[np.int64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    peak: NDArray[np.float64]

    def only(self, keep: NDArray[np.bool_] | slice) -> _Rows:
        return _Rows(*(getattr(self, name)[keep] for name in self.__slots__))


class Tallies:
    """Everything that was counted, by measure; `only` narrows it to an arm and a segment."""

    def __init__(self, rows: dict[str, _Rows]) -> None:
        self._rows = rows

    @classmethod
    def of(cls, cube: pa.Table) -> Tallies:
        """Take a table of cube rows, in any order."""
        ordered = cube.sort_by([("measure", "ascending"), ("hour", "ascending")])
        measures = _texts(ordered, "measure")
        rows = _Rows(
            hour=ordered["hour"].to_numpy(),
            arm=_texts(ordered, "arm"),
            version=_texts(ordered, "version"),
            segment=_texts(ordered, "segment"),
            bucket=ordered["bucket"].fill_null(SCALAR).to_numpy(),
            n=ordered["n"].to_numpy(),
            total=ordered["total"].to_numpy(),
            squares=ordered["squares"].to_numpy(),
            peak=ordered["peak"].fill_null(np.nan).to_numpy(),
        )
        found: dict[str, _Rows] = {}
        changes = np.flatnonzero(measures[1:] != measures[:-1]) + 1
        for start, end in itertools.pairwise([0, *changes.tolist(), len(measures)]):
            if end > start:
                found[str(measures[start])] = rows.only(slice(start, end))
        return cls(found)

    @property
    def measures(self) -> frozenset[str]:
        """The measures that have any rows."""
        return frozenset(self._rows)

    def arms(self) -> tuple[Arm, ...]:
        """Return every arm with each version that served it, baseline and candidate first."""
        found = {
            Arm(str(arm), str(version))
            for rows in self._rows.values()
            for arm, version in set(zip(rows.arm, rows.version, strict=True))
            if arm
        }
        first = {"baseline": 0, "candidate": 1, "experiment": 2}
        return tuple(sorted(found, key=lambda each: (first.get(each.name, 3), each.name, each.version)))

    def segments(self) -> tuple[str, ...]:
        """Return every segment, in alphabetical order."""
        return tuple(sorted({str(one) for rows in self._rows.values() for one in set(rows.segment) if one}))

    def only(self, arm: Arm, segment: str = "") -> Tallies:
        """Return what belongs to an arm and a segment; "" takes all of them.

        Rows without an arm (votes, probes, evaluations) belong to every arm that their version served.
        """
        return Tallies(
            {measure: rows.only(_belongs(rows, arm, segment)) for measure, rows in self._rows.items()}
        )

    def first_hour(self, measure: str, since_hour: int, until_hour: int) -> int | None:
        """Return the first hour of a span in which a measure has rows; None where there is none."""
        rows = self._rows.get(measure)
        if rows is None:
            return None
        low, high = np.searchsorted(rows.hour, [since_hour, until_hour])
        return int(rows.hour[low]) if low < high else None

    def by_hour(self, measure: str, since_hour: int, until_hour: int, size: int) -> NDArray[np.float64]:
        """Return how often each bucket below `size` occurred in each hour that has any: shape (hours, size)."""
        rows = self._rows.get(measure)
        if rows is None:
            return np.zeros((0, size))
        low, high = np.searchsorted(rows.hour, [since_hour, until_hour])
        part = rows.only(slice(low, high))
        hours, which = np.unique(part.hour, return_inverse=True)
        found = np.zeros((hours.size, size))
        inside = (part.bucket >= 0) & (part.bucket < size)
        np.add.at(found, (which[inside], part.bucket[inside]), part.n[inside])
        return found

    def over(self, measure: str, since_hour: int, until_hour: int) -> Tally:
        """Return the sums over the hours from `since_hour` up to but not `until_hour` (hours since 1970)."""
        rows = self._rows.get(measure)
        if rows is None:
            return NOTHING
        low, high = np.searchsorted(rows.hour, [since_hour, until_hour])
        if low == high:
            return NOTHING
        part = rows.only(slice(low, high))
        peaks = part.peak[~np.isnan(part.peak)]
        buckets, counts = _buckets(part)
        return Tally(
            int(part.n.sum()),
            float(part.total.sum()),
            float(part.squares.sum()),
            float(peaks.max()) if peaks.size else None,
            buckets,
            counts,
        )


def _belongs(rows: _Rows, arm: Arm, segment: str) -> NDArray[np.bool_]:
    keep = np.ones(rows.hour.shape, bool)
    if arm.name:
        keep &= (rows.arm == arm.name) | ((rows.arm == "") & (rows.version != ""))
    if arm.version:
        keep &= rows.version == arm.version
    if segment:
        keep &= rows.segment == segment
    return keep


def _buckets(rows: _Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    bucketed = rows.bucket != SCALAR
    if not bucketed.any():
        return NOTHING.buckets, NOTHING.counts
    buckets, index = np.unique(rows.bucket[bucketed], return_inverse=True)
    counts = np.bincount(index, weights=rows.n[bucketed], minlength=buckets.size)
    return buckets, counts.astype(np.int64)


def _texts(table: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(table[name].fill_null("").to_pylist(), dtype=object)
