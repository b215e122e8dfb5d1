"""A/B among several versions: who wins with certainty, who does not by luck, and what is withheld."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runner.events.schema import Kind
from runner.report import experiments as report
from runner.rollout.experiments import EVERYBODY, Answer, Comparison, Design, Metric, Result, Rules, evaluate
from runner.rollout.participants import read
from runner.signals.detection import Detection
from runner.signals.text import spoken
from tests.rollout.logs import START_US, Habits, Log, empty, experiment

TWO = Design("x-1", "tone", ("chat-v1.0", "chat-v1.1"), (0.5, 0.5))
THREE = Design("x-3", "three", ("chat-v1.0", "chat-v1.1", "chat-v1.2"), (0.5, 0.25, 0.25))
ALIKE = {"chat-v1.0": Habits(), "chat-v1.1": Habits()}


def result(design: Design, log: Log) -> Result:
    return evaluate(design, log[Kind.REQUEST], log[Kind.FEEDBACK], log[Kind.CONTENT], Rules())


def answers(found: Result, segment: str = EVERYBODY) -> dict[tuple[Metric, str, str], Comparison]:
    (own,) = (each for each in found.segments if each.name == segment)
    return {(each.metric, each.first, each.second): each for each in own.comparisons}


@pytest.mark.parametrize(
    ("metric", "worse"),
    [
        (Metric.ERRORS, Habits(errors=0.08)),
        (Metric.LATENCY, Habits(latency=0.8)),
        (Metric.SATISFACTION, Habits(liked=0.5)),
        (Metric.REFUSALS, Habits(refusals=0.15)),
    ],
)
def test_a_version_that_is_worse_in_one_thing_loses_there_and_nowhere_else(
    metric: Metric, worse: Habits
) -> None:
    for loser, habits in (
        (1, {"chat-v1.0": Habits(), "chat-v1.1": worse}),
        (0, {"chat-v1.0": worse, "chat-v1.1": Habits()}),
    ):
        found = answers(result(TWO, experiment("x-1", habits, 3000)))
        for (name, _, _), each in found.items():
            expected = (Answer.FIRST if loser else Answer.SECOND) if name is metric else Answer.NONE
            assert each.answer is expected, each
            assert (each.needed is None) or expected is Answer.NONE


def test_versions_that_are_alike_have_no_winner_in_any_of_many_worlds() -> None:
    design = Design("x-1", "tone", TWO.versions, TWO.weights)
    for seed in range(12):
        found = result(design, experiment("x-1", ALIKE, 600, groups=("public", "beta", "staff"), seed=seed))
        assert {each.answer for part in found.segments for each in part.comparisons} == {Answer.NONE}


def test_a_difference_in_one_segment_is_found_there() -> None:
    log = experiment("x-1", ALIKE, 1500, groups=("public",))
    spoiled = {"chat-v1.0": Habits(), "chat-v1.1": Habits(errors=0.2)}
    experiment("x-1", spoiled, 1500, groups=("beta",), seed=1, into=log)
    found = result(TWO, log)
    key = (Metric.ERRORS, *TWO.versions)
    assert [part.name for part in found.segments] == [EVERYBODY, "beta", "public"]
    assert answers(found, "beta")[key].answer is Answer.FIRST
    assert answers(found, "public")[key].answer is Answer.NONE
    # Two directions of each pair and metric in each segment share the error rate.
    assert found.hypotheses == 2 * len(Metric) * 3


def test_three_versions_are_compared_in_pairs_at_their_own_shares() -> None:
    habits = {"chat-v1.0": Habits(), "chat-v1.1": Habits(errors=0.1), "chat-v1.2": Habits()}
    found = answers(result(THREE, experiment("x-3", habits, 4000, weights=THREE.weights)))
    error = {
        (first, second): each.answer
        for (metric, first, second), each in found.items()
        if metric is Metric.ERRORS
    }
    assert error == {
        ("chat-v1.0", "chat-v1.1"): Answer.FIRST,
        ("chat-v1.0", "chat-v1.2"): Answer.NONE,
        ("chat-v1.1", "chat-v1.2"): Answer.SECOND,
    }


def test_a_split_that_is_not_as_declared_withholds_every_answer_and_says_so() -> None:
    habits = {"chat-v1.0": Habits(), "chat-v1.1": Habits(errors=0.3)}
    found = result(TWO, experiment("x-1", habits, 2000, weights=(0.6, 0.4)))
    assert found.segments[0].split.found
    assert {each.answer for each in answers(found).values()} == {Answer.WITHHELD}
    text = report.to_text([found])
    assert "WITHHELD: users are not split as declared (chat-v1.0 1" in text
    assert "is better" not in text


def test_users_count_once_in_the_split_however_much_they_ask() -> None:
    log = experiment("x-1", ALIKE, 200)
    once = result(TWO, log).segments[0].split
    eager = next(event for event in log[Kind.REQUEST] if event["loop.version.assigned"] == "chat-v1.1")
    more = [
        {**eager, "event.id": f"more-{n}", "event.time": eager["event.time"] + n * 7_200_000_000}
        for n in range(500)
    ]
    log[Kind.REQUEST] += more
    assert result(TWO, log).segments[0].split == once


def test_only_the_first_request_of_a_session_counts() -> None:
    log = experiment("x-1", ALIKE, 1)
    (event,) = log[Kind.REQUEST]
    for number, minutes in enumerate((1, 2, 20, 45)):  # 45 is within the gap of 20
        again = {"event.id": f"again-{number}", "event.time": event["event.time"] + minutes * 60_000_000}
        log[Kind.REQUEST].append({**event, **again, "loop.outcome": "error"})
    assert [each.error for each in read(TWO, log[Kind.REQUEST], [], [], 1800.0)] == [False]
    assert len(read(TWO, log[Kind.REQUEST], [], [], 900.0)) == 3


def test_the_latest_vote_of_the_same_user_counts_and_others_do_not() -> None:
    log = experiment("x-1", {"chat-v1.0": Habits(votes=0.0), "chat-v1.1": Habits(votes=0.0)}, 1)
    (event,) = log[Kind.REQUEST]

    def vote(number: int, user: str, **said: Any) -> dict[str, Any]:
        at = {"event.time": START_US + number, "gen_ai.response.id": event["gen_ai.response.id"]}
        return {"event.id": f"v{number}", **at, "loop.user": user, **said}

    votes = [
        vote(2, event["loop.user"], **{"loop.rating": 4}),
        vote(1, event["loop.user"], **{"loop.thumbs": -1}),
        vote(3, "somebody", **{"loop.rating": 1}),
    ]
    (session,) = read(TWO, [event], votes, [], 1800.0)
    assert session.badness == 0.25


def test_a_fallback_is_the_assigned_versions_failure_and_its_speed_is_not_counted() -> None:
    log = experiment("x-1", ALIKE, 1)
    (session,) = read(
        TWO, [{**log[Kind.REQUEST][0], "loop.fell_back": True, "loop.outcome": "ok"}], [], [], 1.0
    )
    assert (session.error, session.latency, session.refused) == (True, None, None)


def test_other_experiments_other_groups_and_clients_mistakes_are_left_out() -> None:
    log = experiment("x-1", ALIKE, 1)
    (event,) = log[Kind.REQUEST]
    others = [{**event, "loop.experiment": "x-2"}, {**event, "loop.outcome": "refused"}]
    assert read(TWO, others, [], [], 1.0) == []
    beta = Design("x-1", "tone", TWO.versions, TWO.weights, groups=("beta",))
    assert read(beta, [event], [], [], 1.0) == []


def test_a_phrase_of_the_policy_counts_as_a_refusal_of_every_version() -> None:
    log = experiment("x-1", {"chat-v1.0": Habits(refusals=0.0), "chat-v1.1": Habits(refusals=0.0)}, 60)
    events = log[Kind.REQUEST], log[Kind.FEEDBACK], log[Kind.CONTENT]
    phrase = spoken(log[Kind.CONTENT][0]["gen_ai.output.messages"])
    for detection, refused in ((Detection(), {None, False}), (Detection(keywords=(phrase,)), {None, True})):
        found = read(TWO, *events, 1800.0, detection=detection)
        assert {each.version for each in found if each.refused is not None} == set(TWO.versions)
        assert {each.refused for each in found} | {None} == refused
        assert evaluate(TWO, *events, Rules(detection=detection)).segments[0].sessions == len(found)


def test_without_events_nothing_is_claimed() -> None:
    found = result(TWO, empty())
    assert [part.name for part in found.segments] == [EVERYBODY]
    assert {each.answer for each in answers(found).values()} == {Answer.NONE}
    assert {figure.estimate.value for figure in found.segments[0].figures} == {None}
    assert "no answer yet" in report.to_text([found])


def test_missing_sessions_foretold_are_about_enough() -> None:
    habits = {"chat-v1.0": Habits(), "chat-v1.1": Habits(errors=0.06)}
    key = (Metric.ERRORS, *TWO.versions)
    decided = 0
    for seed in range(8):
        early = answers(result(TWO, experiment("x-1", habits, 500, seed=seed)))[key]
        if early.needed is not None:
            later = answers(result(TWO, experiment("x-1", habits, 500 + 2 * early.needed, seed=seed)))[key]
            decided += later.answer is Answer.FIRST
    assert decided >= 4


def test_figures_are_told_in_their_units_with_intervals() -> None:
    text = report.to_text(
        [result(TWO, experiment("x-1", {"chat-v1.0": Habits(), "chat-v1.1": Habits(errors=0.2)}, 2000))]
    )
    told = r"error_rate: chat-v1\.0 or chat-v1\.1: chat-v1\.0 is better \(\d\.\d\d% against \d\d\.\d%\)"
    assert re.search(told, text)
    assert "everybody: 2000 sessions of 2000 users" in text
    for line in text.splitlines():
        if line.strip().startswith("latency_p95  "):
            assert " ms [" in line
        if line.strip().startswith("satisfaction  "):
            assert "4." in line


def test_answers_do_not_depend_on_the_order_of_the_events() -> None:
    log = experiment("x-1", {"chat-v1.0": Habits(), "chat-v1.1": Habits(errors=0.2)}, 800)
    turned = {kind: events[::-1] for kind, events in log.items()}
    assert result(TWO, log) == result(TWO, turned)
