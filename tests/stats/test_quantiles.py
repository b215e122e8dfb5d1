"""The sketch of durations and counts, against the sorted values themselves."""

from __future__ import annotations

import json
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.stats.quantiles import ACCURACY, Sketch

durations = st.lists(st.floats(0, 1e6) | st.sampled_from([0.0, 1.0, 512.0]), min_size=1, max_size=60)


def sketch(values: list[float]) -> Sketch:
    made = Sketch()
    made.add(values)
    return made


@given(durations, st.floats(0, 1))
def test_every_quantile_is_within_the_accuracy_of_the_true_one(values: list[float], q: float) -> None:
    true = sorted(values)[max(1, ceil(q * len(values) - 1e-9)) - 1]
    assert sketch(values).quantile(q) == pytest.approx(true, rel=ACCURACY * (1 + 1e-6), abs=1e-9)


@given(durations, st.floats(0, 1e6))
def test_the_share_above_a_value_is_right_but_for_values_as_good_as_equal(
    values: list[float], x: float
) -> None:
    share = sketch(values).share_above(x)
    surely = np.mean(np.array(values) > x * (1 + 2.1 * ACCURACY) + 1e-9)
    assert share is not None
    assert surely <= share <= np.mean(np.array(values) > x)


@given(durations, durations)
def test_merging_is_the_same_as_adding_everything_to_one(left: list[float], right: list[float]) -> None:
    merged = sketch(left)
    merged.merge(sketch(right))
    assert merged.to_json() == sketch(left + right).to_json()
    assert merged.n == len(left) + len(right)


@given(durations)
def test_what_is_written_is_read_back(values: list[float]) -> None:
    document = sketch(values).to_json()
    assert Sketch.from_json(json.loads(json.dumps(document))).to_json() == document


@given(durations)
def test_the_histogram_ascends_and_counts_everything(values: list[float]) -> None:
    middles, counts = sketch(values).histogram()
    assert np.all(np.diff(middles) > 0)
    assert counts.sum() == len(values)


def test_an_empty_sketch_knows_nothing() -> None:
    empty = Sketch()
    empty.add([])
    assert (empty.n, empty.quantile(0.5), empty.share_above(1.0)) == (0, None, None)
    assert empty.histogram()[0].size == 0


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_impossible_values_are_refused_and_leave_no_trace(wrong: float) -> None:
    kept = sketch([1.0])
    with pytest.raises(ValueError, match="at least 0"):
        kept.add([2.0, wrong])
    assert kept.n == 1


def test_a_quantile_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        sketch([1.0]).quantile(1.1)


def test_a_wide_range_takes_few_buckets() -> None:
    wide = sketch(np.geomspace(0.001, 1000, 100_000).tolist())
    assert len(wide.to_json()["buckets"]) < 700
