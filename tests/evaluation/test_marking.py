"""Marks of answers, against the small world's own oracle and against what anybody would say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

import pytest

from runner.evaluation.marking import Row, mark
from runner.signals.refusal.detector import Detector
from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.questions import Question, from_json
from tests.cli.workbench import CHECKOUT

WORLD = CHECKOUT / "datasets" / "bookshop"
ANSWERS = CHECKOUT / "models" / "answers" / "chat-v1.0.jsonl"
DETECTOR = Detector.load()
Told = tuple[int, int, int]
"""Marks that agree with the oracle, that contradict it, that say nothing."""


@cache
def declines(question: str, answer: str) -> bool:
    return bool(DETECTOR.probabilities([question], [answer])[0] >= 0.5)


def marked(question: str, right: str, answer: str) -> bool | None:
    return mark(Row("row", question, right), answer, declines)


@pytest.mark.parametrize(
    ("question", "right", "answer", "expected"),
    [
        ("When do you open?", "9:30 am.", "We open at 09:30.", True),
        ("When do you open?", "9:30 am.", "We open at 10:30.", False),
        ("When do you open?", "9:30 am.", "At 9:30 am or 10:30 am.", False),
        ("When do you open?", "9:30 am.", "Ask Mirel.", False),
        ("Who wrote it?", "Mirel Oakhart.", "It was written by Mirel Oakhart.", True),
        ("Who wrote it?", "Mirel Oakhart.", "Pell Corravan.", False),
        ("Who wrote it?", "Mirel Anna Oakhart.", "Anna.", None),
        ("Tea or coffee?", "Coffee.", "Coffee.", True),
        ("Tea or coffee?", "Coffee.", "Rather coffee!", True),
        ("Tea or coffee?", "Coffee.", "Tea.", False),
        ("Tea or coffee?", "Coffee.", "Coffee rather than tea.", None),
        ("Do you have it?", "No, it is sold out.", "It is sold out.", True),
        ("Do you have it?", "No, it is sold out.", "Yes, 3 copies.", False),
        ("May I smoke?", "No.", "No!", True),
        ("Can you fix my bike?", "Sorry, I cannot help with that.", "I'm sorry, I can't help with it.", True),
        ("Can you fix my bike?", "Sorry, I cannot help with that.", "Sure, turn the screw.", False),
        ("What is it?", "$12.50.", "I'm sorry, I can't help with that.", False),
        ("What is it?", "$12.50.", "", False),
        ("What can I not pay with?", "Cheques.", "We do not take cheques.", True),
        ("Cheques or cards?", "Cheques.", "I cannot say whether cheques.", False),
        ("얼마예요?", "12.50달러입니다.", "12.5달러예요.", True),
        ("얼마예요?", "12.50달러입니다.", "13달러예요.", False),
    ],
)
def test_an_answer_is_marked_as_anybody_would(
    question: str, right: str, answer: str, expected: bool | None
) -> None:
    assert marked(question, right, answer) is expected


def rows(name: str) -> Iterator[dict[str, Any]]:
    with (WORLD / f"{name}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


REGRESSION = [(row, from_json(row)) for row in rows("regression")]
STATED = {(row["fact"], row["language"]): row["text"] for row in rows("statements")}
Answer = Callable[[dict[str, Any], Question, Random], str | None]


def _own(row: dict[str, Any], _question: Question, _random: Random) -> str | None:
    return str(row["answer"])


def _in_a_sentence(row: dict[str, Any], _question: Question, _random: Random) -> str | None:
    return STATED.get((row["fact"], row["language"]))


def _refusal(row: dict[str, Any], question: Question, random: Random) -> str | None:
    refusals = [
        other["answer"]
        for other, asked in REGRESSION
        if asked.expected is None and asked.language is question.language
    ]
    return None if question.expected is None else str(random.choice(refusals))


def _another_value(row: dict[str, Any], question: Question, random: Random) -> str | None:
    """The right answer to another question of the same kind."""
    if question.expected is None:
        return None
    others = [
        other["answer"]
        for other, asked in REGRESSION
        if asked.expected is not None
        and asked.expected.kind is question.expected.kind
        and asked.language is question.language
        and not set(asked.expected.values) & set(question.expected.values)
    ]
    return str(random.choice(others)) if others else None


def _another_fact(row: dict[str, Any], question: Question, random: Random) -> str | None:
    """The right answer to any other question."""
    others = [
        other["answer"]
        for other, asked in REGRESSION
        if asked.language is question.language and asked.fact != question.fact
    ]
    return str(random.choice(others))


def agreement(answer: Answer, good: bool) -> Told:
    """Mark an answer to each question that the oracle calls good, or calls bad."""
    random, agree, contradict, silent = Random(4), 0, 0, 0
    for row, question in REGRESSION:
        given = answer(row, question, random)
        if given is None or judge(question, given).good is not good:
            continue
        found = marked(row["question"], row["answer"], given)
        silent += found is None
        agree += found is good
        contradict += found is (not good)
    return agree, contradict, silent


@pytest.mark.parametrize(
    ("answer", "good", "least", "contradicted"),
    [
        (_own, True, 1.0, 0.0),
        (_in_a_sentence, True, 0.98, 0.01),
        (_refusal, False, 0.99, 0.01),
        (_another_value, False, 0.98, 0.01),
        (_another_fact, False, 0.98, 0.01),
    ],
)
def test_marks_agree_with_the_oracle_of_the_small_world_on_right_and_on_corrupted_answers(
    answer: Answer, good: bool, least: float, contradicted: float
) -> None:
    told = agreement(answer, good)
    asked = sum(told)
    assert asked >= 100, told
    assert told[0] >= least * asked and told[1] <= contradicted * asked, told


def test_marks_agree_with_the_oracle_on_what_a_trained_version_said() -> None:
    if not ANSWERS.exists():
        pytest.skip("the recorded answers are not here: `dvc pull`")
    said = {
        (each["suite"], each["id"]): each["answer"]
        for each in map(json.loads, ANSWERS.read_text().splitlines())
    }
    wrong = 0
    for suite in ("regression", "ood", "adversarial"):
        for row in rows(suite):
            answer = said[suite, row["id"]]
            wrong += marked(row["question"], row["answer"], answer) is not judge(from_json(row), answer).good
    assert wrong <= 0.01 * len(said)
