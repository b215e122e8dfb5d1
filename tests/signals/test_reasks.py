"""Which questions count as asked again, and how alike two texts of any kind are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.reask import asked_again, likeness, sketch
from runner.signals.reask.runs import grams
from runner.signals.reask.runs import likeness as overlap


@given(st.text(), st.text())
def test_likeness_is_symmetric_and_between_0_and_1(one: str, other: str) -> None:
    found = likeness(sketch(one), sketch(other))
    assert 0.0 <= found <= 1.0 + 1e-12
    assert found == pytest.approx(likeness(sketch(other), sketch(one)))


@given(st.text(), st.text())
def test_so_is_the_overlap_of_runs(one: str, other: str) -> None:
    found = overlap(grams(one), grams(other))
    assert 0.0 <= found <= 1.0
    assert found == overlap(grams(other), grams(one))


@given(st.text(alphabet="abc 가나다", min_size=1).filter(lambda text: text.strip()))
def test_a_question_is_like_itself_in_any_dress(text: str) -> None:
    assert overlap(grams(text), grams(f"  {text.upper()}?! ")) == pytest.approx(1.0)
    assert likeness(sketch(text), sketch(f"  {text.upper()}?! ")) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("How long can I return a book?", "how long can I return books??"),
        ("How much is 'Cinder Lake'?", "so how much is Cinder Lake"),
        ("책은 언제까지 반품할 수 있나요?", "책 언제까지 반품할 수 있나요"),
    ],
)
def test_the_same_question_in_other_words_is_asked_again(before: str, after: str) -> None:
    assert asked_again(sketch(before), sketch(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("How long can I return a book?", "Do you have a cafe?"),
        ("책은 언제까지 반품할 수 있나요?", "카페가 있나요?"),
        ("?!", "?!"),
        ("", ""),
    ],
)
def test_another_question_is_not(before: str, after: str) -> None:
    assert not asked_again(sketch(before), sketch(after))
