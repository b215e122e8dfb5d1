"""What a decision will take: theory's bounds, and estimates against simulated rollouts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from runner.stats import effort, label, mean
from runner.stats.grid import Floats
from runner.stats.mean import Direction
from runner.stats.mixture import Mixture

ROLL_BACK, ADVANCE = float(np.log(100)), float(np.log(20))
WORLDS = 400
PI = 0.05

Batch = Callable[[int], Floats]
"""Draws a batch of so many observations (of the candidate, on average) in every world, as increments."""


@pytest.mark.parametrize(
    ("growth", "bound"),
    [
        (effort.mean_growth(0.05, 0.01), 112),
        (effort.mean_growth(0.02, 0.01), 1177),
        (effort.mean_growth(0.10, 0.05), 223),
        (effort.label_growth(PI, 0.05, 0.01) / PI, 123),
        (effort.label_growth(PI, 0.02, 0.01) / PI, 1256),
        (effort.label_growth(PI, 0.28, 0.20) / PI, 265),
    ],
)
def test_no_test_can_be_faster_than_entropy_allows(growth: Floats, bound: int) -> None:
    assert ROLL_BACK / float(growth) == pytest.approx(bound, abs=0.6)


@pytest.mark.parametrize("pi", [PI, 0.5])
def test_the_best_bet_grows_nearly_as_fast_as_entropy_allows(pi: float) -> None:
    """Expected increments of one observation, when the rate is known: how well tests are aimed."""
    worse, usual, f = 0.4, 0.2, 0.9
    tallies = (pi * worse, pi), ((1 - pi) * usual, 1 - pi)
    best = label.increments(pi, *tallies, usual).max()
    assert 0.9 <= best / effort.label_growth(pi, worse, usual) <= 1
    thinned = label.increments_thinned(pi, f, *tallies, usual).max()
    assert thinned >= 0.9 * effort.label_growth(pi, worse, 1 - f * (1 - usual))


def test_growth_is_nothing_without_a_difference_and_known_at_the_ends() -> None:
    assert effort.mean_growth(0.3, 0.3) == pytest.approx(0)
    assert effort.label_growth(PI, 0.3, 0.3) == pytest.approx(0)
    assert effort.mean_growth([0.0, 1.0], 0.25) == pytest.approx([-np.log(0.75), -np.log(0.25)])


def simulated(start: Mixture, batch: Batch, log_bound: float, step: int) -> float:
    """Return the average number of observations until the bound, over worlds that go on from `start`."""
    mixture = Mixture(
        *(np.broadcast_to(part, (WORLDS, *part.shape)) for part in (start.logs, start.free, start.seen))
    )
    taken = np.zeros(WORLDS)
    going = np.ones(WORLDS, dtype=bool)
    while going.any():
        mixture = mixture.bet(batch(step), step)
        taken += step * going
        going &= mixture.log_e < log_bound
    return float(taken.mean())


def outcomes(m0: float, p: float, direction: Direction = Direction.ABOVE) -> Batch:
    rng = np.random.default_rng(5)
    return lambda n: mean.increments(m0, rng.binomial(n, p, WORLDS), n, direction)


def two_arms(pi: float, candidate: float, baseline: float) -> Batch:
    rng = np.random.default_rng(6)

    def batch(n: int) -> Floats:
        total = round(n / pi)
        n_c = rng.binomial(total, pi, WORLDS)
        k_c, k_b = rng.binomial(n_c, candidate), rng.binomial(total - n_c, baseline)
        return label.increments(pi, (k_c, n_c), (k_b, total - n_c), baseline)

    return batch


def within_half_again(estimate: int | None, truth: float) -> bool:
    return estimate is not None and truth / 1.5 <= estimate <= truth * 1.5


@pytest.mark.parametrize(("m0", "p"), [(0.01, 0.05), (0.01, 0.02), (0.05, 0.10)])
def test_the_estimate_for_a_broken_limit_is_about_right(m0: float, p: float) -> None:
    start = Mixture.start(5)
    estimate = effort.needed_mean(start, m0, p, ROLL_BACK)
    assert within_half_again(estimate, simulated(start, outcomes(m0, p), ROLL_BACK, 4))


def test_the_estimate_for_a_limit_that_is_kept_is_about_right() -> None:
    start = Mixture.start(5, restart=False)
    estimate = effort.needed_mean(start, 0.05, 0.01, ADVANCE, Direction.BELOW)
    truth = simulated(start, outcomes(0.05, 0.01, Direction.BELOW), ADVANCE, 4)
    assert within_half_again(estimate, truth)


@pytest.mark.parametrize(
    ("pi", "candidate", "baseline"),
    [(PI, 0.05, 0.01), (PI, 0.28, 0.20), (0.5, 0.05, 0.01), (0.5, 0.28, 0.20)],
)
def test_the_estimate_for_a_worse_candidate_is_about_right(
    pi: float, candidate: float, baseline: float
) -> None:
    start = Mixture.start(5)
    estimate = effort.needed_label(start, pi, candidate, baseline, ROLL_BACK)
    assert within_half_again(estimate, simulated(start, two_arms(pi, candidate, baseline), ROLL_BACK, 4))


@pytest.mark.parametrize(("candidate", "baseline"), [(0.05, 0.01), (0.28, 0.20), (0.6, 0.4)])
@pytest.mark.parametrize("pi", [PI, 0.5])
def test_the_estimate_is_at_most_half_again_what_entropy_allows(
    pi: float, candidate: float, baseline: float
) -> None:
    bound = ROLL_BACK / float(effort.label_growth(pi, candidate, baseline) / pi)
    estimate = effort.needed_label(Mixture.start(5), pi, candidate, baseline, ROLL_BACK)
    assert estimate is not None
    assert 1 <= estimate / bound <= 1.5


def test_the_estimate_after_a_long_healthy_past_counts_on_restarts() -> None:
    start = Mixture.start(5).bet(mean.increments(0.01, 200, 20_000), 20_000)
    estimate = effort.needed_mean(start, 0.01, 0.05, ROLL_BACK)
    truth = simulated(start, outcomes(0.01, 0.05), ROLL_BACK, 10)
    assert within_half_again(estimate, truth)
    without = Mixture.start(5, restart=False).bet(mean.increments(0.01, 100, 20_000), 20_000)
    late = effort.needed_mean(without, 0.01, 0.05, ROLL_BACK)
    assert late is not None
    assert estimate is not None
    assert late > 2 * estimate


def test_a_decision_half_way_takes_less_and_one_that_is_made_takes_nothing() -> None:
    start = Mixture.start(5)
    half = start.bet(mean.increments(0.01, 3, 60), 60)
    done = start.bet(mean.increments(0.01, 60, 60), 60)
    fresh, rest = (effort.needed_mean(one, 0.01, 0.05, ROLL_BACK) for one in (start, half))
    assert fresh is not None
    assert rest is not None
    assert 0 < rest < fresh
    assert effort.needed_mean(done, 0.01, 0.05, ROLL_BACK) == 0


def test_a_healthy_candidate_is_never_proven_bad() -> None:
    assert effort.needed_mean(Mixture.start(5), 0.05, 0.01, ROLL_BACK) is None
    assert effort.needed_mean(Mixture.start(5), 0.05, 0.10, ADVANCE, Direction.BELOW) is None
    assert effort.needed_label(Mixture.start(5), PI, 0.01, 0.01, ROLL_BACK) is None
