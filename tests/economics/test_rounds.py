"""The calendar: rounds without a gap or an overlap, month ends, and days that stay days where clocks are set."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.economics import rounds
from runner.spec.cadence import Cycle, Frequency, Work
from tests.economics.situations import cadence

DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2060, 12, 31))
FREQUENCIES = st.sampled_from(list(Frequency))


@given(FREQUENCIES, DAYS, DAYS)
def test_every_day_lies_in_exactly_one_round(frequency, anchor, day):
    found = rounds.round_at(frequency, anchor, day)
    assert found.begins <= day < found.ends
    assert rounds.round_at(frequency, anchor, found.begins) == found
    after = rounds.round_at(frequency, anchor, found.ends)
    assert (after.number, after.begins) == (found.number + 1, found.ends)
    before = rounds.round_at(frequency, anchor, found.begins - timedelta(days=1))
    assert (before.number, before.ends) == (found.number - 1, found.begins)


@given(FREQUENCIES, DAYS)
def test_the_round_of_the_anchor_is_number_0(frequency, anchor):
    assert rounds.round_at(frequency, anchor, anchor).begins == anchor
    assert rounds.round_at(frequency, anchor, anchor).number == 0


@pytest.mark.parametrize(("frequency", "months"), [(Frequency.MONTHLY, 1), (Frequency.QUARTERLY, 3)])
@given(anchor=DAYS, day=DAYS)
def test_months_begin_on_the_anchors_day_or_the_last_one_there_is(frequency, months, anchor, day):
    found = rounds.round_at(frequency, anchor, day)
    last = monthrange(found.begins.year, found.begins.month)[1]
    assert found.begins.day == min(anchor.day, last)
    assert (
        found.begins.year * 12 + found.begins.month - anchor.year * 12 - anchor.month
    ) == found.number * months


def test_an_anchor_on_the_31st_comes_back_after_a_short_month():
    begins = [
        rounds.round_at(Frequency.MONTHLY, date(2027, 1, 31), date(2027, month, 15)).ends
        for month in range(2, 6)
    ]
    assert begins == [date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30), date(2027, 5, 31)]


@pytest.mark.parametrize(
    ("frequency", "begins", "ends"),
    [
        ("weekly", date(2026, 11, 15), date(2026, 11, 22)),
        ("bi-weekly", date(2026, 11, 15), date(2026, 11, 29)),
        ("monthly", date(2026, 11, 1), date(2026, 12, 1)),
        ("quarterly", date(2026, 10, 1), date(2027, 1, 1)),
    ],
)
def test_the_rounds_of_a_phase_follow_from_the_anchors_of_the_policy(frequency, begins, ends):
    found = rounds.round_of(cadence(frequency=frequency), date(2026, 11, 21))
    assert (found.begins, found.ends) == (begins, ends)


def test_a_moment_is_another_day_in_another_zone():
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC).timestamp()
    assert rounds.day_of(late) == date(2026, 11, 21)
    assert rounds.day_of(late, ZoneInfo("Asia/Seoul")) == date(2026, 11, 22)
    assert (
        rounds.begin(date(2026, 11, 22), ZoneInfo("Asia/Seoul"))
        == rounds.begin(date(2026, 11, 22)) - 9 * 3600
    )


def test_the_work_of_a_cycle_begins_at_local_midnight_also_where_clocks_are_set():
    berlin = ZoneInfo("Europe/Berlin")
    works = (
        Work(name="a", starts="0d", lasts="30d", work="x"),
        Work(name="b", starts="30d", lasts="12h", work="y"),
    )
    first, second = rounds.pieces(Cycle(anchor=date(2026, 10, 1), work=works), date(2026, 10, 1), berlin)
    assert (first.begins.hour, first.ends.hour) == (0, 0)
    assert first.begins.utcoffset() != first.ends.utcoffset(), "clocks were set on October 25"
    assert second.begins == first.ends == datetime(2026, 10, 31, tzinfo=berlin)
    assert second.ends == datetime(2026, 10, 31, 12, tzinfo=berlin)
    assert first.is_on(first.begins) and not first.is_on(first.ends)


def test_the_shipped_quarter_has_its_work_on_the_days_that_the_policy_names():
    policy = cadence()
    quarter = rounds.quarter_of(policy, date(2026, 11, 21))
    found = {
        each.name: (each.begins.date(), each.ends.date())
        for each in rounds.pieces(policy.quarterly, quarter.begins)
    }
    assert found["canary"] == (date(2026, 10, 1), date(2026, 10, 8))
    assert found["train"] == (date(2026, 11, 30), date(2026, 12, 30))
