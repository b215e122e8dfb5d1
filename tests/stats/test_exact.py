"""Intervals for data that is looked at once, against what is known of them exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from runner.stats.exact import quantile_ends, share_ends

ALPHAS = (0.01, 0.025, 0.05)


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from(ALPHAS))
def test_the_ends_of_a_share_are_those_of_clopper_and_pearson(k: int, more: int, alpha: float) -> None:
    n = k + more
    if n == 0:
        assert share_ends(0, 0, alpha) == (0.0, 1.0)
        return
    known = binomtest(k, n).proportion_ci(1.0 - 2.0 * alpha, method="exact")
    assert share_ends(k, n, alpha) == pytest.approx((known.low, known.high), abs=1e-9)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5)])
def test_counts_that_cannot_be_are_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="observations"):
        share_ends(k, n, 0.05)


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("n", [1, 20, 100, 605])
def test_each_end_of_a_quantile_misses_it_with_a_chance_of_at_most_alpha(
    n: int, alpha: float, q: float
) -> None:
    """The values 1 to n stand for their ranks: a value of rank r exceeds the quantile if fewer than r lie below it."""
    low, high = quantile_ends(range(1, n + 1), q, alpha)
    below = binom(n, q)
    if low is not None:
        assert below.cdf(low - 1) <= alpha
    if high is not None:
        assert below.sf(high - 1) <= alpha


def test_too_few_values_do_not_bound_a_high_quantile() -> None:
    assert quantile_ends(list(range(50)), 0.99, 0.05)[1] is None
    assert quantile_ends([], 0.5, 0.05) == (None, None)


def test_ties_make_the_ends_no_wider() -> None:
    values = np.repeat([1.0, 2.0, 3.0], [10, 80, 10])
    assert quantile_ends(list(values), 0.5, 0.05) == (2.0, 2.0)
