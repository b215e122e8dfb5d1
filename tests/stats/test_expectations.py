"""Under the null hypothesis no e-value is above 1 on average: shown by adding up every possible history."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from runner.stats import label, logic, mean, mismatch
from runner.stats.grid import Floats
from runner.stats.mean import Direction
from runner.stats.mixture import Mixture
from tests.stats.enumeration import Histories, arms, coin

PI = 0.05
LEVELS = np.array([0.0, 0.25, 1.0])
RATES = (0.01, 0.25, 0.9, 0.995)

Look = Callable[[np.ndarray], Floats]
"""From the symbols of one observation, one per world, to its increments."""


def evidence(histories: Histories, look: Look, size: int = 5, restart: bool = False) -> float:
    """Return the expectation of E after every history."""
    return histories.expectation(followed(histories, look, size, restart).log_e)


def followed(histories: Histories, look: Look, size: int = 5, restart: bool = False) -> Mixture:
    mixture = Mixture.start(size, restart, (histories.worlds,))
    for symbols in histories:
        mixture = mixture.bet(look(symbols), 1)
    return mixture


def tallies(symbols: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Read symbols of `arms` with outcomes none and event: (k, n) of the candidate and of the baseline."""
    return (symbols == 1, symbols < 2), (symbols == 3, symbols >= 2)


