"""Small seeded simulations: how often a healthy candidate is rolled back, and how soon a bad one is.

The worlds and the loop are those of `make bench-decisions`, which takes minutes; a wrong formula shows here in
seconds. Every seed is fixed, so a run is either always green or always red; `THREE_SIGMA` says how far from the
truth a correct formula may land at these sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest

from benchmarks.decisions import cases, naive
from benchmarks.decisions.evidence import ALPHA, Absolute, AnyOf, EProcess, Proof, Relative, SessionMean
from benchmarks.decisions.naive import Flagger, Looking
from benchmarks.decisions.trials import Delays, Extent, Phase, Rule, alarms, delays
from benchmarks.decisions.worlds import (
    DISSATISFIED,
    ERROR,
    RAMP,
    Course,
    NoTraffic,
    OneArm,
    Sessions,
    Signal,
    TwoArms,
    World,
)

REPLICATES, LOOKS = 1_500, 3_000
THREE_SIGMA = 3 * sqrt(ALPHA * (1 - ALPHA) / REPLICATES)

EQUAL = cases.two()
BAD = TwoArms({ERROR: Signal(0.01, 0.05)})


def false_rollbacks(world: World, rule: Rule, replicates: int = REPLICATES, looks: int = LOOKS) -> float:
    return alarms(world, rule, [Phase(looks, replicates)], np.random.default_rng(7)).probability


def found(world: World, test: EProcess, change: int = 0, replicates: int = 600) -> Delays:
    extent = Extent(replicates, change + 20_000, change)
    return delays(world, Proof(test), extent, np.random.default_rng(11))


@pytest.mark.parametrize(
    ("world", "test"),
    [
        pytest.param(OneArm(0.05), lambda: Absolute(limit=0.05), id="a share at its limit"),
        pytest.param(cases.two(Course.OUTAGES, rate=0.05), Relative, id="two arms that fail together"),
        pytest.param(cases.two(Course.DOUBLING, RAMP), Relative, id="a ramp while the base rate doubles"),
        pytest.param(Sessions(0.05, 0.2), lambda: SessionMean(limit=0.05), id="sessions of alike requests"),
    ],
)
def test_a_healthy_candidate_is_rolled_back_in_at_most_one_of_a_hundred_rollouts(
    world: World, test: Callable[[], EProcess]
) -> None:
    assert false_rollbacks(world, Proof(test())) <= ALPHA + THREE_SIGMA


def test_a_candidate_that_keeps_the_margin_is_not_rolled_back() -> None:
    at_the_margin = TwoArms({DISSATISFIED: Signal(0.2, 1 - 0.9 * 0.8)})
    thinned = Proof(Relative(signal=DISSATISFIED, f=0.9))
    assert false_rollbacks(at_the_margin, thinned, 750) <= ALPHA + THREE_SIGMA * sqrt(2)


def test_conditions_joined_by_or_share_one_budget_of_false_rollbacks() -> None:
    signals = "abcdefghijkl"  # twelve whole budgets would be spent in one of twenty rollouts
    many = TwoArms({name: Signal(0.2, 0.2) for name in signals})
    any_of = AnyOf([Relative(signal=name) for name in signals])
    assert false_rollbacks(many, Proof(any_of), 500, 600) <= ALPHA + THREE_SIGMA * sqrt(3)


def test_a_share_two_points_over_its_limit_is_rolled_back_in_the_same_number_of_looks() -> None:
    """Without it the tests above would pass with evidence that never grows."""
    assert false_rollbacks(OneArm(0.05), Proof(Absolute(limit=0.03)), 300) > 0.9


@pytest.mark.parametrize(
    ("world", "test", "bound"),
    [
        (OneArm(0.05), lambda: Absolute(limit=0.01), cases.bound_absolute(0.01, 0.05)),
        (OneArm(0.10), lambda: Absolute(limit=0.05), cases.bound_absolute(0.05, 0.10)),
        (BAD, Relative, cases.bound_relative(0.05, 0.01)),
        (TwoArms({ERROR: Signal(0.2, 0.28)}), Relative, cases.bound_relative(0.28, 0.2)),
    ],
    ids=["1% to 5%", "5% to 10%", "two arms, 1% to 5%", "two arms, 20% to 28%"],
)
def test_a_bad_candidate_is_found_close_to_the_least_possible_number_of_requests(
    world: World, test: Callable[[], EProcess], bound: float
) -> None:
    mean = found(world, test()).mean
    assert mean is not None
    assert bound < mean <= 1.6 * bound


def test_the_bounds_are_those_of_the_table() -> None:
    absolute = [cases.bound_absolute(*pair) for pair in ((0.01, 0.05), (0.01, 0.02), (0.05, 0.10))]
    relative = [cases.bound_relative(*pair) for pair in ((0.05, 0.01), (0.02, 0.01), (0.28, 0.20))]
    assert [round(bound) for bound in (*absolute, *relative)] == [112, 1177, 223, 123, 1256, 265]


def test_capital_held_back_finds_a_late_change_much_sooner() -> None:
    late = OneArm(0.003, change=5_000, late=0.05)
    restarted, not_restarted = (
        found(late, Absolute(limit=0.01, restart=restart), 5_000, 200).median for restart in (True, False)
    )
    assert restarted is not None
    assert not_restarted is not None
    assert 3 * restarted < not_restarted


@pytest.mark.parametrize(
    ("world", "judge", "least", "known"),
    [
        (OneArm(0.03), naive.above(0.05), 50, 0.24),
        (OneArm(0.04), naive.above(0.05), 50, 0.53),
        (EQUAL, naive.more_often(1.5), 50, 0.57),
        (EQUAL, naive.more_often(1.5), 500, 0.22),
        (TwoArms({DISSATISFIED: Signal(0.2, 0.2)}), naive.less_satisfied(1.0), 50, 0.99),
    ],
    ids=["above 5%, 3%", "above 5%, 4%", "1.5 times", "1.5 times from 500 on", "less satisfied"],
)
def test_a_point_estimate_rolls_healthy_candidates_back_on_the_same_traffic(
    world: World, judge: naive.Judge, least: int, known: float
) -> None:
    assert false_rollbacks(world, Looking(judge, least), 500, 5_000) == pytest.approx(known, abs=0.2)


def test_a_test_of_fixed_size_looked_at_again_and_again_errs_far_more_often_than_it_says() -> None:
    assert false_rollbacks(OneArm(0.05), Looking(naive.binomial(0.05, 0.01, LOOKS)), 1_000) > 5 * ALPHA


def test_without_traffic_the_evidence_does_not_move_and_windows_that_fail_without_data_roll_back() -> None:
    nobody = NoTraffic((ERROR,))
    assert false_rollbacks(nobody, Proof(Relative()), 10) == 0.0
    assert false_rollbacks(nobody, Flagger(naive.more_often(1.5), window=50), 10) == 1.0


def test_requests_of_one_session_are_no_independent_evidence() -> None:
    assert false_rollbacks(Sessions(0.05, 0.2), Proof(Absolute(limit=0.05)), 300) > 0.5
