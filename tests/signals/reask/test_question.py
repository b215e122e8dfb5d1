"""A question is kept as numbers: enough to compare it, too little to read it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.reask import NOTHING, Question, likeness, sketch

TEXTS = st.text(alphabet="aeno wait,12 가는책아니?", max_size=80)


@given(TEXTS)
def test_it_comes_back_from_json(text: str) -> None:
    question = sketch(text)
    again = Question.from_json(json.loads(json.dumps(question.to_json())))
    assert again == question
    assert hash(again) == hash(question)
    assert again.weight == question.weight
    assert likeness(again, question) == likeness(question, question)


def test_its_json_holds_numbers_alone() -> None:
    def leaves(value: object) -> list[object]:
        return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]

    found = leaves(sketch("Where is order 77, no wait, 78 of Miss Marple?").to_json())
    assert found
    assert all(type(leaf) is int for leaf in found)


@pytest.mark.parametrize("text", ["", " ", "?!", "...", "🙂"])
def test_a_text_without_words_is_nothing_and_like_nothing(text: str) -> None:
    assert sketch(text) == NOTHING
    assert likeness(sketch(text), sketch(text)) == 0.0
    assert likeness(sketch(text), sketch("Where are you?")) == 0.0


@pytest.mark.parametrize(
    "value", [None, 3, [1, 2, 3], "abcd", [[1], [], [], "x"], [["x"], [], [], 0], [[], [], 0]]
)
def test_what_is_no_sketch_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Question.from_json(value)


@given(st.text(max_size=2000))
def test_any_text_has_a_sketch_of_bounded_size(text: str) -> None:
    assert len(sketch(text).said) <= 4 * 512 * 4


def test_what_it_takes_back_is_said_and_not_meant() -> None:
    question = sketch("How much is the red, no wait, the blue scarf?")
    assert question.corrected
    assert question.meant < question.said
    assert not sketch("How much is the blue scarf?").corrected
