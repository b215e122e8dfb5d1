"""A divergence is not mistaken for one where nothing changed, and says how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.drift.divergence import Band, Divergence, band, divergence


@pytest.mark.parametrize(("topics", "n", "m"), [(8, 300, 400), (20, 500, 2000), (77, 2000, 5000)])
def test_without_drift_it_is_zero_on_average_and_its_error_is_told(topics: int, n: int, m: int) -> None:
    rng = np.random.default_rng(topics)
    mix = rng.dirichlet(np.full(topics, 5.0))
    found = [divergence(rng.multinomial(n, mix), rng.multinomial(m, mix)) for _ in range(400)]
    values = np.array([each.value for each in found], dtype=float)
    bias = (topics - 1) / 2 * (1 / n + 1 / m)
    assert abs(values.mean()) < 0.15 * bias
    assert all(each.low is not None and each.low < 0.1 for each in found)


def test_with_drift_it_is_near_the_truth_and_the_lower_bound_is_mostly_below_it() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.full(20, 3.0)), rng.dirichlet(np.full(20, 3.0))
    truth = float(np.sum(p * np.log(p / q)))
    found = [divergence(rng.multinomial(1500, p), rng.multinomial(3000, q)) for _ in range(400)]
    assert np.mean([each.value for each in found if each.value]) == pytest.approx(truth, rel=0.03)
    assert 0.92 <= np.mean([each.low is not None and each.low <= truth for each in found]) <= 0.98


def test_few_questions_are_insufficient_and_never_drift() -> None:
    found = divergence([10, *[0] * 19], [5] * 20)
    assert (found.value, found.low, found.n, found.needed) == (None, None, 10, 380)
    assert band(found, changed=True) is Band.NONE


@pytest.mark.parametrize(
    ("value", "changed", "expected"),
    [(0.09, True, Band.NONE), (0.3, False, Band.NONE), (0.3, True, Band.SLIGHT), (0.9, True, Band.DRIFT)],
)
def test_a_band_needs_a_proven_change_and_a_size(value: float, changed: bool, expected: Band) -> None:
    assert band(Divergence(value, 0.01, 1000, 100), changed) is expected


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=30))
def test_any_counts_give_a_finite_answer_or_say_that_there_are_too_few(pairs: list[tuple[int, int]]) -> None:
    counts, reference = np.array(pairs).T
    if reference.sum() == 0:
        with pytest.raises(ValueError, match="not empty"):
            divergence(counts, reference)
        return
    found = divergence(counts, reference)
    assert (found.value is None) == (counts.sum() < max(found.needed, 1))
    assert found.value is None or (
        np.isfinite(found.value) and found.low is not None and found.low <= found.value
    )


def test_different_topics_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same topics"):
        divergence([1, 2], [1, 2, 3])
