"""A cause that is planted is found, by the check meant for it and with the figure; without figures nothing is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from runner.economics.checks import Limit, Rule, Unit, fact, held, worst
from runner.economics.diagnose import ASKED, Diagnosis, Question, Subject, diagnose
from runner.economics.records import Evaluated, Run
from runner.economics.variety import Pairs, effective
from runner.feedback.preferences.findings import Check as SetCheck
from runner.feedback.preferences.findings import Finding, Verdict
from runner.feedback.records import Choice
from runner.signals.readings.estimates import Estimate
from runner.spec.model import GateVerdict
from tests.economics.runs import run
from tests.economics.situations import SPEC
from tests.feedback.arenas import ballot

KINDS = {"factual_qa": 80, "comparison": 30, "creative": 20, "problem_solving": 40, "explanation": 30}
ASKED_NOW = {
    "category": {name: 10 * count for name, count in KINDS.items()},
    "language": {"en": 1600, "ko": 400},
}
SERVED = {
    ("parity", "parity"): Estimate(0.01, 0.005, 0.02, 24),
    ("load", "latency_p99"): Estimate(0.3, 0.2, 0.4, 600),
    ("load", "error_rate"): Estimate(0.001, 0.0, 0.005, 600),
}
PASS, FAIL, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE


def pairs(kinds: dict[str, int] = KINDS, topics: int = 10_000) -> Pairs:
    """Return pairs of these categories, a fifth of them Korean, on so many different questions."""
    names = [name for name, count in kinds.items() for _ in range(count)]
    words = [
        f"{chr(97 + n % 26) * 4} {chr(97 + n // 26 % 26) * 5} {n * 7919 % 10_007}" for n in range(len(names))
    ]
    return Pairs(
        Counter(names),
        Counter("ko" if n % 5 == 0 else "en" for n in range(len(names))),
        tuple(f"user: {words[n % topics]}" for n in range(len(names))),
    )


def votes(said: list[tuple[Choice, Choice]], neither: int = 0, taken: float = 3000.0) -> tuple[Any, ...]:
    """Return what two people said of the same answers, item by item, and votes for neither of other answers."""
    found = [
        ballot(2 * n + who, "a", "b", choice, comparison=f"c{n}", user=f"u{who}", taken_ms=taken)
        for n, both in enumerate(said)
        for who, choice in enumerate(both)
    ]
    # both see the same two answers
    return tuple(
        replace(each, left=replace(each.left, response=f"{each.comparison}-l"),
                right=replace(each.right, response=f"{each.comparison}-r"))
        for each in found
    ) + tuple(ballot(10_000 + n, "a", "b", Choice.NEITHER, taken_ms=taken) for n in range(neither))  # fmt: skip


AGREED = [(Choice.LEFT, Choice.LEFT), (Choice.RIGHT, Choice.RIGHT)] * 60


def finding(check: SetCheck, value: float, limit: float, verdict: Verdict = Verdict.PASS) -> Finding:
    return Finding(check, verdict, value, value, value, limit, 200)


ACCOUNT = (
    finding(SetCheck.CLEAR_WINNERS, 0.85, 0.7),
    finding(SetCheck.SIDE, 0.51, 0.6),
    finding(SetCheck.LONGER, 0.52, SPEC.policies.collection.sets.longer_share),
    finding(SetCheck.LENGTH_GAIN, 1.1, SPEC.policies.collection.sets.max_length_gain),
    finding(SetCheck.RATER, 0.1, 0.4),
)
HEALTHY = Subject(
    name="chat-v1.1",
    parent="chat-v1.0",
    account=ACCOUNT,
    votes=votes(AGREED),
    pairs=pairs(),
    asked=ASKED_NOW,
    run=run(accuracy=0.78, told_apart=0.97),
    evaluated=Evaluated(SERVED),
    parent_known={("regression", "accuracy"): Estimate(0.97, 0.95, 0.98, 597)},
    collection=SPEC.policies.collection,
    evaluation=SPEC.policies.evaluation,
    least_pairs=100,
)


def verdicts(found: Diagnosis) -> dict[Question, GateVerdict]:
    return {each.question: each.verdict for each in found.answers}


def failed(found: Diagnosis) -> set[str]:
    return {check.name for answer in found.answers for check in answer.checks if check.verdict is FAIL}


def test_a_version_of_which_everything_is_well_has_no_cause():
    found = diagnose(HEALTHY)
    assert (found.verdict, found.cause) == (PASS, None), [
        check for answer in found.answers for check in answer.checks if check.verdict is not PASS
    ]
    assert set(verdicts(found)) == set(Question) == set(ASKED)


PLANTED: dict[str, tuple[Question, dict[str, Any]]] = {
    "clear_winners": (
        Question.QUALITY,
        {"account": (finding(SetCheck.CLEAR_WINNERS, 0.4, 0.7, Verdict.FAIL), *ACCOUNT[1:])},
    ),
    "longer_share": (
        Question.QUALITY,
        {"account": (*ACCOUNT[:2], finding(SetCheck.LONGER, 0.9, 0.7, Verdict.FAIL), *ACCOUNT[3:])},
    ),
    "coverage": (Question.DIVERSITY, {"pairs": pairs({"factual_qa": 200}), "asked": None}),
    "near_duplicates": (Question.DIVERSITY, {"pairs": pairs(topics=120)}),
    "pairs": (Question.VOLUME, {"pairs": pairs({name: count // 4 for name, count in KINDS.items()})}),
    "different_pairs": (Question.VOLUME, {"pairs": pairs(topics=40)}),
    "margin": (Question.HYPERPARAMETERS, {"run": run(margin=0.01)}),
    "satisfied": (Question.HYPERPARAMETERS, {"run": run(margin=3.9, recipe={"beta": 3.0})}),
    "movement": (Question.HYPERPARAMETERS, {"run": run(margin=0.5, recipe={"beta": 5.0})}),
    "chosen_fall": (Question.HYPERPARAMETERS, {"run": run(chosen=-0.8)}),
    "saturation": (Question.HYPERPARAMETERS, {"run": run(accuracy=1.0, told_apart=None)}),
    "held_out_gap": (Question.OVERFITTING, {"run": run(accuracy=0.99, told_apart=0.5)}),
    "beta": (Question.OVERFITTING, {"run": run(recipe={"beta": 0.01})}),
    "parent_accuracy": (
        Question.BASE_MODEL,
        {"parent_known": {("regression", "accuracy"): Estimate(0.6, 0.55, 0.65, 597)}},
    ),
    "both_bad": (Question.BASE_MODEL, {"votes": votes(AGREED, neither=400)}),
    "category_mismatch": (
        Question.DISTRIBUTION,
        {"asked": {**ASKED_NOW, "category": {"factual_qa": 10, "creative": 900}}},
    ),
    "language_mismatch": (Question.DISTRIBUTION, {"asked": {**ASKED_NOW, "language": {"ko": 900}}}),
    "parity": (
        Question.INFRASTRUCTURE,
        {"evaluated": Evaluated({**SERVED, ("parity", "parity"): Estimate(2.0, 1.5, 2.5, 24)})},
    ),
    "latency_p99": (
        Question.INFRASTRUCTURE,
        {"evaluated": Evaluated({**SERVED, ("load", "latency_p99"): Estimate(9.0, 8.0, 10.0, 600)})},
    ),
}


@pytest.mark.parametrize("check", PLANTED)
def test_a_planted_cause_fails_its_check_and_says_what_to_change(check):
    question, changed = PLANTED[check]
    found = diagnose(replace(HEALTHY, **changed))
    assert check in failed(found)
    assert verdicts(found)[question] is FAIL
    (own,) = [each for answer in found.answers for each in answer.checks if each.name == check]
    assert own.value is not None and own.fix


def test_people_who_contradict_each_other_fail_agreement_and_contradictions():
    contrary = [(Choice.LEFT, Choice.RIGHT), (Choice.RIGHT, Choice.LEFT)] * 100
    assert failed(diagnose(replace(HEALTHY, votes=votes(contrary)))) == {"agreement", "contradictions"}


def test_which_side_an_answer_stood_on_makes_no_difference_to_agreement():
    turned = tuple(
        replace(
            each,
            left=each.right,
            right=each.left,
            choice=Choice.RIGHT if each.choice is Choice.LEFT else Choice.LEFT,
        )
        if each.user == "u1"
        else each
        for each in HEALTHY.votes or ()
    )
    assert diagnose(replace(HEALTHY, votes=turned)) == diagnose(HEALTHY)


def test_somebody_who_clicks_through_is_told():
    quick = tuple(
        replace(each, taken_ms=100.0) if n % 3 == 0 else each for n, each in enumerate(HEALTHY.votes or ())
    )
    assert failed(diagnose(replace(HEALTHY, votes=quick))) == {"quick_votes"}


def test_without_any_figure_nothing_is_proven_and_every_check_says_what_would_supply_it():
    nothing = replace(
        HEALTHY,
        account=None,
        votes=None,
        pairs=None,
        asked=None,
        run=Run(),
        evaluated=Evaluated(),
        parent_known={},
    )
    found = diagnose(nothing)
    assert set(verdicts(found).values()) == {INCONCLUSIVE}
    assert all(check.fix and check.value is None for answer in found.answers for check in answer.checks)
    limits = {check.name: check.limit for answer in found.answers for check in answer.checks}
    assert limits == {
        check.name: check.limit for answer in diagnose(HEALTHY).answers for check in answer.checks
    }


def test_of_several_causes_the_earliest_on_the_way_to_users_comes_first():
    causes = dict(PLANTED.values())
    course_ = run(margin=0.01, accuracy=1.0, told_apart=0.4)
    planted = {**causes, Question.HYPERPARAMETERS: {"run": course_}, Question.OVERFITTING: {"run": course_}}
    planted[Question.DIVERSITY] = planted[Question.VOLUME] = {"pairs": pairs({"factual_qa": 20})}
    left = [question for question in Question if question not in (Question.DIVERSITY, Question.OVERFITTING)]
    while left:
        changes = {key: value for question in left for key, value in planted[question].items()}
        found = diagnose(replace(HEALTHY, **changes))
        broken = [question for question, verdict in verdicts(found).items() if verdict is FAIL]
        assert broken == sorted(broken, key=list(Question).index)
        assert found.cause is not None and found.cause.question is broken[0] is left.pop(0)


@pytest.mark.parametrize("side", Limit)
def test_a_limit_is_kept_or_passed_only_by_the_whole_interval(side):
    rule = Rule("r", "m", Unit.SHARE, side, 0.5, "cure", "supply")
    below, above, across = (Estimate(v, v - 0.1, v + 0.1, 9) for v in (0.3, 0.7, 0.5))
    kept, broken = (above, below) if side is Limit.AT_LEAST else (below, above)
    assert (held(rule, kept).verdict, held(rule, kept).fix) == (PASS, "")
    assert (held(rule, broken).verdict, held(rule, broken).fix) == (FAIL, "cure")
    assert held(rule, across).verdict is INCONCLUSIVE
    assert held(rule, Estimate(0.3, None, None, 9)).verdict is INCONCLUSIVE
    assert (held(rule, None).verdict, held(rule, None).fix) == (INCONCLUSIVE, "supply")
    assert held(rule, fact(0.5)).verdict is PASS, "the limit itself is allowed"


def test_no_verdict_at_all_is_no_pass():
    assert worst(()) is INCONCLUSIVE
    assert worst((PASS, INCONCLUSIVE)) is INCONCLUSIVE
    assert worst((INCONCLUSIVE, FAIL, PASS)) is FAIL


def test_the_effective_number_of_kinds_is_their_number_where_they_are_even():
    assert effective(dict.fromkeys("abcd", 0.25)) == pytest.approx(4.0)
    assert effective({"a": 1.0, "b": 0.0}) == pytest.approx(1.0)
