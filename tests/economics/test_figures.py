"""What a round may gain, what it costs, and which rows are new: by examples that can be checked by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.economics import fresh, rounds
from runner.economics.budget import bill
from runner.economics.fresh import Earlier, Row
from runner.economics.gain import expected
from runner.signals.readings.estimates import NO_DATA, Estimate
from tests.economics.situations import past, price

SHARES = st.floats(min_value=0.0, max_value=1.0)


def win(value: float, spread: float = 0.02) -> Estimate:
    return Estimate(value, value - spread, value + spread, 400)


def test_votes_without_a_winner_teach_nothing():
    found = expected(Estimate(0.0, 0.0, 0.0, 300), None, ())
    assert found is not None and (found.low, found.high) == (0.0, 0.0)


def test_the_ceiling_is_what_always_giving_the_preferred_answer_would_win():
    found = expected(Estimate(0.8, 0.7, 0.9, 300), None, ())
    assert found is not None and (found.value, found.low) == (None, 0.0)
    assert found.high == pytest.approx(0.9 * 0.5 / 2)
    known = expected(Estimate(0.8, 0.7, 0.9, 300), Estimate(0.9, 0.8, 0.95, 60), ())
    assert known is not None and known.high == pytest.approx(0.9 * 0.2 / 2), "the ends that make it highest"
    few = expected(Estimate(0.8, 0.7, 0.9, 300), Estimate(0.9, 0.3, 1.0, 4), ())
    assert few == found, "a handful of held-out pairs tells nothing"


def test_nothing_bounds_a_gain_without_votes_and_rounds():
    assert expected(None, None, ()) is None
    assert expected(NO_DATA, None, (NO_DATA,)) is None


def test_a_round_is_not_expected_to_gain_more_than_the_last_one_did():
    found = expected(Estimate(0.8, 0.7, 0.9, 300), None, (win(0.51),))
    assert found is not None and found.high == pytest.approx(0.03)
    assert "the last round" in found.because


def test_two_rounds_foretell_how_gains_fall():
    found = expected(Estimate(0.8, 0.7, 0.9, 300), None, (win(0.66), win(0.58)))
    assert found is not None and found.value == pytest.approx(0.08 * 0.08 / 0.16)
    assert found.low == pytest.approx(0.06 * 0.06 / 0.18)


@given(st.lists(st.tuples(SHARES, SHARES, SHARES), max_size=4), SHARES, SHARES)
def test_a_gain_lies_within_its_ends_and_never_grows_with_the_parents_chance(wins, clear, prefers):
    estimates = [Estimate(value, low, high, 9) for low, value, high in map(sorted, wins)]
    found = expected(Estimate(clear, clear, clear, 9), Estimate(prefers, prefers, prefers, 9), estimates)
    assert found is not None and 0.0 <= found.low <= found.high <= 0.5
    assert found.value is None or found.low <= found.value <= found.high
    sure = expected(Estimate(clear, clear, clear, 9), Estimate(1.0, 1.0, 1.0, 9), estimates)
    assert sure is not None and sure.high <= found.high


def test_what_is_paid_by_the_quarter_counts_once_however_many_rounds_there_are():
    policy = price(amount="$30", per="quarter")
    assert [bill(policy, [past(str(n)) for n in range(count)], ()).total for count in range(3)] == [30.0] * 3


def test_what_is_paid_by_the_hour_counts_for_the_hours_of_the_manifests():
    policy = price(amount="$2", per="hour")
    found = bill(
        policy, [past("a", seconds=7200.0), past("b", seconds=1800.0)], [past("old", seconds=3600.0)]
    )
    assert (found.spent, found.planned) == (5.0, 2.0), "a round is foretold by the median of three: one hour"


def test_a_round_without_a_manifest_makes_the_hours_unknown_and_not_free():
    found = bill(price(amount="$2", per="hour"), [past("a", seconds=None)], ())
    assert (found.spent, found.total, found.unknown) == (None, None, ("a",))


def test_what_is_paid_once_is_paid_for_every_round():
    assert bill(price(amount="$7", per="once"), [past("a"), past("b")], ()).total == 21.0


DAY = date(2026, 11, 10)
ROWS = [Row("p1", ("v1",)), Row("p2", ("v2",)), Row("p3", ("v3/answer",))]


def test_rows_that_no_version_was_trained_on_are_new():
    assert fresh.count(ROWS, (), {}) == 3
    assert fresh.count(ROWS, [Earlier(DAY, {"p1"}), Earlier(DAY, {"p2", "p9"})], {}) == 1


def test_where_earlier_rows_are_gone_the_day_of_what_was_said_decides():
    noon = rounds.begin(DAY) + 43_200
    said = {"v1": noon - 86_400, "v2": noon, "v3": noon + 86_400}
    assert fresh.count(ROWS, [Earlier(DAY, None)], said) == 1, (
        "what was said on the day itself may be trained on"
    )


def test_a_row_that_nobody_can_date_makes_the_number_unknown():
    assert fresh.count(ROWS, [Earlier(DAY, None)], {"v1": 0.0}) is None
    assert fresh.count(ROWS, [Earlier(DAY, None), Earlier(DAY, {"p2", "p3"})], {"v1": 0.0}) == 0


@given(st.sets(st.integers(0, 20)), st.lists(st.sets(st.integers(0, 20)), max_size=3))
def test_a_further_training_never_makes_more_rows_new(rows, trained):
    found = [Row(str(each)) for each in rows]
    earlier = [Earlier(DAY + timedelta(days=n), {str(each) for each in ids}) for n, ids in enumerate(trained)]
    counts = [fresh.count(found, earlier[:n], {}) for n in range(len(earlier) + 1)]
    assert all(count is not None for count in counts)
    assert counts == sorted(counts, key=lambda each: -(each or 0))
