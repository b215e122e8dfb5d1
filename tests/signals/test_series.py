"""A series that leaves its normal range is told at once; tails, level and gaps of the past are taken into account."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.signals.series import Upper, evidence, first_alarm

LEARN, RECENT = 200, 6
AT = 700


def noise(seed: int, n: int = 1000) -> np.ndarray:
    return np.random.default_rng(seed).normal(100.0, 5.0, n)


@pytest.mark.parametrize("by", [60.0, -60.0], ids=["up", "down"])
@pytest.mark.parametrize("lasting", [1, 50], ids=["one point", "many points"])
def test_a_point_far_from_everything_seen_raises_the_alarm_at_once(by: float, lasting: int) -> None:
    values = noise(1)
    values[AT : AT + lasting] += by
    assert first_alarm(values, LEARN, RECENT) == AT


def test_a_fall_is_told_in_a_series_that_drifts_where_a_fixed_threshold_sees_nothing() -> None:
    values = noise(2) + np.linspace(0.0, 300.0, 1000)
    values[AT] -= 60.0
    assert first_alarm(values, LEARN, 6) == AT
    low = values[:LEARN].mean() - 3 * values[:LEARN].std()
    assert values[AT] > low


def test_normal_series_seldom_raise_it_even_with_heavy_tails() -> None:
    normal = [first_alarm(noise(seed), LEARN, RECENT) for seed in range(40)]
    assert sum(alarm is not None for alarm in normal) <= 6

    tails = [np.random.default_rng(seed).standard_t(4, 1000) for seed in range(40)]
    ours = sum(first_alarm(x, 500, RECENT) is not None for x in tails)
    three_sd = sum(np.any(np.abs(x[500:] - x[:500].mean()) > 3 * x[:500].std()) for x in tails)
    assert ours < three_sd / 2


def test_the_past_alone_decides_so_what_comes_later_changes_nothing() -> None:
    values = noise(3)
    changed = values.copy()
    changed[AT:] = 1e6
    assert np.array_equal(evidence(values, LEARN, RECENT)[:AT], evidence(changed, LEARN, RECENT)[:AT])


def test_nothing_is_said_of_the_points_that_are_learned_from() -> None:
    values = noise(4)
    values[50] = 1e6
    assert not evidence(values, LEARN, RECENT)[:LEARN].any()


def test_missing_points_are_no_evidence_and_are_not_learned_from() -> None:
    values = noise(5)
    values[300:310] = np.nan
    values[AT] += 60.0
    logs = evidence(values, LEARN, RECENT)
    assert np.isfinite(logs).all()
    assert not logs[300:310].any()
    assert first_alarm(values, LEARN, RECENT) == AT


@pytest.mark.parametrize("past", [[0.0], [np.nan]], ids=["constant", "missing"])
def test_a_past_without_any_spread_raises_nothing_by_itself(past: list[float]) -> None:
    assert first_alarm(past * 500, LEARN, RECENT) is None


def test_one_event_after_a_short_quiet_past_is_too_little() -> None:
    values = np.zeros(300)
    values[250] = 1.0
    assert first_alarm(values, LEARN, RECENT) is None


@settings(max_examples=20)
@given(st.floats(0.001, 1000.0), st.floats(-1e4, 1e4))
def test_the_unit_of_a_series_makes_no_difference(unit: float, zero: float) -> None:
    values = noise(6, 400)
    assert evidence(values * unit + zero, LEARN, RECENT) == pytest.approx(
        evidence(values, LEARN, RECENT), abs=0.05
    )


def test_p_falls_with_the_value_and_is_the_rank_inside_the_past() -> None:
    past = noise(7, 400)
    upper = Upper.fit(past)
    p = upper.p(np.linspace(60.0, 200.0, 500))
    assert np.all(np.diff(p) <= 1e-12)
    assert upper.p(np.array([np.median(past)]))[0] == pytest.approx(0.5, abs=0.01)
    assert upper.p(np.array([past.max() + 50.0]))[0] < 1e-4


def test_the_tail_of_an_exponential_past_is_extrapolated_about_right() -> None:
    p = [
        Upper.fit(np.random.default_rng(seed).exponential(1.0, 4000)).p(np.array([np.log(1e4)]))[0]
        for seed in range(40)
    ]
    assert 2e-5 < np.median(p) < 3e-4


def test_too_short_a_start_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        evidence(noise(8), 1, RECENT)
