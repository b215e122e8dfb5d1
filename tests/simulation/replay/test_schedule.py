"""Who asks what and when: the same plan, the same calls."""

from __future__ import annotations

from collections import Counter
from itertools import count, pairwise
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.simulation.replay.plan import Crowd, Material, Rate, ReplayPlan, Speed, Target, check
from runner.simulation.replay.schedule import SILENCE_S, TURNS, Call, repeated, schedule
from runner.simulation.replay.traces import Arrival


def arrivals(number: int, gap_s: float = 1.0) -> tuple[Arrival, ...]:
    return tuple(Arrival(place * gap_s, 10, 5) for place in range(number))


def calls(trace: tuple[Arrival, ...], **given: object) -> tuple[Call, ...]:
    limit, pace = given.pop("limit", None), given.pop("pace", Speed())
    asked = (f"question {number}" for number in count())
    return schedule(trace, limit, pace, Crowd(**given), asked)  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1e5), min_size=2, max_size=30), st.floats(0.01, 1000))
def test_at_a_speed_every_gap_shrinks_by_the_same_factor(times: list[float], factor: float) -> None:
    first = min(times)
    trace = tuple(Arrival(at - first, 1, 1) for at in sorted(times))
    assert [call.at_s for call in calls(trace, pace=Speed(factor))] == pytest.approx(
        [a.at_s / factor for a in trace]
    )


@given(st.integers(2, 200), st.floats(0.1, 1000), st.integers(2, 200))
def test_at_a_rate_the_mean_is_that_rate_whatever_the_limit(number: int, rate: float, limit: int) -> None:
    made = calls(arrivals(number), pace=Rate(rate), limit=limit)
    assert len(made) == min(number, limit)
    assert (len(made) - 1) / made[-1].at_s == pytest.approx(rate)


def test_arrivals_that_all_came_at_once_have_no_rate() -> None:
    with pytest.raises(TerminalError, match="all came at once"):
        calls(arrivals(3, gap_s=0), pace=Rate(5))
    assert calls(arrivals(1), pace=Rate(5))[0].at_s == 0


def test_the_same_seed_gives_the_same_calls_and_another_seed_others() -> None:
    trace = arrivals(50)
    assert calls(trace, seed=3) == calls(trace, seed=3)
    assert [c.stream for c in calls(trace, seed=3)] != [c.stream for c in calls(trace, seed=4)]


def test_the_limit_only_cuts_and_the_share_of_streams_moves_no_user() -> None:
    trace = arrivals(60)
    assert calls(trace, limit=20) == calls(trace)[:20]
    few, many = calls(trace, stream_share=0.0), calls(trace, stream_share=1.0)
    assert [c.user for c in few] == [c.user for c in many]
    assert not any(c.stream for c in few)
    assert all(c.stream for c in many)


