"""Intervals: they cover the truth at all times, shrink, and say nothing where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from runner.stats import mean
from runner.stats.intervals import mean_interval, quantile_interval, unbounded_mean_interval
from runner.stats.mean import Direction
from runner.stats.mixture import Mixture

ALPHA = 0.05
counted = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LOOKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 400, 700, 1000)


def test_without_data_everything_is_possible() -> None:
    assert mean_interval(0, 0, ALPHA) == (0, 1)
    assert quantile_interval([], None, 0.5, ALPHA) == (-np.inf, np.inf)
    assert unbounded_mean_interval(0, 0, 0, ALPHA) == (-np.inf, np.inf)


@given(counted)
def test_the_interval_of_a_share_contains_the_exact_one_of_a_single_look(count: tuple[int, int]) -> None:
    k, n = count
    low, high = mean_interval(k, n, ALPHA)
    once = binomtest(k, n).proportion_ci(1 - ALPHA)
    assert 0 <= low <= once.low <= k / n <= once.high <= high <= 1
    assert (low == 0) == (k == 0)
    assert (high == 1) == (k == n)


@given(counted, st.sampled_from(Direction), st.sampled_from([0.01, 0.05, 0.5]))
def test_evidence_never_exceeds_what_a_single_look_would_give(
    count: tuple[int, int], direction: Direction, m0: float
) -> None:
    k, n = count
    log_e = float(Mixture.start(5, restart=False).bet(mean.increments(m0, k, n, direction), n).log_e)
    once = binomtest(k, n, m0, alternative="greater" if direction is Direction.ABOVE else "less").pvalue
    assert np.exp(-log_e) >= once * (1 - 1e-9)


@given(counted)
def test_good_and_bad_are_mirror_images(count: tuple[int, int]) -> None:
    k, n = count
    low, high = mean_interval(k, n, ALPHA)
    assert mean_interval(n - k, n, ALPHA) == pytest.approx((1 - float(high), 1 - float(low)), abs=1e-12)


def test_the_ends_are_exactly_where_the_evidence_reaches_one_in_alpha() -> None:
    from scipy.special import betaln

    for k, n in ((1, 3), (5, 100), (0.3, 4), (700, 1000), (1, 10**6), (5 * 10**5, 10**6)):
        for p in mean_interval(k, n, 0.01):
            log_e = betaln(k + 0.5, n - k + 0.5) - betaln(0.5, 0.5) - k * np.log(p) - (n - k) * np.log1p(-p)
            assert log_e == pytest.approx(np.log(100), abs=1e-6)


def test_intervals_shrink_with_data_and_grow_with_confidence() -> None:
    low, high = mean_interval([5, 50, 500], [100, 1000, 10_000], ALPHA)
    assert np.all(np.diff(high - low) < 0)
    low, high = mean_interval(50, 1000, 0.001)
    assert high - low > np.subtract(*mean_interval(50, 1000, ALPHA)[::-1])


def misses(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    """Return the share of worlds (first axis) whose intervals (last axis: looks) ever miss the truth."""
    return float(np.mean(np.any((low > truth) | (high < truth), axis=-1)))


@pytest.mark.parametrize("p", [0.02, 0.3])
def test_intervals_of_shares_cover_the_truth_at_all_looks_together(p: float) -> None:
    rng = np.random.default_rng(11)
    n = np.arange(1, 400)
    k = np.cumsum(rng.random((2000, n.size)) < p, axis=1)
    assert 0 < misses(*mean_interval(k, n, 0.2), p) <= 0.2


def test_intervals_cover_means_of_values_that_are_not_just_zero_or_one() -> None:
    rng = np.random.default_rng(12)
    n = np.arange(1, 400)
    sums = np.cumsum(rng.beta(0.3, 0.9, (1000, n.size)), axis=1)
    assert misses(*mean_interval(sums, n, 0.2), 0.25) <= 0.2


@pytest.mark.parametrize("q", [0.5, 0.95])
@pytest.mark.parametrize("ties", [False, True])
def test_intervals_of_quantiles_cover_the_truth_at_all_looks_together(q: float, ties: bool) -> None:
    rng = np.random.default_rng(13)
    values = rng.exponential(size=(300, LOOKS[-1]))
    truth = -np.log(1 - q)
    if ties:
        values, truth = np.ceil(2 * values), float(np.ceil(2 * truth))
    ends = np.array([[quantile_interval(world[:n], None, q, 0.2) for n in LOOKS] for world in values])
    assert misses(ends[..., 0], ends[..., 1], truth) <= 0.2
    widths = ends[:, -1, 1] - ends[:, -1, 0]
    assert np.all(np.isfinite(widths))


def test_the_interval_of_a_histogram_is_that_of_its_values_in_any_order() -> None:
    rng = np.random.default_rng(14)
    values = rng.integers(1, 9, 400)
    distinct, counts = np.unique(values, return_counts=True)
    assert quantile_interval(values, None, 0.9, ALPHA) == quantile_interval(distinct, counts, 0.9, ALPHA)
    backwards = quantile_interval(distinct[::-1], counts[::-1], 0.9, ALPHA)
    assert backwards == quantile_interval(distinct, counts, 0.9, ALPHA)


def test_a_high_quantile_has_no_upper_end_until_enough_was_seen() -> None:
    low, high = quantile_interval(np.arange(50.0), None, 0.99, ALPHA)
    assert low > 0
    assert high == np.inf


def test_intervals_of_means_without_bounds_cover_the_truth_once_there_are_enough_values() -> None:
    rng = np.random.default_rng(15)
    values = rng.gamma(2.0, 50.0, (500, 1000))
    n = np.arange(1, values.shape[1] + 1)
    low, high = unbounded_mean_interval(values.cumsum(axis=1), (values**2).cumsum(axis=1), n, 0.2)
    assert misses(low[:, 49:], high[:, 49:], 100.0) <= 0.2
    assert np.all(high[:, -1] - low[:, -1] < 25)


def test_equal_values_say_nothing_of_the_spread() -> None:
    assert unbounded_mean_interval(500.0, 2500.0, 100, ALPHA) == (-np.inf, np.inf)
