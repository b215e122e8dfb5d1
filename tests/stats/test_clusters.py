"""Evidence by cluster: it agrees with its interval, counts clusters and not outcomes, and holds at every look."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.stats.clusters import Clusters

ALPHA = 0.05
rows = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=15)


@given(rows)
def test_the_evidence_is_one_by_alpha_where_the_interval_ends(found: list[tuple[int, int]]) -> None:
    n = np.array([float(n) for _, n in found])
    clusters = Clusters.of(np.minimum([float(k) for k, _ in found], n), n)
    low, high = clusters.interval(ALPHA)
    assert low <= clusters.mean <= high
    if np.isfinite(high) and high - low > 1e-6:
        for end in (float(low), float(high)):
            assert clusters.evidence(end) == pytest.approx(1 / ALPHA, rel=1e-3)


@given(rows.filter(lambda found: len(found) > 1))
def test_without_each_is_as_if_that_one_was_not_there(found: list[tuple[int, int]]) -> None:
    k, n = (np.array(each, dtype=float) for each in zip(*found, strict=True))
    without = Clusters.without_each(k, n)
    for at in range(len(n)):
        alone = Clusters.of(np.delete(k, at), np.delete(n, at))
        assert without.mean[at] == pytest.approx(float(alone.mean))
        assert without.evidence(0.5)[at] == pytest.approx(float(alone.evidence(0.5)), rel=1e-6)


def test_one_cluster_says_nothing_however_much_it_holds() -> None:
    for size in (1.0, 1000.0):
        assert Clusters.of([0.9 * size], [size]).evidence(0.5) == pytest.approx(1.0)
    assert not Clusters.of([900.0, 1.0], [1000.0, 1.0]).is_bounded(ALPHA)
    assert Clusters.of([3.0] * 4, [4.0] * 4).is_bounded(ALPHA)


def test_the_truth_is_hardly_ever_left_out_at_any_look() -> None:
    chance = np.random.default_rng(1)
    missed = 0
    for _ in range(400):
        deviations = chance.normal(0.5, 0.2, 40)
        looks = (Clusters.of(deviations[:upto], np.ones(upto)) for upto in range(2, 41))
        missed += any(each.evidence(0.5) >= 1 / ALPHA for each in looks)
    assert missed / 400 <= ALPHA
