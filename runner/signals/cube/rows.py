"""The shape of the cube and of what scoring a text leaves: columns, names of measures, buckets.

Whoever writes rows (`facts`, `annotate`) and whoever reads them (`readings`, exporters) agrees here. Pure values.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from runner.stats.quantiles import ACCURACY

HOUR_US: Final = 3_600_000_000

KEYS: Final = ("hour", "arm", "version", "segment", "measure", "bucket")
CUBE: Final = pa.schema(
    [
        pa.field("hour", pa.int64()),
        pa.field("arm", pa.string()),
        pa.field("version", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("measure", pa.string()),
        pa.field("bucket", pa.int64()),
        pa.field("n", pa.int64()),
        pa.field("total", pa.float64()),
        pa.field("squares", pa.float64()),
        pa.field("peak", pa.float64()),
    ]
)
"""Hours since 1970 UTC; a null bucket is a scalar. Rows of one key add up, `peak` is the greatest of them."""

ANNOTATIONS: Final = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("time_us", pa.int64()),
        pa.field("refusal", pa.float64()),
        pa.field("refused", pa.bool_()),
        pa.field("answerable", pa.bool_()),
        pa.field("language", pa.string()),
        pa.field("answer_language", pa.string()),
        pa.field("answer_chars", pa.int64()),
        pa.field("topic", pa.int64()),
        pa.field("fine_topic", pa.int64()),
        pa.field("novelty", pa.float64()),
        pa.field("pairs", pa.list_(pa.int64())),
        pa.field("arm", pa.string()),
        pa.field("version", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("sound", pa.bool_()),
    ]
)
"""What detectors said of one answer, by its REQUEST's event id; null where there is no detector.

The last four are what the cube needs of the request itself, so that an answer is joined with it once and not at every
pass: who answered, and whether the answer is complete and its record passes all checks.
"""

REASKS: Final = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("time_us", pa.int64()),
        pa.field("again", pa.bool_()),
        pa.field("arm", pa.string()),
        pa.field("version", pa.string()),
        pa.field("segment", pa.string()),
    ]
)
"""Whether an answer was followed by an alike question; an answer that has no row was not."""

CONTENT_SUFFIX: Final = "-content"
"""What a content event's id has more than its request's."""

PAIR_BUCKETS: Final = 1024
"""Buckets that pairs of words are hashed into."""
PAIRS_KEPT: Final = 16
"""Pairs of words that are kept of one answer, spread over it: diversity compares equally many pairs anyway."""

LOG_GROWTH: Final = float(np.log((1.0 + ACCURACY) / (1.0 - ACCURACY)))
"""Natural logarithm of how much a histogram's bucket is wider than the one below: as in `stats.quantiles`."""
SMALLEST: Final = 1e-9
ZEROS: Final = -10_000
"""The bucket of values under `SMALLEST`, so low that every formula for its middle gives 0."""

RIGHT: Final = "right:"
LANGUAGE: Final = "language:"
LOGARITHMIC: Final = frozenset({"latency", "first_token", "prompt_tokens", "answer_tokens", "answer_length"})
"""Measures whose buckets are logarithms of the value (seconds, tokens, characters)."""


def empty() -> pa.Table:
    """Return a cube without rows."""
    return CUBE.empty_table()


def merged(table: pa.Table) -> pa.Table:
    """Return the rows of a cube with one row for each key, in the order of their keys."""
    sums = [("n", "sum"), ("total", "sum"), ("squares", "sum"), ("peak", "max")]
    found = table.group_by(list(KEYS)).aggregate(sums)
    found = found.rename_columns(
        [name.removesuffix("_sum").removesuffix("_max") for name in found.column_names]
    )
    return found.select(CUBE.names).cast(CUBE).sort_by([(name, "ascending") for name in KEYS])
