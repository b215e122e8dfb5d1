"""The collection plan: weeks are counted as people count them, and the forecast is as sure as it says."""

from __future__ import annotations

import dataclasses
import itertools
import math
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.progress import DAY_S, WEEK_S, Policies, Progress, by_week, headline, progress, week_of
from runner.feedback.records import Ballot, Choice
from runner.spec.collection import Level
from runner.spec.files import DirectoryFiles
from runner.spec.load import Spec, load_or_raise
from tests.docs.scratch import ROOT
from tests.feedback.arenas import answer, ballot

MONDAY = datetime(2026, 11, 16, tzinfo=UTC).timestamp()
NOON = MONDAY + 3.5 * DAY_S
"""Thursday noon."""


@cache
def shipped() -> Spec:
    return load_or_raise(DirectoryFiles(ROOT))


def policies() -> Policies:
    spec = shipped()
    return Policies(spec.policies.collection, spec.policies.cadence, spec.policies.training, spec.datasets)


def at(*moments: float, category: str = "factual_qa", start: int = 0) -> list[Ballot]:
    """Return votes at moments, seconds since 1970."""
    return [
        ballot(start + number, "a", "b", at_us=round(moment * 1e6), category=category)
        for number, moment in enumerate(moments)
    ]


def told(cast: list[Ballot], now: float = NOON) -> Progress:
    return progress(cast, policies(), now, rows=dict.fromkeys(shipped().datasets, 10**6))


@given(st.floats(0, 4e9))
def test_a_week_begins_on_monday_at_midnight_utc_and_holds_the_moment(now: float) -> None:
    week = week_of(now)
    begin = datetime.fromtimestamp(week, UTC)
    assert (begin.weekday(), begin.hour, begin.minute, begin.second) == (0, 0, 0, 0)
    assert week <= now < week + WEEK_S
    assert begin.isocalendar()[:2] == datetime.fromtimestamp(now, UTC).isocalendar()[:2]


@pytest.mark.parametrize(("moment", "counts"), [(MONDAY - 1, 0), (MONDAY, 1), (NOON, 1), (NOON + 1, 0)])
def test_only_pairs_of_this_week_until_now_count_towards_it(moment: float, counts: int) -> None:
    assert told(at(moment)).pairs == counts


def test_a_pair_needs_a_winner_and_counts_once_however_many_vote_on_it() -> None:
    one = at(NOON - 60)[0]
    other = dataclasses.replace(one, id="again", user="u9", left=one.right, right=one.left)
    tie = dataclasses.replace(at(NOON - 60, start=5)[0], choice=Choice.TIE)
    uncounted = dataclasses.replace(at(NOON - 60, start=6)[0], counted=False)
    found = told([one, other, tie, uncounted])
    assert (found.pairs, found.votes) == (1, 3)


def test_a_vote_on_three_answers_makes_two_pairs() -> None:
    a, b, c = (answer(name, name) for name in "abc")
    cast = [
        dataclasses.replace(at(NOON - 9)[0], id=name, comparison="c", left=a, right=right)
        for name, right in (("1", b), ("2", c))
    ]
    assert told(cast).pairs == 2


def test_what_is_missing_follows_from_the_policy() -> None:
    found = told(at(*np.linspace(MONDAY, NOON, 287)))
    assert [(goal.level, goal.wanted, goal.missing) for goal in found.goals] == [
        (Level.MINIMUM, 100, 0),
        (Level.TARGET, 300, 13),
        (Level.OPTIMAL, 500, 213),
    ]
    assert "13 more until the target" in found.reminders
    assert headline(found).startswith("287 of 300 preference pairs this week (target); likely reached on Thu")


def test_a_reached_aim_is_said_and_no_longer_asked_for() -> None:
    found = told(at(*np.linspace(MONDAY, NOON, 300)))
    assert headline(found) == "300 of 300 preference pairs this week (target): reached"
    assert not any("more until" in each for each in found.reminders)
    assert found.aimed.chance == 1.0


def test_a_thin_category_is_named_with_a_question_to_ask() -> None:
    cast = at(*np.linspace(MONDAY, NOON, 58)) + at(NOON - 1, NOON - 2, category="creative", start=100)
    found = told(cast)
    (creative,) = [part for part in found.categories if part.name == "creative"]
    assert (creative.pairs, creative.wanted, creative.is_thin) == (2, 30, True)
    (reminder,) = [each for each in found.reminders if "creative" in each]
    assert "'creative' is thin: 2 of 30" in reminder and "poster of Violet Engine" in reminder
    assert not next(part for part in found.categories if part.name == "factual_qa").is_thin


def test_few_pairs_make_no_category_thin() -> None:
    assert not any(part.is_thin for part in told(at(*[NOON - 5] * 9)).categories)


