"""Many hypotheses at once, against trying every number of rejections."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runner.stats.multiple import e_bh


def tried_out(es: list[float], alpha: float) -> int:
    """Return the greatest k for which at least k e-values reach K / (k alpha)."""
    return max(
        (k for k in range(1, len(es) + 1) if sum(e * k * alpha >= len(es) for e in es) >= k), default=0
    )


@given(st.lists(st.floats(0, 1e4) | st.just(np.inf), max_size=12), st.sampled_from([0.01, 0.1, 0.5]))
def test_the_most_that_may_be_rejected_is_and_the_largest_first(es: list[float], alpha: float) -> None:
    rejected = e_bh(es, alpha)
    kept = [e for i, e in enumerate(es) if i not in rejected]
    assert len(rejected) == tried_out(es, alpha)
    assert rejected == sorted(rejected)
    assert not rejected or not kept or min(es[i] for i in rejected) >= max(kept)


def test_one_alone_needs_one_in_alpha_times_their_number() -> None:
    assert e_bh([1, 399, 1, 1], 0.01) == []
    assert e_bh([1, 400, 1, 1], 0.01) == [1]
    assert e_bh([200, 1, 200, 1], 0.01) == [0, 2]


def test_few_true_hypotheses_are_rejected_on_average() -> None:
    """Half of 10 hypotheses true; e-values are likelihood ratios of normal values, all of one world dependent."""
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(2000, 1))
    x = 0.6 * shared + 0.8 * rng.normal(size=(2000, 10))
    x[:, 5:] += 4.0
    es = np.exp(3.0 * x - 4.5)
    false = [np.mean(np.array(found) < 5) if (found := e_bh(world, 0.1)) else 0.0 for world in es]
    assert np.mean(false) <= 0.1
    assert np.mean([len(e_bh(world, 0.1)) for world in es]) > 2
