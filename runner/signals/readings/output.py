"""Output drift and diversity of answers, read from the sums: length, language and pairs of words.

Called by `measure`; what the numbers mean is said in `drift.shape`. Computation only.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.signals.drift import shape
from runner.signals.readings.estimates import NO_DATA, Estimate
from runner.signals.readings.tally import Tallies

LANGUAGE = "language:"
PAIR_BUCKETS = 1024


def diversity(here: Tallies, since: int, until: int) -> Estimate:
    """Return the expected share of distinct word pairs among 200, over the hours `since` to `until`."""
    found = shape.diversity(here.by_hour("word_pairs", since, until, PAIR_BUCKETS))
    if found is None:
        return NO_DATA
    return Estimate(found.value, found.low, found.high, found.n)


def diverse(here: Tallies, since: int, until: int) -> tuple[float | None, int]:
    """Return the diversity alone, without the interval that costs most of it, and the word pairs counted."""
    counts = here.by_hour("word_pairs", since, until, PAIR_BUCKETS).sum(axis=0)
    n = int(counts.sum())
    return (float(shape.rarefied(counts)) if n >= shape.PAIRS else None), n


def drift(here: Tallies, compared: Tallies | None, since: int, until: int) -> Estimate:
    """Return how far lengths and languages are from those of `compared`, or from the same arm's window before (nats).

    The greater of the two; no value below the number of answers that it takes.
    """
    now = _counts(here, since, until)
    before = (
        _counts(here, since - (until - since), since) if compared is None else _counts(compared, since, until)
    )
    found = shape.output_drift(*now, *before)
    if found is None:
        return Estimate(None, None, None, 0, "nothing to compare with")
    which, greater = (
        ("length", found.length) if found.greater is found.length else ("language", found.language)
    )
    if greater.value is None:
        return Estimate(None, None, None, greater.n, f"insufficient: it takes {greater.needed} answers")
    if greater.low is None:
        return Estimate(greater.value, None, None, greater.n, f"most by {which}")
    ends = max(0.0, greater.low), 2.0 * greater.value - greater.low
    return Estimate(max(0.0, greater.value), *ends, greater.n, f"most by {which}")


def _counts(tallies: Tallies, since: int, until: int) -> tuple[Mapping[int, float], Mapping[str, float]]:
    lengths = tallies.over("answer_length", since, until)
    languages = {
        measure.removeprefix(LANGUAGE): float(tallies.over(measure, since, until).total)
        for measure in tallies.measures
        if measure.startswith(LANGUAGE)
    }
    pairs = zip(lengths.buckets.tolist(), lengths.counts.tolist(), strict=True)
    return {int(bucket): float(count) for bucket, count in pairs}, languages
