"""Facts against wrong answers of the small world, whose own oracle says which are wrong; it decides nothing here."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.signals.consistency.support import examine
from runner.signals.facts.check import check
from runner.signals.facts.reference import Reference, read
from runner.simulation.bookshop.oracle import Verdict, judge
from runner.simulation.bookshop.questions import Question, from_json, short_answer
from runner.simulation.bookshop.world import facts

DATA = Path(__file__).parents[3] / "datasets" / "bookshop"
SUITES = ("regression", "ood", "adversarial")


@dataclass(frozen=True)
class Case:
    question: Question
    answer: str
    right: bool


def lines(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def reference() -> Reference:
    if not (DATA / "statements.jsonl").is_file():
        pytest.skip("the bookshop's data is not here: run `dvc pull`")
    return read(lines("statements"), "statements.jsonl")


def cases() -> Iterator[Case]:
    """Yield each question with its right answer, and with the right answer to another question of its topic."""
    rng = random.Random(0)
    every = {fact.id: fact for fact in facts()}
    for question in (from_json(line) for suite in SUITES for line in lines(suite)):
        if question.expected is None:
            continue
        kind, topic = question.expected.kind, every[question.fact].topic
        others = [f for f in every.values() if f.kind is kind and question.language in f.languages]
        rng.shuffle(others)
        others.sort(key=lambda fact: fact.topic != topic)
        said = (short_answer(other, question.language) for other in others)
        wrong = next((answer for answer in said if judge(question, answer) is Verdict.WRONG), None)
        yield Case(question, question.answer, right=True)
        if wrong is not None:
            yield Case(question, wrong, right=False)


def test_wrong_answers_are_contradicted_and_right_ones_are_not(reference: Reference) -> None:
    found = [(case, check(reference, case.question.question, case.answer).value) for case in cases()]
    for language in ("en", "ko"):
        mine = [(c.right, value) for c, value in found if c.question.language.value == language]
        wrong = [value for right, value in mine if not right]
        right = [value for right, value in mine if right]
        alarms = [is_right for is_right, value in mine if value is not None and value < 1.0]
        assert sum(value is not None and value < 1.0 for value in wrong) / len(wrong) > 0.8, language
        assert sum(value is not None and value < 1.0 for value in right) / len(right) < 0.02, language
        assert alarms.count(False) / len(alarms) > 0.97, language
        assert sum(value == 1.0 for value in wrong) / len(wrong) < 0.02, language


def test_no_right_answer_to_the_questions_of_every_day_is_contradicted(reference: Reference) -> None:
    asked = [from_json(line) for line in lines("regression")]
    answered = [question for question in asked if question.expected is not None]
    assert answered
    found = [(q.question, check(reference, q.question, q.answer)) for q in answered]
    assert [each for each in found if each[1].value is not None and each[1].value < 1.0] == []


def test_what_is_consistently_wrong_is_missed_by_consistency_and_found_by_facts(
    reference: Reference,
) -> None:
    wrong = [case for case in cases() if not case.right][::5]
    assert all(examine(case.answer, [case.answer] * 5).consistency == 1.0 for case in wrong)
    assert all(examine(case.answer, [case.answer] * 5).inconsistency < 0.01 for case in wrong)
    caught = [check(reference, case.question.question, case.answer).value == 0.0 for case in wrong]
    assert sum(caught) / len(caught) > 0.8


def test_refusals_and_answers_outside_the_shop_are_not_covered(reference: Reference) -> None:
    outside = [q for q in (from_json(line) for line in lines("ood")) if q.expected is None]
    assert outside
    assert all(check(reference, q.question, q.answer).value is None for q in outside)
