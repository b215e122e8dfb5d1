"""Backtest: logged rollouts replayed through the real evidence, honest about what a log cannot know."""

from __future__ import annotations

import itertools
import json
import random
from functools import cache
from typing import Any

import pytest

from runner.events.schema import Kind
from runner.report import backtest as report
from runner.rollout.alarms import Simulation, assumed_trial, false_alarms
from runner.rollout.backtest import Cadence, Course, Ended, assess_logged, replay
from runner.rollout.trials import Trial, since_generation, trials
from runner.rollout.verdict import Because, Step
from runner.signals.detection import Detection
from runner.spec.rollout import RolloutPolicy
from tests.rollout.logs import HOUR_US, START_US, Habits, Log, ask, empty, rollout


def policy(condition: str = "error_rate > 5%", hours: int = 2, **first: Any) -> RolloutPolicy:
    """Return a policy of three stages, the first two of so many hours; `first` are more keys of the first."""
    stages = [
        {"name": "canary", "traffic": "20%", "duration": f"{hours}h", "advance": "auto", **first},
        {"name": "half", "traffic": "50%", "duration": f"{hours}h", "advance": "pull_request"},
        {"name": "full", "traffic": "100%", "duration": "stable"},
    ]
    value = {"decision": {"every": "60s"}, "always": {"errors": condition}, "stages": stages}
    return RolloutPolicy.model_validate(value)


@cache
def logged(errors: float = 0.01, sessions: int = 600, bad_after: float = 0.0, hours: float = 10.0) -> Trial:
    habits = Habits(errors=0.01, votes=0.0)
    (trial,) = trials(
        rollout(habits, Habits(errors=errors, votes=0.0), sessions, bad_after=bad_after, hours=hours)
    )
    return trial


def stages(course: Course) -> list[tuple[str, Ended]]:
    return [(each.stage, each.ended) for each in course.passages]


# what a policy would have done


def test_a_healthy_candidate_advances_when_its_time_has_passed_and_its_limits_are_certainly_kept() -> None:
    course = replay(policy(), logged())
    assert stages(course) == [("canary", Ended.ADVANCED), ("half", Ended.ASKED), ("full", Ended.LOG_ENDS)]
    assert course.stop is None
    first, second, last = course.passages
    assert first.since == logged().started and first.until == second.since and second.until == last.since
    assert first.until - first.since >= 7200 and second.until - second.since >= 7200
    assert last.until >= logged().ended
    assert {each.logged for each in course.passages} == {0.5}, "the log's share, not the policy's"
    assert [each.declared for each in course.passages] == [0.2, 0.5, 1.0]


def test_the_last_stage_ends_where_the_candidate_would_have_become_the_baseline() -> None:
    soon = policy().model_copy(update={"conclude_after": 3600.0})
    course = replay(soon, logged(sessions=1200))
    assert stages(course)[-1] == ("full", Ended.CONCLUDED)
    last = course.passages[-1]
    assert 3600 <= last.until - last.since < 4 * 3600
    assert last.until < logged().ended
    assert course.stop is None and course.last.step is Step.CONCLUDE


def test_a_failing_candidate_is_stopped_with_time_request_condition_and_both_limits() -> None:
    trial = logged(errors=0.4)
    stop = replay(policy(), trial).stop
    assert stop is not None
    assert (stop.because, stop.condition, stop.stage) == (Because.PROVEN, "errors", "canary")
    assert stop.evidence >= stop.threshold == 100
    assert stop.at == trial.started + stop.elapsed
    seen = [
        event for kind, event in trial.events if kind is Kind.REQUEST and event["event.time"] / 1e6 < stop.at
    ]
    assert len(seen) == stop.requests and seen[-1]["loop.request.id"] == stop.request_id
    (finding,) = stop.findings
    assert finding.candidate.value is not None and finding.candidate.value > 0.2


def test_one_that_turns_bad_late_is_stopped_late_in_the_stage_of_that_time() -> None:
    trial = logged(errors=0.6, sessions=1200, bad_after=0.6)
    course = replay(policy(), trial)
    assert course.stop is not None and course.stop.stage == "full"
    assert 6 * 3600 < course.stop.elapsed < 9 * 3600
    assert stages(course)[-1] == ("full", Ended.ROLLED_BACK)


