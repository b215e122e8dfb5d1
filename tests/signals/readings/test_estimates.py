"""Values are what was counted, and intervals hold them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.readings import estimates
from runner.signals.readings.tally import NOTHING, Tallies, Tally
from runner.spec.metric import METRICS
from runner.stats.quantiles import ACCURACY, Sketch
from tests.signals.readings.cubes import cube, row


def tally(n: int, total: float, squares: float = 0.0) -> Tally:
    return Tally(n, total, squares, None, NOTHING.buckets, NOTHING.counts)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_a_share_lies_in_its_interval(n: int, part: float) -> None:
    found = estimates.share(tally(n, round(n * part)))
    assert found.low is not None and found.value is not None and found.high is not None
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@given(st.lists(st.integers(1, 5), min_size=1, max_size=300))
def test_stars_are_their_mean_and_stay_between_one_and_five(given_stars: list[int]) -> None:
    found = estimates.stars(tally(len(given_stars), float(sum(given_stars))))
    assert found.value == pytest.approx(np.mean(given_stars))
    assert found.low is not None and found.high is not None
    assert 1.0 <= found.low <= found.value <= found.high <= 5.0


@given(st.lists(st.floats(0.001, 100.0), min_size=1, max_size=300), st.sampled_from((50, 95, 99)))
def test_a_percentile_from_log_buckets_is_right_within_their_accuracy(values: list[float], q: int) -> None:
    growth = (1 + ACCURACY) / (1 - ACCURACY)
    buckets = np.ceil(np.log(values) / np.log(growth)).astype(int)
    rows = [
        row("latency", 1, value, bucket=int(bucket)) for value, bucket in zip(values, buckets, strict=True)
    ]
    found = estimates.estimate(f"latency_p{q}", Tallies.of(cube(*rows)), 0, 1)
    sketch = Sketch()
    sketch.add(values)
    assert found.value == pytest.approx(sketch.quantile(q / 100))
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.value <= found.high


def test_a_session_has_as_many_requests_as_there_are_for_each_beginning() -> None:
    found = estimates.per_session(tally(1000, 250.0))
    assert found.value == 4.0
    assert found.low is None and found.high is None, "sums do not tell how much sessions differ"


def test_a_mean_of_few_values_has_no_interval_and_one_of_many_holds_the_truth() -> None:
    assert estimates.mean(tally(299, 299.0, 400.0)).low is None
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(200):
        values = rng.lognormal(0.0, 0.7, 600)
        found = estimates.mean(tally(600, float(values.sum()), float((values**2).sum())))
        assert found.low is not None and found.high is not None
        missed += not found.low <= np.exp(0.245) <= found.high
    assert missed <= 6


def test_a_share_of_more_than_there_is_has_no_interval() -> None:
    found = estimates.share(tally(10, 48.0))
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_invariant_12_a_metric_without_data_has_no_value() -> None:
    nothing = Tallies.of(cube())
    for metric in estimates.COUNTED:
        assert estimates.estimate(metric, nothing, 0, 10).value is None


def test_every_counted_metric_is_one_of_the_table_of_metrics() -> None:
    assert set(estimates.COUNTED) <= set(METRICS)
