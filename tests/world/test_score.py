"""The report: shares add up, and a question without an answer is no verdict."""

from __future__ import annotations

import pytest

from runner.errors import TerminalError
from runner.simulation.bookshop.questions import Split
from runner.simulation.bookshop.score import judged, report
from runner.simulation.bookshop.suites import shipped

SUITE = shipped(Split.REGRESSION)


def test_the_answers_of_reference_score_full_marks() -> None:
    found = report(judged(SUITE, {question.id: question.answer for question in SUITE}))
    assert found["questions"] == len(SUITE)
    assert found["right"] == found["right_in_scope"] == found["refused_rightly"] == 1
    assert set(found["language"].values()) == set(found["category"].values()) == {1}


def test_one_wrong_answer_costs_one_share_everywhere_it_counts() -> None:
    first = next(question for question in SUITE if question.expected)
    answers = {question.id: question.answer for question in SUITE} | {first.id: "no idea"}
    found = report(judged(SUITE, answers))
    assert found["right"] == round(1 - 1 / len(SUITE), 4)
    assert found["refused_rightly"] == 1
    assert found["category"][first.category] < 1


def test_a_question_without_an_answer_is_an_error_and_not_a_wrong_answer() -> None:
    with pytest.raises(TerminalError, match=rf"1 of {len(SUITE)} questions have no answer"):
        judged(SUITE, {question.id: question.answer for question in SUITE[1:]})