def test_a_looser_policy_does_not_stop_what_a_stricter_one_stops() -> None:
    trial = logged(errors=0.15)
    assert replay(policy("error_rate > 5%"), trial).stop is not None
    assert replay(policy("error_rate > 30%"), trial).stop is None


def test_what_nobody_measured_stays_open_and_holds() -> None:
    course = replay(policy("satisfaction < 3.5"), logged())
    assert stages(course) == [("canary", Ended.LOG_ENDS)]
    assert [each.metric for each in course.open] == ["satisfaction"]


def test_a_stage_that_goes_back_without_proof_goes_back_at_its_end() -> None:
    strict = policy("satisfaction < 3.5", on_inconclusive="roll_back")
    stop = replay(strict, logged()).stop
    assert stop is not None and stop.because is Because.INCONCLUSIVE_END
    assert 7200 <= stop.elapsed < 7200 + 120


def test_the_end_of_a_stage_is_seen_also_in_the_silence_between_two_requests() -> None:
    strict = policy("satisfaction < 3.5", on_inconclusive="roll_back")
    quiet = logged(sessions=12, hours=40.0)
    stop = replay(strict, quiet).stop
    assert stop is not None and stop.elapsed == pytest.approx(7200, abs=1.0)


def test_fewer_looks_do_not_change_what_is_found_only_when() -> None:
    trial = logged(errors=0.4)
    often, rarely = (replay(policy(), trial, cadence=Cadence(every)) for every in (20.0, 900.0))
    assert often.stop is not None and rarely.stop is not None
    assert often.stop.condition == rarely.stop.condition
    assert often.stop.at <= rarely.stop.at <= often.stop.at + 1800
    assert often.looks > rarely.looks
    assert rarely.stop.requests == sum(
        kind is Kind.REQUEST and event["event.time"] / 1e6 < rarely.stop.at for kind, event in trial.events
    )


def test_a_condition_of_one_stage_stops_nothing_before_that_stage() -> None:
    stages = [
        {"name": "canary", "traffic": "20%", "duration": "2h", "advance": "auto"},
        {"name": "half", "traffic": "50%", "duration": "2h", "rollback_if": "error_rate > 5%"},
        {"name": "full", "traffic": "100%", "duration": "stable"},
    ]
    late = RolloutPolicy.model_validate({"decision": {"every": "60s"}, "stages": stages})
    stop = replay(late, logged(errors=0.4)).stop
    assert stop is not None and stop.stage == "half" and 7200 < stop.elapsed < 4 * 3600
    assert stop.condition == "half.rollback_if"