def test_silence_is_told_once_it_lasts() -> None:
    assert not any("overdue" in each for each in told(at(NOON - 2 * DAY_S)).reminders)
    assert "overdue: no preference pair for 5 days" in told(at(NOON - 5 * DAY_S)).reminders
    assert told([]).quiet_s is None and "open the arena" in told([]).reminders[0]


def test_without_pairs_nothing_is_forecast() -> None:
    found = told([])
    assert {goal.forecast.median for goal in found.goals} == {None}
    assert {goal.chance for goal in found.goals} == {0.0}
    assert "not this week" in headline(found)
    assert found.training.forecast.late is None


def test_pairs_before_the_last_round_of_training_do_not_count_for_the_next() -> None:
    cast = at(*np.linspace(MONDAY, NOON, 50))
    found = progress(cast, policies(), NOON, trained=NOON - 1e-3)
    assert (found.training.pairs, found.training.wanted) == (1, 100)
    assert told(cast).training.pairs == 50


def test_a_recipe_whose_data_set_is_too_small_is_named() -> None:
    rows = {"bookshop-sft": 10**6, "bookshop-preferences": 40, "bookshop-thumbs": 0}
    found = progress([], policies(), NOON, rows=rows)
    assert [(each.recipe, each.rows, each.wanted) for each in found.small] == [
        ("dpo", 40, 100),
        ("kto", 0, policies().datasets["bookshop-thumbs"].minimum.rows),
    ]
    assert not told([]).small


def test_a_data_set_that_was_made_and_is_not_here_is_not_called_empty_and_one_never_made_is() -> None:
    plan = policies()
    preferences = plan.datasets["bookshop-preferences"]
    assert preferences.hash is not None and not told([]).small
    never = {**plan.datasets, "bookshop-preferences": preferences.model_copy(update={"hash": None})}
    found = progress([], dataclasses.replace(plan, datasets=never), NOON)
    assert [(each.recipe, each.rows) for each in found.small] == [("dpo", 0)]


@given(st.lists(st.floats(0.001, 20.0), max_size=60))
def test_a_forecast_is_ordered_and_never_in_the_past_and_more_takes_longer(ages: list[float]) -> None:
    found = told(at(*(NOON - age * DAY_S for age in ages)))
    for goal in found.goals:
        ends = [
            math.inf if end is None else end
            for end in (goal.forecast.early, goal.forecast.median, goal.forecast.late)
        ]
        assert ends == sorted(ends) and ends[0] >= NOON
        assert 0.0 <= goal.chance <= 1.0
    chances = [goal.chance for goal in found.goals]
    assert chances == sorted(chances, reverse=True)


def world(rng: np.random.Generator, burst: float) -> tuple[list[float], float]:
    """Return moments of pairs over 14 days, 4 bursts a day, and when the hundredth pair after now comes, in days."""
    times, count, reached = list[float](), 0, 0.0
    for when in itertools.accumulate(rng.exponential(1 / 4) for _ in itertools.count()):
        size = 1 if burst == 1 else rng.geometric(1 / burst)
        if when <= 14.0:
            times += [NOON - (14.0 - when) * DAY_S] * size
            continue
        count += size
        reached = when - 14.0
        if count >= 100:
            return times, reached
    raise AssertionError("the bursts never end")


@pytest.mark.parametrize("burst", [1, 5])
def test_the_range_of_a_forecast_covers_the_day_about_as_often_as_it_says(burst: float) -> None:
    late = early = 0
    runs = 150
    for seed in range(runs):
        times, reached = world(np.random.default_rng(seed), burst)
        cast = at(*times)
        found = progress(cast, policies(), NOON, trained=NOON)
        forecast = found.training.forecast
        assert found.training.pairs == 0 and forecast.early is not None and forecast.late is not None
        early += NOON + reached * DAY_S < forecast.early
        late += NOON + reached * DAY_S > forecast.late
    assert (early + late) / runs <= 0.2
    assert early / runs <= 0.12 and late / runs <= 0.12
    assert early + late > 0


@given(st.lists(st.floats(MONDAY - 9 * WEEK_S, MONDAY + WEEK_S), max_size=40), st.integers(1, 10))
def test_pairs_by_week_are_those_of_each_week_until_now(moments: list[float], weeks: int) -> None:
    found = by_week(at(*moments), NOON, weeks)
    assert [begin for begin, _ in found] == [MONDAY - number * WEEK_S for number in reversed(range(weeks))]
    for begin, pairs in found:
        voted = [round(moment * 1e6) / 1e6 for moment in moments]
        assert pairs == sum(begin <= moment < begin + WEEK_S and moment <= NOON for moment in voted)
