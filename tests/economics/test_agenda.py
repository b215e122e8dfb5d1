"""The calendar of a repository: cycles without gaps, what is on is on, and rounds have what was trained in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.economics.agenda import Agenda, Trained, agenda, is_whole_days, last_day
from runner.spec.cadence import Frequency
from runner.spec.model import TrainingType
from tests.economics.situations import NOW, cadence

MOMENTS = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1))
SEOUL = ZoneInfo("Asia/Seoul")


def of(agenda: Agenda, cycle: Frequency) -> list[tuple[date, date]]:
    return [(turn.round.begins, turn.round.ends) for turn in agenda.turns if turn.cycle is cycle]


@given(MOMENTS, st.integers(1, 24), st.sampled_from([UTC, SEOUL, ZoneInfo("America/Sao_Paulo")]))
def test_cycles_follow_each_other_and_quarters_cover_the_months(at, months, zone):
    found = agenda(cadence(), at.replace(tzinfo=UTC).timestamp(), months, (), zone)
    monthly, quarterly = of(found, Frequency.MONTHLY), of(found, Frequency.QUARTERLY)
    today = found.at.date()
    assert len(monthly) == months
    for spans in (monthly, quarterly):
        assert spans[0][0] <= today < spans[0][1]
        assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert quarterly[-1][0] < monthly[-1][1] <= quarterly[-1][1]
    assert found.due[0].begins <= monthly[0][0] and found.due[-1].ends >= monthly[-1][1]
    assert found.round.begins <= today < found.round.ends


@given(MOMENTS, st.integers(1, 6))
def test_what_is_on_has_begun_and_what_is_next_has_not(at, months):
    found = agenda(cadence(), at.replace(tzinfo=UTC).timestamp(), months)
    assert all(piece.begins <= found.at < piece.ends for _, piece in found.now)
    assert all(piece.begins > found.at for _, piece in found.following)
    for turn, piece in found.following:
        between = [
            other
            for one in found.turns
            if one.cycle is turn.cycle
            for other in one.pieces
            if found.at < other.begins < piece.begins
        ]
        assert between == []


@given(MOMENTS, st.sampled_from([UTC, SEOUL]))
def test_what_was_planned_to_come_is_on_when_it_does_also_over_the_end_of_its_month(at, zone):
    now = at.replace(tzinfo=UTC).timestamp()
    ahead = agenda(cadence(), now - 100 * 86_400, 8, (), zone)
    found = agenda(cadence(), now, 1, (), zone)
    assert {piece for _, piece in found.now} == {
        piece for turn in ahead.turns for piece in turn.pieces if piece.is_on(found.at)
    }


def test_the_watch_of_february_is_on_in_the_first_days_of_march():
    found = agenda(cadence(), datetime(2027, 3, 1, tzinfo=UTC).timestamp(), 1)
    assert [piece.name for turn, piece in found.now if turn.cycle is Frequency.MONTHLY] == [
        "watch",
        "collect",
    ]
    assert [(turn.round.begins, len(turn.pieces)) for turn in found.earlier] == [(date(2027, 2, 1), 1)]


def test_the_shipped_month_and_quarter_on_a_day_of_november():
    found = agenda(cadence(), NOW, 1)
    assert [(turn.cycle.value, piece.name) for turn, piece in found.now] == [
        ("monthly", "evaluate"),
        ("quarterly", "label"),
    ]
    assert [piece.name for _, piece in found.following] == ["staging", "train"]
    assert of(found, Frequency.QUARTERLY) == [(date(2026, 10, 1), date(2027, 1, 1))]


@pytest.mark.parametrize(
    ("frequency", "rounds"), [("weekly", 5), ("bi-weekly", 3), ("monthly", 1), ("quarterly", 1)]
)
def test_rounds_of_training_are_those_of_the_phase(frequency, rounds):
    assert len(agenda(cadence(frequency), NOW, 1).due) == rounds


def test_a_round_has_the_versions_that_were_trained_from_another_in_it():
    trained = (
        Trained("chat-v1.1", TrainingType.DPO, date(2026, 11, 20), True),
        Trained("chat-v1.0", TrainingType.SFT, date(2026, 11, 16), False),
        Trained("chat-v1.2", TrainingType.KTO, date(2026, 11, 22), True),
    )
    found = agenda(cadence(), NOW, 1, trained)
    assert [each.version for each in found.trained] == ["chat-v1.0", "chat-v1.1", "chat-v1.2"]
    assert [each.version for each in found.trained_in(found.round)] == ["chat-v1.1"]


def test_today_is_that_of_the_zone():
    late = datetime(2026, 11, 21, 20, tzinfo=UTC).timestamp()
    assert [piece.name for _, piece in agenda(cadence(), late, 1).now] == ["evaluate", "label"]
    assert [piece.name for _, piece in agenda(cadence(), late, 1, (), SEOUL).now] == ["staging", "label"]


def test_the_last_day_of_a_piece_is_its_own():
    _, piece = agenda(cadence(), NOW, 1).now[0]
    assert (piece.ends.date(), last_day(piece)) == (date(2026, 11, 22), date(2026, 11, 21))
    assert is_whole_days(piece.begins, piece.ends)
    assert not is_whole_days(piece.begins, piece.ends - timedelta(hours=1))