def test_the_same_log_gives_the_same_course_in_whatever_order_it_is_read() -> None:
    log = rollout(Habits(), Habits(errors=0.3), 200)
    turned: Log = {kind: events[::-1] for kind, events in log.items()}
    assert replay(policy(), trials(log)[0]) == replay(policy(), trials(turned)[0])


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    replay(policy(), logged(sessions=50), lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(logged(sessions=50).events)
    assert told == sorted(told)


def test_evidence_can_be_rebuilt_at_a_stage_from_the_log_alone() -> None:
    trial = logged(errors=0.4)
    found = assess_logged(policy(), trial, "half", trial.ended)
    assert (found.step, found.because, found.stage) == (Step.ROLL_BACK, Because.PROVEN, "half")
    assert found.since == trial.started, "since its share of traffic was first given"
    healthy = assess_logged(policy(), logged(), "half", trial.ended, since=trial.ended - 60)
    assert healthy.because is Because.TOO_EARLY and healthy.elapsed == 60


# which rollouts a log holds


def test_each_rollout_id_is_a_trial_with_its_own_events() -> None:
    log = rollout(Habits(), Habits(), 40, identity="r-1")
    rollout(Habits(), Habits(), 30, identity="r-2", start_us=START_US + 20 * HOUR_US, into=log)
    first, second = trials(log)
    assert (first.rollout_id, first.requests, second.rollout_id, second.requests) == ("r-1", 40, "r-2", 30)
    assert first.candidate == "chat-v1.1--bbbbbbbbbbbb" and first.baseline == "chat-v1.0--aaaaaaaaaaaa"
    assert len(first.events) + len(second.events) == sum(map(len, log.values()))


def test_the_same_bytes_on_trial_again_after_others_served_are_another_trial() -> None:
    log = rollout(Habits(), Habits(), 40)
    for minute in range(30):
        ask(
            log,
            f"between-{minute}",
            START_US + 11 * HOUR_US + minute * 60_000_000,
            "chat-v1.0",
            Habits(),
            random.Random(0),
        )
    rollout(Habits(), Habits(), 40, start_us=START_US + 12 * HOUR_US, seed=1, into=log)
    assert [trial.requests for trial in trials(log)] == [40, 40]


def generation(log: Log, begin: int, number: int) -> None:
    """Say of all requests from the `begin`-th on under which routes they were served."""
    for event in log[Kind.REQUEST][begin:]:
        event["loop.generation"] = number


@pytest.mark.parametrize("between", [0, 1])
def test_the_same_bytes_on_trial_again_a_moment_later_are_told_apart_by_the_routes(between: int) -> None:
    log = rollout(Habits(), Habits(), 40)
    generation(log, 0, 3)
    for number in range(between):
        ask(log, f"b-{number}", START_US + 10 * HOUR_US, "chat-v1.0", Habits(), random.Random(0))
    generation(log, 40, 4)
    rollout(Habits(), Habits(), 40, start_us=START_US + 10 * HOUR_US + 1, seed=1, into=log)
    generation(log, 40 + between, 5)
    assert [trial.requests for trial in trials(log)] == ([40, 40] if between else [80])
    again = since_generation(trials(log), 5)
    assert again is not None and again.requests == 40 and since_generation(trials(log), 6) is None


def test_others_who_are_served_under_the_same_routes_do_not_end_a_trial() -> None:
    log = rollout(Habits(), Habits(), 40)
    for minute in range(30):
        at = START_US + 11 * HOUR_US + minute * 60_000_000
        ask(log, f"between-{minute}", at, "chat-v1.0", Habits(), random.Random(0))
    rollout(Habits(), Habits(), 40, start_us=START_US + 12 * HOUR_US, seed=1, into=log)
    generation(log, 0, 3)
    assert [trial.requests for trial in trials(log)] == [80]


def test_requests_that_a_slower_gateway_serves_otherwise_do_not_end_a_trial() -> None:
    log = rollout(Habits(), Habits(), 400)
    for number in range(50):
        ask(log, f"other-{number}", START_US + number * 700_000_000, "chat-v1.0", Habits(), random.Random(0))
    assert [trial.requests for trial in trials(log)] == [400]


def test_a_night_without_any_traffic_does_not_end_a_trial() -> None:
    log = rollout(Habits(), Habits(), 40)
    rollout(Habits(), Habits(), 40, start_us=START_US + 22 * HOUR_US, seed=1, into=log)
    assert [trial.requests for trial in trials(log)] == [80]


def test_shares_of_traffic_are_told_with_the_time_since_when() -> None:
    log = rollout(Habits(), Habits(), 40, weight=0.05)
    rollout(Habits(), Habits(), 40, weight=0.2, start_us=START_US + 10 * HOUR_US, seed=1, into=log)
    (trial,) = trials(log)
    assert [(share.weight, share.since - trial.started) for share in trial.shares] == [
        (0.05, 0.0),
        (0.2, 36_000.0),
    ]


def test_requests_of_one_arm_alone_and_no_requests_are_no_trial() -> None:
    log = rollout(Habits(), Habits(), 40, weight=0.0)
    assert trials(log) == trials(empty()) == ()


# false alarms


@pytest.mark.parametrize("condition", ["error_rate > baseline * 1.5", "error_rate > 5%"])
def test_a_candidate_as_good_as_the_baseline_is_hardly_ever_stopped_however_bad_the_logged_one_was(
    condition: str,
) -> None:
    trial = logged(errors=0.4, sessions=400)
    found = false_alarms(policy(condition), trial, Simulation(replicates=10))
    assert found is not None
    assert found.alarms <= 1 and found.low <= found.share <= found.high
    assert found.sessions == found.logged == 400


def test_a_limit_below_what_the_baseline_does_is_an_alarm_every_time() -> None:
    trial = logged(errors=0.01, sessions=2000)
    strict = false_alarms(policy("refusal_rate > 0.1%"), trial, Simulation(replicates=4))
    assert strict is not None and strict.alarms == 4


def test_a_simulation_is_repeated_by_its_seed_and_another_seed_is_another_world() -> None:
    trial = logged(errors=0.05, sessions=100)
    courses = [false_alarms(policy("error_rate > 1%"), trial, Simulation(4, seed)) for seed in (1, 1, 2)]
    assert courses[0] == courses[1]
    assert courses[2] is not None and courses[2].seed == 2


def test_more_traffic_than_is_simulated_is_told() -> None:
    found = false_alarms(policy(), logged(sessions=300), Simulation(replicates=2, most=100))
    assert found is not None and (found.sessions, found.logged) == (100, 300)
    text = report.to_text([report.Replayed(logged(), (report.Told("x", replay(policy(), logged()), found),))])
    assert "100 sessions of the log's 300 each" in text


def test_without_sessions_of_the_baseline_nothing_is_simulated() -> None:
    log = rollout(Habits(), Habits(), 60)
    for event in log[Kind.REQUEST]:
        event["loop.arm.always"] = True
    (trial,) = trials(log)
    assert false_alarms(policy(), trial, Simulation(replicates=2)) is None


def test_an_assumed_rollout_goes_through_every_stage_at_its_share() -> None:
    trial = assumed_trial(policy())
    weights = [event["loop.weight"] for kind, event in trial.events if kind is Kind.REQUEST]
    assert [weight for weight, _ in itertools.groupby(weights)] == [0.2, 0.5, 1.0]


# what is told


def test_the_text_tells_when_where_why_and_that_stages_are_hypothetical() -> None:
    trial = logged(errors=0.4)
    text = report.to_text(
        [report.Replayed(trial, (report.Told("the policy", replay(policy(), trial), None),))]
    )
    assert "rolled back after " in text and "in stage 'canary'" in text
    assert "because of errors: evidence " in text and "error_rate > 5%: candidate " in text
    assert report.HYPOTHETICAL in text
    assert "logged shares of the candidate: 50.0% after 0 s" in text


def test_refusals_are_counted_by_the_detection_that_is_given() -> None:
    plain, phrase = Habits(errors=0.0, votes=0.0, refusals=0.0), "front desk"
    log = rollout(plain, plain, 300)
    log[Kind.CONTENT] = [
        {
            **each,
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": f"{phrase}, please."}]),
        }
        for each in log[Kind.CONTENT]
    ]
    (trial,) = trials(log)
    refusing, told = policy("refusal_rate > 15%"), Detection(keywords=(phrase,))
    assert replay(refusing, trial).stop is None
    assert replay(refusing, trial, detection=told).stop is not None
    assert assess_logged(refusing, trial, "half", trial.ended).step is not Step.ROLL_BACK
    assert assess_logged(refusing, trial, "half", trial.ended, detection=told).step is Step.ROLL_BACK


def test_a_plan_shows_the_newest_rollout_under_both_policies() -> None:
    log = rollout(Habits(), Habits(errors=0.15), 300)
    lines = report.sections_for_plan(policy("error_rate > 30%"), policy("error_rate > 5%"), log)
    before, after = lines.index("as it was:"), lines.index("as changed:")
    assert any("not rolled back within the log" in line for line in lines[before:after])
    assert any("rolled back after" in line for line in lines[after:])
    assert sum("false alarms at the present rates" in line for line in lines) == 2
    assert report.HYPOTHETICAL in lines


def test_a_plan_without_events_says_so_and_simulates_assumed_rates() -> None:
    lines = report.sections_for_plan(policy("latency_p50 > 100ms", 48), policy("latency_p50 > 5s", 48), {})
    assert lines[0].startswith("no rollout is in the event log, so nothing can be replayed")
    old, new = (
        next(line for line in lines if line.startswith(label)) for label in ("as it was", "as changed")
    )
    assert "20 of 20 simulated" in old and "0 of 20 simulated" in new