def levels(symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read symbols of `arms` with outcomes LEVELS: counts per level of the candidate and of the baseline."""
    both = np.eye(2 * LEVELS.size)[symbols]
    return both[:, : LEVELS.size], both[:, LEVELS.size :]


def aimed(rate: float) -> Look:
    return lambda symbols: label.increments(PI, *tallies(symbols), rate)


def test_a_share_at_its_limit_neither_gains_nor_loses() -> None:
    for direction in Direction:
        for m0 in (0.01, 0.3, 0.95):
            histories = coin(m0, 5)
            assert evidence(
                histories, lambda s, m=m0, d=direction: mean.increments(m, s, 1, d)
            ) == pytest.approx(1)


def test_a_share_on_the_good_side_of_its_limit_loses() -> None:
    assert evidence(coin(0.02, 5), lambda s: mean.increments(0.05, s, 1)) < 1
    assert evidence(coin(0.08, 5), lambda s: mean.increments(0.05, s, 1, Direction.BELOW)) < 1
    assert evidence(coin(0.08, 5), lambda s: mean.increments(0.05, s, 1)) > 1
    assert evidence(coin(0.02, 5), lambda s: mean.increments(0.05, s, 1, Direction.BELOW)) > 1


@pytest.mark.parametrize("direction", Direction)
def test_a_mean_of_scores_at_its_limit_neither_gains_nor_loses(direction: Direction) -> None:
    chances = (0.5, 0.2, 0.3)
    histories = Histories.of(chances, 5)
    m0 = float(np.dot(chances, LEVELS))
    look: Look = lambda s: mean.increments_of(m0, LEVELS, np.eye(3)[s], direction)  # noqa: E731
    assert evidence(histories, look, size=6) == pytest.approx(1)


def test_a_limit_that_nothing_exceeds_gives_no_evidence_and_one_of_zero_gives_proof() -> None:
    assert not mean.increments(1.0, 5, 5).any()
    assert not mean.increments_of(1.0, [0.3, 1.0]).any()
    assert not mean.increments(0.0, 0, 5, Direction.BELOW).any()
    assert np.all(mean.increments(0.0, 1, 5) > np.log(1e6))
    assert not mean.increments(0.0, 0, 5).any()
    assert np.all(mean.increments_of(0.0, [0.5], [1]) > np.log(1e6))
    assert not mean.increments_of(0.0, [0.0], [5]).any()
    assert np.all(mean.increments(1.0, 4, 5, Direction.BELOW) > np.log(1e6))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("restart", [False, True])
def test_two_equal_arms_neither_gain_nor_lose_however_the_test_is_aimed(rate: float, restart: bool) -> None:
    for theta in (0.01, 0.25, 0.97):
        equal = (1 - theta, theta)
        assert evidence(arms(PI, equal, equal, 5), aimed(rate), restart=restart) == pytest.approx(1)


def test_a_better_candidate_loses() -> None:
    better = arms(PI, (0.8, 0.2), (0.7, 0.3), 5)
    assert evidence(better, aimed(0.25)) == pytest.approx(0.93814, abs=1e-5)
    for rate in RATES:
        assert evidence(better, aimed(rate)) <= 1 + 1e-12


def test_a_rate_learned_from_earlier_observations_keeps_the_expectation() -> None:
    histories = arms(PI, (0.6, 0.4), (0.6, 0.4), 5)
    k, n = np.zeros(histories.worlds), np.zeros(histories.worlds)
    mixture = Mixture.start(5, shape=(histories.worlds,))
    for symbols in histories:
        candidate, baseline = tallies(symbols)
        mixture = mixture.bet(label.increments(PI, candidate, baseline, label.baseline_rate(k, n)), PI)
        k, n = k + baseline[0], n + baseline[1]
    assert histories.expectation(mixture.log_e) == pytest.approx(1)


def test_a_probability_that_changes_keeps_the_expectation() -> None:
    histories = [arms(pi, (0.7, 0.3), (0.7, 0.3), 2) for pi in (0.05, 0.5)]
    expectations = [
        evidence(h, lambda s, pi=pi: label.increments(pi, *tallies(s), 0.2))
        for h, pi in zip(histories, (0.05, 0.5), strict=True)
    ]
    assert expectations == pytest.approx([1, 1])
    alone = label.increments(1.0, (3, 20), (0, 0), 0.2)
    assert np.allclose(alone, 0, atol=1e-12)  # nothing to compare with


@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_events_at_the_declared_ratio_neither_gain_nor_lose(ratio: float) -> None:
    theta = 0.3
    histories = arms(PI, (1 - ratio * theta, ratio * theta), (1 - theta, theta), 5)
    look: Look = lambda s: label.increments_events(PI, s == 1, s == 3, ratio)  # noqa: E731
    assert evidence(histories, look) == pytest.approx(1)
    less = arms(PI, (0.9, 0.1), (1 - theta, theta), 5)
    assert evidence(less, look) < 1


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.9])
def test_satisfaction_at_the_declared_part_of_the_baselines_neither_gains_nor_loses(rate: float) -> None:
    f, satisfied = 0.9, 0.8
    look: Look = lambda s: label.increments_thinned(PI, f, *tallies(s), rate)  # noqa: E731
    at_limit = arms(PI, (f * satisfied, 1 - f * satisfied), (satisfied, 1 - satisfied), 5)
    assert evidence(at_limit, look) == pytest.approx(1)
    assert evidence(arms(PI, (0.8, 0.2), (satisfied, 1 - satisfied), 5), look) < 1
    assert evidence(arms(PI, (0.5, 0.5), (satisfied, 1 - satisfied), 5), look) > 1


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.99])
def test_scores_with_equal_means_neither_gain_nor_lose(rate: float) -> None:
    candidate, baseline = (0.5, 0.4, 0.1), (0.65, 0.2, 0.15)  # both have mean .2
    look: Look = lambda s: label.increments_scores(PI, LEVELS, *levels(s), rate)  # noqa: E731
    assert np.dot(candidate, LEVELS) == pytest.approx(np.dot(baseline, LEVELS))
    assert evidence(arms(PI, candidate, baseline, 4), look) == pytest.approx(1)
    assert evidence(arms(PI, (0.7, 0.25, 0.05), baseline, 4), look) <= 1


def test_thinned_scores_at_the_declared_part_neither_gain_nor_lose() -> None:
    f = 0.75
    baseline = (0.65, 0.2, 0.15)  # goodness .8
    candidate = (0.4, 0.2666666666666667, 0.3333333333333333)  # goodness .6
    look: Look = lambda s: label.increments_thinned_scores(PI, f, LEVELS, *levels(s), 0.2)  # noqa: E731
    assert np.dot(candidate, 1 - LEVELS) == pytest.approx(f * np.dot(baseline, 1 - LEVELS))
    assert evidence(arms(PI, candidate, baseline, 4), look) == pytest.approx(1)


def test_scores_of_zero_and_one_are_events() -> None:
    counts = ([7, 3], [60, 9])
    tally = ((3, 10), (9, 69))
    assert label.increments_scores(PI, [0, 1], *counts, 0.1) == pytest.approx(
        label.increments(PI, *tally, 0.1)
    )
    thinned = label.increments_thinned_scores(PI, 0.9, [0, 1], *counts, 0.1)
    assert thinned == pytest.approx(label.increments_thinned(PI, 0.9, *tally, 0.1))


@pytest.mark.parametrize("restart", [False, True])
def test_batches_of_any_size_keep_the_expectation(restart: bool) -> None:
    histories = coin(0.2, 9)
    mixture = Mixture.start(5, restart, (histories.worlds,))
    for batch in np.split(histories.symbols, [1, 1, 4, 8]):
        mixture = mixture.bet(mean.increments(0.2, batch.sum(axis=0), len(batch)), len(batch))
    assert histories.expectation(mixture.log_e) == pytest.approx(1)


def test_stopping_at_the_best_moment_that_can_be_seen_does_not_help() -> None:
    """Stop at log E >= 1, or at the end: the average over all histories is still 1."""
    histories = coin(0.2, 10)
    mixture = Mixture.start(5, shape=(histories.worlds,))
    stopped = np.full(histories.worlds, np.nan)
    for symbols in histories:
        mixture = mixture.bet(mean.increments(0.2, symbols, 1), 1)
        stopped = np.where(np.isnan(stopped) & (mixture.log_e >= 1), mixture.log_e, stopped)
    reached = ~np.isnan(stopped)
    assert 0 < histories.chance[reached].sum() <= np.exp(-1)
    assert histories.expectation(np.where(reached, stopped, mixture.log_e)) == pytest.approx(1)


def test_conditions_joined_by_or_and_and_stay_e_values() -> None:
    """Two metrics of the same answers, as dependent as can be."""
    histories = coin(0.1, 6)
    one = followed(histories, lambda s: mean.increments(0.1, s, 1)).log_e
    other = followed(histories, lambda s: mean.increments(0.1, 1 - s, 1, Direction.ABOVE)).log_e
    healthy = followed(histories, lambda s: mean.increments(0.15, s, 1)).log_e
    assert histories.expectation(logic.either([one, healthy])) <= 1 + 1e-12
    assert histories.expectation(logic.either([one, healthy], [3, 1])) <= 1 + 1e-12
    assert histories.expectation(other) > 1  # the other limit is broken, and yet:
    assert histories.expectation(logic.both([one, other])) <= 1 + 1e-12


def test_users_split_as_declared_give_no_evidence_of_a_mismatch_on_average() -> None:
    histories = Histories.of((0.05, 0.25, 0.7), 6)
    counts = np.stack([(histories.symbols == arm).sum(axis=0) for arm in range(3)], axis=-1)
    assert histories.expectation(mismatch.log_e(counts, (0.05, 0.25, 0.7))) == pytest.approx(1)
    assert histories.expectation(mismatch.log_e(counts, (0.1, 0.2, 0.7))) > 1


def test_a_user_in_an_arm_that_gets_nobody_is_proof() -> None:
    assert mismatch.log_e((1, 99), (0.0, 1.0)) == np.inf
    assert mismatch.log_e((0, 99), (0.0, 1.0)) == pytest.approx(0)