def test_few_users_ask_most_and_there_are_never_more_than_asked_for() -> None:
    asked = Counter(call.user for call in calls(arrivals(5000), users=100))
    busiest = sum(number for _, number in asked.most_common(20))
    assert len(asked) <= 100
    assert busiest > 5000 * 0.4
    assert max(asked.values()) > 10 * sorted(asked.values())[len(asked) // 2]


def test_answers_are_as_long_as_recorded_and_at_most_as_long_as_allowed() -> None:
    trace = tuple(Arrival(float(n), 1, n) for n in range(5))
    assert [call.max_tokens for call in calls(trace, max_tokens=3)] == [1, 1, 2, 3, 3]


def test_a_session_belongs_to_one_user_has_a_few_requests_and_ends_with_silence() -> None:
    made = calls(arrivals(6000, gap_s=0.5), users=20)
    sessions: dict[str, list[Call]] = {}
    for call in made:
        sessions.setdefault(call.session, []).append(call)
    assert all(len({call.user for call in each}) == 1 for each in sessions.values())
    assert 0.8 * TURNS < len(made) / len(sessions) < 1.2 * TURNS
    silent = calls(arrivals(40, gap_s=SILENCE_S + 1), users=1, pace=Speed(60))
    assert len({call.session for call in silent}) == 40


def test_a_prompt_that_goes_on_from_an_earlier_one_stays_in_its_session() -> None:
    system = 0
    blocks = [(system, 1, 2), (system, 7, 8), (system, 1, 3, 4), (system, 9, 10), (system, 1, 3, 5, 6)]
    others = [(system, 100 + n, 200 + n) for n in range(20)]  # they make block 0 a system prompt
    trace = tuple(Arrival(float(n), 1, 1, each) for n, each in enumerate(blocks + others))
    sessions = [call.session for call in calls(trace)]
    assert sessions[0] == sessions[2] == sessions[4]
    assert len(set(sessions)) == len(trace) - 2
    users = {call.session: call.user for call in calls(trace)}
    assert all(call.user == users[call.session] for call in calls(trace))


@given(st.integers(2, 40), st.floats(0.5, 20), st.floats(1, 60))
def test_repeated_at_a_rate_there_are_as_many_arrivals_as_fill_the_time(
    number: int, rate: float, duration: float
) -> None:
    made = repeated(arrivals(number), Rate(rate), duration)
    assert len(made) == ceil(duration * rate)
    assert all(later.at_s > earlier.at_s for earlier, later in pairwise(made))
    if len(made) > 1:
        assert calls(made, pace=Rate(rate))[-1].at_s < duration


@given(st.floats(0.5, 20), st.floats(1, 60))
def test_repeated_at_a_speed_every_lap_is_like_the_first(factor: float, duration: float) -> None:
    trace = tuple(Arrival(at, 1, 1) for at in (0.0, 1.0, 4.0))
    made = repeated(trace, Speed(factor), duration)
    assert made[:3] == trace[: len(made)]
    assert made[-1].at_s < duration * factor <= made[-1].at_s + 4
    assert all(
        late.at_s - early.at_s == pytest.approx(6) for early, late in zip(made, made[3:], strict=False)
    )


def test_conversations_do_not_go_on_in_the_next_lap_and_system_prompts_do_not_join_any() -> None:
    trace = tuple(Arrival(float(n), 1, 1, (0, 1 + n % 15, 100 + n)) for n in range(30))
    once = {call.session for call in calls(trace)}
    thrice = [call.session for call in calls(repeated(trace, Speed(), 90.0))]
    assert len(once) == 15
    assert len(thrice) == 90
    assert len(set(thrice)) == 45


def test_arrivals_that_came_at_once_are_not_repeated() -> None:
    with pytest.raises(TerminalError, match="cannot be repeated"):
        repeated(arrivals(3, gap_s=0), Rate(5), 10.0)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (ReplayPlan(Material("t", "q", Path()), pace=Speed(0)), "speed or rate must be above 0"),
        (ReplayPlan(Material("t", "q", Path()), pace=Rate(float("nan"))), "speed or rate must be above 0"),
        (ReplayPlan(Material("t", "q", Path(), limit=0)), "limit must be above 0"),
        (ReplayPlan(Material("t", "q", Path()), crowd=Crowd(users=0)), "number of users"),
        (ReplayPlan(Material("t", "q", Path()), crowd=Crowd(stream_share=1.5)), "share of streams"),
        (ReplayPlan(Material("t", "q", Path(), duration_s=0)), "duration must be above 0"),
        (
            ReplayPlan(Material("t", "bookshop", Path()), crowd=Crowd(feedback_share=-0.1)),
            "share of feedback",
        ),
        (ReplayPlan(Material("t", "banking77", Path()), crowd=Crowd(feedback_share=0.1)), "right answers"),
        (ReplayPlan(Material("t", "q", Path()), target=Target(in_flight=-1)), "number in flight"),
        (ReplayPlan(Material("t", "q", Path()), target=Target(url="localhost:8080")), "no address"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(plan: ReplayPlan, reason: str) -> None:
    with pytest.raises(TerminalError, match=reason):
        check(plan)


def test_all_faults_of_a_plan_are_told_at_once() -> None:
    plan = ReplayPlan(Material("t", "q", Path(), limit=-1), Speed(-1), Crowd(users=0), Target(url="x"))
    with pytest.raises(TerminalError) as refused:
        check(plan)
    assert len(refused.value.diagnostics) == 4
