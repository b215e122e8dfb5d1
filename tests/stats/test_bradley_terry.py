"""Strengths from comparisons: known solutions, symmetries, and the refusal to invent a number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.stats.bradley_terry import Comparison, Result, chance, rank, strengths

FIRST, SECOND, TIE = Result.FIRST, Result.SECOND, Result.TIE


def duels(first: str, second: str, won: int, lost: int, ties: int = 0) -> list[Comparison]:
    results = [FIRST] * won + [SECOND] * lost + [TIE] * ties
    return [Comparison(first, second, result) for result in results]


THREE = duels("a", "b", 6, 4) + duels("a", "c", 7, 3) + duels("b", "c", 5, 5)


def test_of_two_the_difference_is_the_log_of_the_odds() -> None:
    found = strengths(duels("a", "b", 70, 30))
    assert found["a"] - found["b"] == pytest.approx(0.847298, abs=1e-6)
    assert chance(found, "a", "b") == pytest.approx(0.7)


def test_three_with_a_known_solution() -> None:
    found = strengths(THREE)
    assert list(found) == ["a", "b", "c"]
    assert list(found.values()) == pytest.approx([0.41317, -0.13777, -0.27540], abs=1e-5)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 50))
def test_a_tie_is_half_a_win_for_each(won: int, lost: int, ties: int) -> None:
    found = strengths(duels("a", "b", won, lost, ties))
    odds = (won + ties / 2) / (lost + ties / 2)
    assert found["a"] - found["b"] == pytest.approx(math.log(odds), abs=1e-6)


@given(st.permutations(THREE))
def test_neither_order_nor_side_matters(comparisons: list[Comparison]) -> None:
    other = {FIRST: SECOND, SECOND: FIRST, TIE: TIE}
    turned = [Comparison(each.second, each.first, other[each.result]) for each in comparisons]
    expected = strengths(THREE)
    assert strengths(comparisons) == pytest.approx(expected)
    assert strengths(turned) == pytest.approx(expected)


def test_those_who_never_lost_are_named_instead_of_given_a_number() -> None:
    comparisons = duels("a", "b", 3, 3) + duels("a", "c", 4, 0) + duels("b", "c", 2, 0)
    with pytest.raises(TerminalError) as caught:
        strengths(comparisons)
    message = str(caught.value)
    assert "a, b: never lost to the others" in message
    assert "c: never won against the others" in message


def test_those_who_never_met_are_named() -> None:
    with pytest.raises(TerminalError, match="a, b: never met the others"):
        rank(duels("a", "b", 1, 1) + duels("c", "d", 1, 1), np.random.default_rng(0))


def test_regularisation_gives_a_number_where_it_is_asked_for() -> None:
    found = strengths(duels("a", "b", 5, 0), regularisation=0.5)
    assert 0.0 < found["a"] - found["b"] < 10.0


def test_intervals_hold_the_value_and_come_again_from_the_same_seed() -> None:
    ranked = rank(THREE, np.random.default_rng(3), resamples=200)
    assert ranked == rank(THREE, np.random.default_rng(3), resamples=200)
    assert [each.name for each in ranked] == ["a", "b", "c"]
    assert all(each.low < each.value < each.high for each in ranked)
    assert [(each.wins, each.comparisons) for each in ranked] == [(13.0, 20), (9.0, 20), (8.0, 20)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_resample_without_bounds_widens_the_interval_and_does_not_stop_it(seed: int) -> None:
    ranked = rank(duels("a", "b", 4, 1), np.random.default_rng(seed), resamples=50)
    assert all(math.isfinite(each.low) and math.isfinite(each.high) for each in ranked)
    assert ranked[0].high > math.log(4)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth, covered = 0.4, 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        won = int(generator.binomial(200, 1 / (1 + math.exp(-2 * truth))))
        first = rank(duels("a", "b", won, 200 - won), generator, resamples=100)
        one = next(each for each in first if each.name == "a")
        covered += one.low <= truth <= one.high
    assert covered >= 50


def test_nothing_to_compare_is_said() -> None:
    with pytest.raises(TerminalError, match="nothing was compared"):
        strengths([])
    with pytest.raises(TerminalError, match="compared with itself"):
        strengths(duels("a", "a", 1, 1))
