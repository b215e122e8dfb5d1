"""The distance of means tells a moved mean from chance, exactly as often as it says."""

from __future__ import annotations

import numpy as np

from runner.signals.drift.shift import shift


def test_the_share_of_small_p_without_a_shift_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    found = [shift(rng.normal(size=(30, 8)), rng.normal(size=(50, 8)), 199, seed) for seed in range(200)]
    small = np.mean([each is not None and each.p <= 0.1 for each in found])
    assert 0.05 <= small <= 0.16


def test_a_moved_mean_is_found_where_every_topic_keeps_its_share() -> None:
    rng = np.random.default_rng(1)
    found = shift(rng.normal(size=(200, 16)) + 0.2, rng.normal(size=(400, 16)))
    assert found is not None and found.p < 0.01 and found.distance > 0.5


def test_the_same_seed_gives_the_same_and_p_is_never_zero() -> None:
    rng = np.random.default_rng(2)
    near, far = rng.normal(size=(20, 4)), rng.normal(size=(20, 4)) + 9
    assert shift(near, far, 100, 7) == shift(near, far, 100, 7)
    assert (found := shift(near, far, 100, 7)) is not None and found.p == 1 / 101


def test_one_question_has_no_mean_to_speak_of() -> None:
    assert shift(np.ones((1, 3)), np.ones((5, 3))) is None
