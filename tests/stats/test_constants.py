"""Figures computed elsewhere: by the R package confseq, and by hand for the design of this project."""

from __future__ import annotations

import numpy as np
import pytest

from runner.stats import label, mean, mismatch
from runner.stats.boundaries import BetaBinomial, Sides, normal_bound, normal_rho
from runner.stats.grid import Floats
from runner.stats.mixture import Mixture, placed_by


def log_e(increments: Floats) -> float:
    return float(Mixture.start(increments.shape[-1], restart=False).bet(increments, 1).log_e)


@pytest.mark.parametrize(
    ("m0", "k", "n", "expected"),
    [(0.05, 10, 100, 1.070825), (0.05, 0, 100, -2.088557), (0.01, 5, 100, 2.744145)],
)
def test_a_share_against_a_limit(m0: float, k: int, n: int, expected: float) -> None:
    assert log_e(mean.increments(m0, k, n)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, 2.299470), (1.5, 1.217279)])
def test_events_of_two_arms(ratio: float, expected: float) -> None:
    assert log_e(label.increments_events(0.05, 5, 20, ratio)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("counts", "expected"), [((450, 9550), 0.416757), ((400, 9600), 8.928511)])
def test_a_split_that_is_not_as_declared(counts: tuple[int, int], expected: float) -> None:
    assert float(mismatch.log_e(counts, (0.05, 0.95))) == pytest.approx(expected, abs=1e-6)


def test_the_pace_of_restarts() -> None:
    assert placed_by([0, 100, 1e4]) == pytest.approx([0, 0.238537, 0.784110], abs=1e-6)


def test_the_normal_mixture() -> None:
    assert float(normal_rho(100, 0.05)) == pytest.approx(12.60056, abs=1e-5)
    assert float(normal_bound(100, 0.05, normal_rho(100, 0.05))) == pytest.approx(30.35209, abs=1e-5)


@pytest.mark.parametrize(
    ("sides", "at_ten", "bound"), [(Sides.ONE, -0.07134019, 28.41238), (Sides.TWO, -0.6941012, 31.4308)]
)
def test_the_beta_binomial_mixture(sides: Sides, at_ten: float, bound: float) -> None:
    mixture = BetaBinomial.aimed(100, 0.05, 0.2, 0.8, sides)
    assert float(mixture.log_e(10, 100)) == pytest.approx(at_ten, abs=1e-5)
    assert mixture.bound(100, 0.05) == pytest.approx(bound, abs=1e-5)


@pytest.mark.parametrize(
    ("k", "n", "t_opt", "ends"),
    [(700, 1000, 100, (0.651629, 0.745949)), (5, 50, 50, (0.013021, 0.269264))],
)
def test_the_ends_of_an_aimed_interval_are_where_the_evidence_is_one_in_alpha(
    k: int, n: int, t_opt: int, ends: tuple[float, float]
) -> None:
    for p in ends:
        mixture = BetaBinomial.aimed(p * (1 - p) * t_opt, 0.05, p, 1 - p, Sides.TWO)
        assert float(mixture.log_e(k - n * p, p * (1 - p) * n)) == pytest.approx(np.log(20), abs=1e-3)


def test_a_bound_that_no_sum_can_cross_is_the_largest_sum() -> None:
    assert BetaBinomial.aimed(1, 0.05, 0.2, 0.8, Sides.ONE).bound(0.16, 1e-6) == pytest.approx(0.8)
