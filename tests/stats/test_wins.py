"""The interval of a win rate: its chance of a wrong end, counted over every outcome there is."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from functools import cache
from math import comb

import pytest

from runner.stats.intervals import mean_interval
from runner.stats.wins import wins_interval

N = 12
ALPHA = 0.05


@cache
def ends(wins: int, ties: int, losses: int) -> tuple[float, float]:
    return wins_interval(wins, ties, losses, ALPHA)


def outcomes(n: int) -> list[tuple[int, int, int]]:
    return [(w, t, n - w - t) for w in range(n + 1) for t in range(n + 1 - w)]


def chance(outcome: tuple[int, int, int], win: float, tie: float) -> float:
    w, t, l = outcome  # noqa: E741 - wins, ties, losses
    return comb(w + t + l, w) * comb(t + l, t) * win**w * tie**t * max(0.0, 1.0 - win - tie) ** l


def test_each_end_is_wrong_with_no_more_than_its_chance_for_any_share_of_ties() -> None:
    worst = 0.0
    for win, tie in itertools.product([i / 20 for i in range(21)], repeat=2):
        if win + tie > 1.0 + 1e-9:
            continue
        mean = win + tie / 2
        missed = sum(chance(each, win, tie) for each in outcomes(N) if ends(*each)[0] > mean + 1e-9)
        worst = max(worst, missed)
    assert 0.6 * ALPHA < worst <= ALPHA


def test_the_upper_end_is_the_lower_one_of_the_other_side() -> None:
    for wins, ties, losses in outcomes(N):
        low, high = ends(wins, ties, losses)
        assert (1.0 - high, 1.0 - low) == pytest.approx(ends(losses, ties, wins), abs=1e-9)
        assert 0.0 <= low <= (wins + ties / 2) / N <= high <= 1.0


def test_a_win_more_moves_both_ends_up() -> None:
    for wins, ties, losses in outcomes(N):
        if losses:
            more = ends(wins + 1, ties, losses - 1)
            assert all(one <= other + 1e-9 for one, other in zip(ends(wins, ties, losses), more, strict=True))


def test_one_look_tells_more_than_an_interval_for_every_look_and_ties_make_it_narrower() -> None:
    low, high = wins_interval(120, 0, 80, ALPHA)
    always = mean_interval(120, 200, 2 * ALPHA)
    assert always[0] < low and high < always[1] and low > 0.5
    tied = wins_interval(60, 120, 20, ALPHA)
    assert low < tied[0] and tied[1] < high


def test_nothing_seen_says_nothing_and_ties_alone_say_one_half() -> None:
    assert wins_interval(0, 0, 0, ALPHA) == (0.0, 1.0)
    low, high = wins_interval(0, 400, 0, ALPHA)
    assert 0.49 < low < 0.5 < high < 0.51


@pytest.mark.parametrize(("mean", "least"), [(0.6, 0.8), (0.65, 0.99), (0.75, 0.9999)])
def test_two_hundred_questions_prove_a_clear_preference(mean: float, least: float) -> None:
    """The chance that the lower end lies above one half, ties aside: the policy's gate."""
    needed = bisect_left(
        range(201), True, lo=100, hi=130, key=lambda wins: ends(wins, 0, 200 - wins)[0] > 0.5
    )
    power = sum(comb(200, wins) * mean**wins * (1 - mean) ** (200 - wins) for wins in range(needed, 201))
    assert power > least
