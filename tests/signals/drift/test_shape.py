"""Answers that grow longer, change language or repeat themselves show in counts that add up."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import ceil, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.drift.shape import PAIRS, diversity, output_drift, rarefied
from runner.stats.quantiles import ACCURACY


def lengths(values: np.ndarray) -> Counter[int]:
    return Counter(ceil(log(each) / log((1 + ACCURACY) / (1 - ACCURACY))) for each in values)


def test_the_same_kind_of_answers_has_no_drift_and_longer_ones_have() -> None:
    rng = np.random.default_rng(0)
    before, same = (lengths(rng.lognormal(5, 0.6, 4000)) for _ in range(2))
    longer = lengths(rng.lognormal(5.6, 0.6, 4000))
    quiet = output_drift(same, {"en": 4000}, before, {"en": 4000})
    moved = output_drift(longer, {"en": 4000}, before, {"en": 4000})
    assert quiet is not None and quiet.greater.value == pytest.approx(0.0, abs=0.01)
    assert moved is not None and moved.length.value == pytest.approx(0.5, abs=0.06)  # (0.6 / 0.6)^2 / 2
    assert moved.greater is moved.length


def test_another_language_is_drift_though_lengths_are_the_same() -> None:
    same = {100: 500, 120: 500}
    found = output_drift(same, {"en": 500, "ko": 500}, same, {"en": 950, "ko": 50})
    assert found is not None and found.greater is found.language
    assert found.language.low is not None and found.language.low > 0.5


def test_few_answers_are_insufficient_and_none_before_are_no_comparison() -> None:
    found = output_drift({10: 3, 90: 2}, {"en": 2, "ko": 1}, {10: 100, 90: 100}, {"en": 100, "ko": 100})
    assert found is not None and found.greater.value is None
    assert output_drift({10: 100}, {"en": 100}, {}, {}) is None


def test_rarefaction_is_the_mean_over_all_samples() -> None:
    counts = [4, 2, 1, 0]
    items = [kind for kind, many in enumerate(counts) for _ in range(many)]
    every = [len(set(sample)) / 3 for sample in combinations(items, 3)]
    assert float(rarefied(counts, 3)) == pytest.approx(np.mean(every))


@given(st.lists(st.integers(0, 60), min_size=20, max_size=60), st.integers(2, 5))
def test_more_of_the_same_pairs_are_no_more_diverse(counts: list[int], times: int) -> None:
    whole = np.array(counts)
    if whole.sum() < PAIRS:
        assert diversity(whole) is None
        return
    once, often = diversity(whole), diversity(whole * times)
    assert once is not None and often is not None and often.n == times * once.n
    assert 0 < often.value <= once.value + 1e-12 <= 1 + 1e-9


def test_the_interval_covers_the_diversity_that_more_hours_would_show() -> None:
    rng = np.random.default_rng(4)
    mix = rng.dirichlet(np.full(1024, 0.3))
    truth = (1 - (1 - mix) ** PAIRS).sum() / PAIRS
    covered = 0
    for seed in range(25):
        found = diversity(rng.multinomial(400, mix, size=24), seed)
        assert found is not None and found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 20


def test_few_hours_have_a_value_and_no_interval() -> None:
    found = diversity(np.ones((2, 1024)))
    assert found is not None and (found.low, found.high) == (None, None)
