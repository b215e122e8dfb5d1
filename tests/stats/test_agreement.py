"""Agreement of people: published examples, and what must hold for any ratings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.stats.agreement import Level, Verdict, agreement, alpha, cohen, fleiss, verdict

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", four observers and twelve units.
_OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)
UNITS = [list(row) for row in zip(*_OBSERVERS, strict=True)]
CATEGORIES = st.sampled_from(["good", "bad", "tie"])


@pytest.mark.parametrize(
    ("level", "expected"),
    [(Level.NOMINAL, 0.7434), (Level.ORDINAL, 0.8154), (Level.INTERVAL, 0.8491), (Level.RATIO, 0.7974)],
)
def test_alpha_of_the_published_example(level: Level, expected: float) -> None:
    assert alpha(UNITS, level) == pytest.approx(expected, abs=5e-5)


def test_kappa_of_a_table_that_can_be_worked_out_by_hand() -> None:
    one = ["yes"] * 25 + ["no"] * 25
    other = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen(one, other) == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_fleiss_of_the_example_of_1971_in_small() -> None:
    ratings = [["a", "a", "a"], ["a", "a", "b"], ["b", "b", "b"], ["a", "b", "b"]]
    observed, chance = (1 + 1 / 3 + 1 + 1 / 3) / 4, 0.5
    assert fleiss(ratings) == pytest.approx((observed - chance) / (1 - chance))


@given(st.lists(CATEGORIES, min_size=2, max_size=20).filter(lambda values: len(set(values)) > 1))
def test_people_who_always_agree_have_one(values: list[str]) -> None:
    rows = [[value, value, value] for value in values]
    assert cohen(values, values) == pytest.approx(1.0)
    assert fleiss(rows) == pytest.approx(1.0)
    assert alpha(rows) == pytest.approx(1.0)


@given(st.lists(st.tuples(CATEGORIES, CATEGORIES), min_size=2, max_size=20))
def test_coefficients_do_not_care_who_is_who(pairs: list[tuple[str, str]]) -> None:
    try:
        found = cohen(*zip(*pairs, strict=True))
    except TerminalError:
        return
    assert -1.0 <= found <= 1.0
    swapped = [(other, one) for one, other in pairs]
    assert cohen(*zip(*swapped, strict=True)) == pytest.approx(found)
    assert alpha(pairs) == pytest.approx(alpha(swapped))
    assert fleiss(pairs) == pytest.approx(fleiss(swapped))


@given(st.lists(st.tuples(CATEGORIES, CATEGORIES), min_size=3, max_size=20))
def test_items_that_only_one_person_rated_change_nothing(pairs: list[tuple[str, str]]) -> None:
    rows: list[list[str | None]] = [list(pair) for pair in pairs]
    more = [*rows, ["good", None], [None, None]]
    try:
        expected = alpha(rows), fleiss(rows), cohen(*zip(*rows, strict=True))
    except TerminalError:
        return
    assert (alpha(more), fleiss(more), cohen(*zip(*more, strict=True))) == pytest.approx(expected)


def test_a_missing_number_may_be_nan() -> None:
    with_nan = [[float("nan") if value is None else value for value in row] for row in UNITS]
    assert alpha(with_nan, Level.INTERVAL) == pytest.approx(alpha(UNITS, Level.INTERVAL))


def test_the_interval_holds_the_value_and_comes_again_from_the_same_seed() -> None:
    first = agreement(UNITS * 5, np.random.default_rng(1), resamples=300)
    assert first == agreement(UNITS * 5, np.random.default_rng(1), resamples=300)
    assert first.low < first.alpha < first.high
    assert (first.items, first.verdict) == (55, Verdict.TENTATIVE)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_more_items_narrow_the_interval(seed: int) -> None:
    few = agreement(UNITS, np.random.default_rng(seed), resamples=200)
    many = agreement(UNITS * 10, np.random.default_rng(seed), resamples=200)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, Verdict.USE),
        (0.8, Verdict.USE),
        (0.7999, Verdict.TENTATIVE),
        (0.667, Verdict.TENTATIVE),
        (0.6669, Verdict.NOT),
        (float("nan"), Verdict.NOT),
    ],
)
def test_bands_of_the_verdict(value: float, expected: Verdict) -> None:
    assert verdict(value) is expected


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(TerminalError, match="no item was rated by two"):
        alpha([["a", None], [None, "b"]])
    with pytest.raises(TerminalError, match="all ratings are the same"):
        cohen(["a", "a"], ["a", "a"])
    with pytest.raises(TerminalError, match="have to be numbers"):
        alpha([["low", "high"], ["low", "low"]], Level.ORDINAL)
    with pytest.raises(ValueError, match="not of the same items"):
        cohen(["a"], ["a", "b"])
