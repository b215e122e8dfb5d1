"""Output drift: whether answers have become longer, switched their language, or say less that is different.

Called by the readings with counts that add up over hours, arms and versions; compares a window with the baseline's, or
with the window before. Numbers in, numbers out.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import floor, log
from typing import Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from runner.signals.drift.divergence import Divergence, divergence
from runner.stats.grid import Floats
from runner.stats.quantiles import ACCURACY

PAIRS: Final = 200
"""Word pairs in the sample whose distinct share is the diversity."""
RESAMPLES: Final = 400
LEAST_HOURS: Final = 5
"""Hours without which a resample of hours says nothing about chance."""

Key = TypeVar("Key", bound=Hashable)

_LOG_GROWTH: Final = log((1.0 + ACCURACY) / (1.0 - ACCURACY))
_PER_OCTAVE: Final = 2


@dataclass(frozen=True, slots=True)
class Diversity:
    """Expected share of distinct ones among `PAIRS` random word pairs, with its interval where hours allow one."""

    value: float
    low: float | None
    high: float | None
    n: int
    """Word pairs counted."""


@dataclass(frozen=True, slots=True)
class OutputDrift:
    """How far lengths and languages of answers are from what they are compared with, each as a divergence in nats."""

    length: Divergence
    language: Divergence

    @property
    def greater(self) -> Divergence:
        """The one that `output_drift` reports: the greater, or whichever there are enough answers for."""
        known = [each for each in (self.length, self.language) if each.value is not None]
        return max(known, key=lambda each: each.value or 0.0) if known else self.length


def output_drift(
    lengths: Mapping[int, float],
    languages: Mapping[str, float],
    lengths_before: Mapping[int, float],
    languages_before: Mapping[str, float],
) -> OutputDrift | None:
    """Compare counts of answers by length and by language with those before; None where there were none before.

    `lengths`: log bucket (of a `Sketch`) -> answers. They are gathered into half octaves first: a bucket is 2% wide.
    """
    now, before = _half_octaves(lengths), _half_octaves(lengths_before)
    if not sum(before.values()) or not sum(languages_before.values()):
        return None
    return OutputDrift(_compared(now, before), _compared(languages, languages_before))


def diversity(hours: ArrayLike, seed: int = 0) -> Diversity | None:
    """Return the diversity of answers whose hashed word pairs have the counts `hours`, shape (hours, bins).

    Rarefied (Hurlbert, 1971): the exact expectation over samples of 200 pairs without replacement, so that windows of
    any size compare. Pairs that share a bin count as one, which with 1,024 bins leaves 0.91 at most. The interval is
    the middle 95% over hours drawn again; None for all of it under 200 pairs.
    """
    counts = np.atleast_2d(np.asarray(hours, dtype=np.float64))
    whole = counts.sum(axis=0)
    if whole.sum() < PAIRS:
        return None
    value = float(rarefied(whole))
    low = high = None
    if (counts.sum(axis=1) > 0).sum() >= LEAST_HOURS:
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(counts), np.full(len(counts), 1.0 / len(counts)), RESAMPLES) @ counts
        values = [float(rarefied(each)) for each in drawn if each.sum() >= PAIRS]
        if values:
            # fewer different hours are drawn than there are, which makes a resample less diverse: centre it
            spread = np.quantile(values, (0.025, 0.975)) - np.mean(values)
            low, high = max(0.0, value + float(spread[0])), min(1.0, value + float(spread[1]))
    return Diversity(value, low, high, int(whole.sum()))


def rarefied(counts: ArrayLike, sample: int = PAIRS) -> Floats:
    """Return the expected share of distinct kinds in `sample` items drawn without replacement; counts (..., kinds)."""
    found = np.asarray(counts, dtype=np.float64)
    n = found.sum(axis=-1, keepdims=True)
    rest = n - found
    with np.errstate(invalid="ignore"):
        logs = gammaln(rest + 1) - gammaln(rest - sample + 1) - gammaln(n + 1) + gammaln(n - sample + 1)
    missed = np.where(rest >= sample, np.exp(np.where(rest >= sample, logs, 0.0)), 0.0)
    return np.asarray((1.0 - missed).sum(axis=-1) / sample)


def _half_octaves(buckets: Mapping[int, float]) -> dict[int, float]:
    gathered: dict[int, float] = {}
    for bucket, count in buckets.items():
        # half a bucket below its upper edge: its middle
        octave = floor(_PER_OCTAVE * (bucket - 0.5) * _LOG_GROWTH / log(2.0))
        gathered[octave] = gathered.get(octave, 0.0) + count
    return gathered


def _compared(now: Mapping[Key, float], before: Mapping[Key, float]) -> Divergence:
    kinds = list(dict.fromkeys((*now, *before)))
    return divergence([now.get(each, 0.0) for each in kinds], [before.get(each, 0.0) for each in kinds])
