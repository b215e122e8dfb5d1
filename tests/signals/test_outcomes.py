"""What sessions say of their arm: whose it is, how often it counts, and what does not count at all."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from runner.errors import TerminalError
from runner.events.schema import Kind
from runner.signals.detection import Detection
from runner.signals.outcomes import SOURCES, Count, Measures, Outcome, source_of
from runner.signals.sessions import KEPT
from tests.rollout.streams import ROLLOUT, START, content, request, vote

GAP = 1800.0
AT = START


@pytest.fixture
def measures() -> Measures:
    return Measures(ROLLOUT, GAP)


def firsts(outcomes: list[Outcome], metric: str) -> list[tuple[str, float]]:
    return [(o.arm, o.value) for o in outcomes if o.metric == metric and o.how is Count.FIRST]


def closed(outcomes: list[Outcome], metric: str) -> list[float]:
    return [o.value for o in outcomes if o.metric == metric and o.how is Count.CLOSED]


@pytest.mark.parametrize(
    ("fields", "failed", "crashed"),
    [
        ({}, 0.0, 0.0),
        ({"loop.outcome": "error", "error.type": "engine_error"}, 1.0, 0.0),
        ({"loop.outcome": "error", "error.type": "stream_broken"}, 1.0, 1.0),
        ({"loop.outcome": "error", "error.type": "replica_unreachable"}, 1.0, 1.0),
        ({"loop.fell_back": True, "loop.arm": "baseline", "loop.arm.failure": "adapter_missing"}, 1.0, 0.0),
        (
            {"loop.fell_back": True, "loop.arm": "baseline", "loop.arm.failure": "replica_unreachable"},
            1.0,
            1.0,
        ),
    ],
)
def test_the_assigned_arm_is_charged_whoever_answered(
    measures: Measures, fields: dict[str, Any], failed: float, crashed: float
) -> None:
    found = measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", AT, **fields)])
    assert firsts(found, "error_rate") == [("candidate", failed)]
    assert firsts(found, "crash_rate") == [("candidate", crashed)]


def test_a_baseline_that_breaks_off_after_a_fallback_is_no_crash_of_the_candidate(measures: Measures) -> None:
    event = request(
        1,
        "ann",
        "candidate",
        AT,
        **{"loop.fell_back": True, "loop.outcome": "error", "error.type": "stream_broken"},
    )
    assert firsts(measures.absorb(Kind.REQUEST, [event]), "crash_rate") == [("candidate", 0.0)]


@pytest.mark.parametrize("outcome", ["refused", "cancelled"])
def test_what_the_client_caused_says_nothing(measures: Measures, outcome: str) -> None:
    assert (
        measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", AT, **{"loop.outcome": outcome})]) == []
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"loop.rollout": "another"},
        {"loop.rollout": ""},
        {"loop.arm.assigned": "pinned"},
        {"loop.arm.assigned": "experiment"},
        {"loop.arm": None},
        {"loop.weight": None},
    ],
)
def test_requests_outside_the_rollout_or_before_any_arm_are_passed_over(
    measures: Measures, fields: dict[str, Any]
) -> None:
    assert measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", AT, **fields)]) == []


def test_times_are_of_what_users_waited_for_and_tokens_of_the_arms_own_answers(measures: Measures) -> None:
    event = request(1, "ann", "candidate", AT, **{"loop.fell_back": True, "loop.latency_ms": 2500.0})
    found = measures.absorb(Kind.REQUEST, [event])
    assert firsts(found, "latency") == [("candidate", 2.5)]
    assert firsts(found, "answer_tokens") == []
    assert source_of("latency_p99") == "latency" and source_of("error_rate") == "error_rate"


def test_a_session_speaks_once_at_once_and_once_when_it_has_ended(measures: Measures) -> None:
    outcomes = ["ok", "error", "error", "error"]
    events = [
        request(i, "ann", "candidate", AT + 60 * i, **{"loop.outcome": outcome})
        for i, outcome in enumerate(outcomes)
    ]
    assert firsts(measures.absorb(Kind.REQUEST, events), "error_rate") == [("candidate", 0.0)]
    assert measures.tick(AT + 180 + GAP - 1) == []
    assert closed(measures.tick(AT + 180 + GAP + 1), "error_rate") == [0.75]
    assert measures.tick(AT + 10 * GAP) == []


def test_silence_begins_a_new_session_even_before_a_tick(measures: Measures) -> None:
    measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", AT)])
    found = measures.absorb(Kind.REQUEST, [request(2, "ann", "candidate", AT + GAP + 1)])
    assert closed(found, "error_rate") == [0.0] and len(firsts(found, "error_rate")) == 1


def test_named_sessions_of_one_user_are_two_and_one_name_of_two_users_is_two(measures: Measures) -> None:
    seats = [("ann", "a"), ("ann", "b"), ("bob", "a"), ("ann", "a")]
    events = [
        request(i, user, "baseline", AT + i, **{"loop.session": name}) for i, (user, name) in enumerate(seats)
    ]
    assert len(firsts(measures.absorb(Kind.REQUEST, events), "error_rate")) == 3


def test_a_session_keeps_the_arm_in_which_it_began(measures: Measures) -> None:
    events = [
        request(1, "ann", "baseline", AT),
        request(2, "ann", "candidate", AT + 9, **{"loop.outcome": "error"}),
    ]
    measures.absorb(Kind.REQUEST, events)
    found = measures.tick(AT + 2 * GAP)
    assert [(o.arm, o.value) for o in found if o.metric == "error_rate"] == [("baseline", 0.0)]


def test_a_group_that_always_gets_the_candidate_was_not_drawn(measures: Measures) -> None:
    drawn, always = (
        request(1, "ann", "candidate", AT),
        request(2, "bea", "candidate", AT, **{"loop.arm.always": True}),
    )
    found = measures.absorb(Kind.REQUEST, [drawn, always])
    assert {o.pi for o in found if o.metric == "error_rate"} == {0.5, None}
    assert measures.assigned == {0.5: (1, 0)}


def test_the_same_event_twice_counts_once(measures: Measures) -> None:
    event = request(1, "ann", "candidate", AT)
    said = vote(1, "ann", AT, rating=1)
    assert measures.absorb(Kind.REQUEST, [event, dict(event)]) and not measures.absorb(Kind.REQUEST, [event])
    assert len(measures.absorb(Kind.FEEDBACK, [said, dict(said)])) == 1
    assert measures.absorb(Kind.FEEDBACK, [said]) == []


def test_votes_are_ratings_or_thumbs_and_the_first_of_a_user_on_an_answer_counts(measures: Measures) -> None:
    measures.absorb(Kind.REQUEST, [request(i, f"u{i}", "candidate", AT) for i in range(3)])
    votes = [
        vote(0, "u0", AT + 1, thumbs=1),
        vote(0, "u0", AT + 2, thumbs=-1),
        vote(1, "u1", AT + 3, thumbs=-1),
        vote(2, "u2", AT + 4, rating=3),
        vote(2, "u2", AT + 5, thumbs=-1),
    ]
    found = measures.absorb(Kind.FEEDBACK, votes)
    assert [value for _, value in firsts(found, "satisfaction")] == [5.0, 1.0, 3.0]
    assert [value for _, value in firsts(found, "thumbs_down_rate")] == [0.0, 1.0, 1.0]
    assert closed(measures.tick(AT + 2 * GAP), "satisfaction") == [5.0, 1.0, 3.0]


@pytest.mark.parametrize("user", ["mallory", ""])
def test_nobody_votes_on_anothers_answer(measures: Measures, user: str) -> None:
    measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", AT)])
    assert measures.absorb(Kind.FEEDBACK, [vote(1, user, AT + 1, rating=1)]) == []
    assert firsts(measures.absorb(Kind.FEEDBACK, [vote(1, "ann", AT + 2, rating=5)]), "satisfaction")


def test_feedback_on_answers_from_before_the_rollout_is_passed_over(measures: Measures) -> None:
    measures.absorb(Kind.REQUEST, [request(1, "ann", "baseline", AT, **{"loop.rollout": ""})])
    assert measures.absorb(Kind.FEEDBACK, [vote(1, "ann", AT + 1, rating=1)]) == []


def test_a_vote_that_arrives_before_its_request_waits_for_it(measures: Measures) -> None:
    assert measures.absorb(Kind.FEEDBACK, [vote(1, "ann", AT + 1, rating=2)]) == []
    assert firsts(measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", AT)]), "satisfaction") == [
        ("candidate", 2.0)
    ]


@pytest.mark.parametrize("first", [Kind.REQUEST, Kind.CONTENT])
def test_answers_are_joined_with_their_requests_whichever_comes_first(
    measures: Measures, first: Kind
) -> None:
    batches = {
        Kind.REQUEST: [request(1, "ann", "candidate", AT)],
        Kind.CONTENT: [content(1, AT, "Where am I?", "Sorry, I can only help with the bookshop.")],
    }
    order = sorted(batches, key=lambda kind: kind is not first)
    found = [outcome for kind in order for outcome in measures.absorb(kind, batches[kind])]
    assert firsts(found, "refusal_rate") == [("candidate", 1.0)]


def test_a_reask_counts_once_its_window_has_closed_in_both_arms(measures: Measures) -> None:
    asked = "How long can I return a book?"
    plan = [
        ("ann", "candidate", 0, asked),
        ("ann", "candidate", 20, "so how long can I return a book"),
        ("bob", "baseline", 0, asked),
    ]
    for i, (user, arm, after, question) in enumerate(plan):
        session = {"loop.session": str(i)}
        assert not firsts(
            measures.absorb(Kind.REQUEST, [request(i, user, arm, AT + after, **session)]), "reask_rate"
        )
        assert not firsts(
            measures.absorb(Kind.CONTENT, [content(i, AT + after, question, "30 days.")]), "reask_rate"
        )
    assert firsts(measures.tick(AT + 29), "reask_rate") == []
    found = measures.tick(AT + 60)
    assert sorted(firsts(found, "reask_rate")) == [("baseline", 0.0), ("candidate", 0.0), ("candidate", 1.0)]


@pytest.mark.parametrize(
    ("user", "after", "question"), [("ann", 31, "same"), ("bob", 5, "same"), ("ann", 5, "other")]
)
def test_late_foreign_or_other_questions_are_no_reask(
    measures: Measures, user: str, after: float, question: str
) -> None:
    asked = {"same": "How long can I return a book?", "other": "Is there a cafe?"}
    for i, (who, at, what) in enumerate([("ann", AT, "same"), (user, AT + after, question)]):
        measures.absorb(Kind.REQUEST, [request(i, who, "candidate", at, **{"loop.session": str(i)})])
        measures.absorb(Kind.CONTENT, [content(i, at, asked[what], "30 days.")])
    assert {value for _, value in firsts(measures.tick(AT + 90), "reask_rate")} == {0.0}


def test_a_phrase_of_the_policy_counts_as_a_refusal_in_both_arms() -> None:
    arms = {1: "candidate", 2: "baseline"}
    said = [content(i, AT, "Where is it?", "It is on the third shelf, left of the stairs.") for i in arms]
    for keywords, refused in (((), 0.0), (("third SHELF",), 1.0)):
        measures = Measures(ROLLOUT, GAP, detection=Detection(keywords=keywords))
        measures.absorb(Kind.REQUEST, [request(i, f"u{i}", arm, AT) for i, arm in arms.items()])
        found = firsts(measures.absorb(Kind.CONTENT, said), "refusal_rate")
        assert found == [("candidate", refused), ("baseline", refused)]


@pytest.mark.parametrize(("within", "asked_again"), [(30.0, 0.0), (120.0, 1.0)])
def test_a_longer_window_counts_a_later_reask_and_closes_later(within: float, asked_again: float) -> None:
    measures = Measures(ROLLOUT, GAP, detection=Detection(within=within))
    for i, after in enumerate((0, 90)):
        session = {"loop.session": str(i)}
        measures.absorb(Kind.REQUEST, [request(i, "ann", "candidate", AT + after, **session)])
        measures.absorb(
            Kind.CONTENT, [content(i, AT + after, "How long can I return a book?", "Thirty days.")]
        )
    found = [firsts(measures.tick(AT + at), "reask_rate") for at in (91, 90 + within + 4, 90 + within + 6)]
    first, second = [("candidate", asked_again)], [("candidate", 0.0)]
    assert found == ([first, [], second] if within < 90 else [[], first, second])


def test_answers_that_come_together_say_what_they_say_one_by_one() -> None:
    together, alone = Measures(ROLLOUT, GAP), Measures(ROLLOUT, GAP)
    answers = (
        "Sorry, I can only help with the bookshop.",
        "It is 12 dollars.",
        "",
        "답변을 드릴 수 없습니다.",
    )
    said = [content(i, AT + i, f"Question {i}?", answers[i % 4]) for i in range(24)]
    for each in (together, alone):
        each.absorb(Kind.REQUEST, [request(i, f"u{i}", "candidate", AT + i) for i in range(24)])
    found = together.absorb(Kind.CONTENT, said)
    assert found == [outcome for event in said for outcome in alone.absorb(Kind.CONTENT, [event])]
    assert {value for _, value in firsts(found, "refusal_rate")} == {0.0, 1.0}


def test_where_nobody_asks_for_refusals_no_model_is_needed() -> None:
    broken = Detection(model="gone.json")
    measures = Measures(ROLLOUT, GAP, SOURCES - {"refusal_rate"}, detection=broken)
    measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", AT)])
    found = measures.absorb(Kind.CONTENT, [content(1, AT, "Where am I?", "I cannot help with that.")])
    assert firsts(found, "refusal_rate") == []
    with pytest.raises(TerminalError, match=r"gone\.json"):
        Measures(ROLLOUT, GAP, detection=broken)


def test_no_state_holds_what_anybody_wrote(measures: Measures) -> None:
    measures.absorb(Kind.CONTENT, [content(1, AT, "Where is Persuasion?", "I cannot help with Persuasion.")])
    assert "ersuasion" not in json.dumps(measures.to_json())


def test_without_content_nothing_is_known_of_refusals_and_reasks(measures: Measures) -> None:
    found = measures.absorb(Kind.REQUEST, [request(i, f"u{i}", "candidate", AT) for i in range(50)])
    found += measures.tick(AT + 2 * GAP)
    assert not {o.metric for o in found} & {"refusal_rate", "reask_rate", "satisfaction", "thumbs_down_rate"}


def test_a_clock_that_steps_back_breaks_nothing_and_makes_no_negative_time(measures: Measures) -> None:
    times = [AT, AT - 5, AT - 2 * GAP, AT + 3 * GAP, AT - 9 * GAP, 0.0]
    found: list[Outcome] = []
    for i, at in enumerate(times):
        found += measures.absorb(
            Kind.REQUEST, [request(i, "ann", "candidate", at, **{"loop.latency_ms": -3.0})]
        )
        found += measures.tick(at)
    found += measures.tick(AT + 20 * GAP)
    assert all(min(o.values) >= 0.0 for o in found)
    counted = Counter(o.how for o in found if o.metric == "error_rate")
    assert counted[Count.FIRST] == counted[Count.CLOSED] > 1


def test_a_user_who_is_never_silent_counts_anew_after_a_while_in_the_arm_that_he_has_then(
    measures: Measures,
) -> None:
    arms = ["baseline" if minute < 30 else "candidate" for minute in range(0, 150, 10)]
    found = [
        outcome
        for at, arm in enumerate(arms)
        for outcome in measures.absorb(Kind.REQUEST, [request(at, "bot", arm, AT + at * 600.0)])
    ]
    assert firsts(found, "error_rate") == [("baseline", 0.0), ("candidate", 0.0), ("candidate", 0.0)]


def test_an_endless_session_keeps_a_bounded_even_sample(measures: Measures) -> None:
    for i in range(5000):
        failed = {"loop.outcome": "error"} if i % 4 == 1 else {}
        measures.absorb(Kind.REQUEST, [request(i, "bot", "candidate", AT + i, **failed)])
    found = measures.tick(AT + 5000 + GAP)
    latencies = [o.values for o in found if o.metric == "latency"]
    assert len(latencies) == 1 and KEPT / 2 <= len(latencies[0]) <= KEPT
    assert closed(found, "error_rate") == [pytest.approx(0.25, abs=0.001)]


def test_reading_it_back_goes_on_as_if_it_had_never_stopped(measures: Measures) -> None:
    asked = "How long can I return a book?"
    before = [request(1, "ann", "candidate", AT), request(2, "bob", "baseline", AT)]
    measures.absorb(Kind.REQUEST, before)
    measures.absorb(Kind.CONTENT, [content(1, AT, asked, "30 days."), content(9, AT, "later", "no")])
    measures.absorb(Kind.FEEDBACK, [vote(1, "ann", AT + 1, thumbs=1), vote(9, "cat", AT, thumbs=-1)])
    copy = Measures.from_json(json.loads(json.dumps(measures.to_json())))
    for each in (measures, copy):
        each.told = [  # type: ignore[attr-defined]
            *each.absorb(
                Kind.REQUEST,
                [before[0], request(9, "cat", "candidate", AT + 3), request(3, "ann", "candidate", AT + 9)],
            ),
            *each.absorb(Kind.CONTENT, [content(3, AT + 9, asked, "30 days.")]),
            *each.absorb(Kind.FEEDBACK, [vote(1, "ann", AT + 8, thumbs=-1)]),
            *each.tick(AT + 100),
            *each.tick(AT + 3 * GAP),
        ]
    assert measures.told == copy.told  # type: ignore[attr-defined]
    assert measures.to_json() == copy.to_json()
