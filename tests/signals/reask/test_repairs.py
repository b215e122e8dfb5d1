"""What a question means that corrects itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.reask.repairs import repaired
from runner.signals.text import plain


def meant(text: str) -> str:
    return " ".join(repaired(plain(text))[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When, no wait, where is the shop?", "where is the shop"),
        ("How much is the red, I mean the blue one?", "the blue one"),
        ("Do you post to Spain or rather to Malta?", "to malta"),
        ("no wait, I meant where is the shop?", "where is the shop"),
        ("Is it open, er, on Monday, sorry, on Tuesday?", "on tuesday"),
        ("교환, 아니 반품은 어떻게 하나요?", "반품은 어떻게 하나요"),
        ("토요일에, 그게 아니라 일요일에 여나요?", "일요일에 여나요"),
    ],
)
def test_what_follows_the_last_marker_is_meant(text: str, expected: str) -> None:
    assert meant(text) == expected


def test_what_is_named_as_wrong_after_the_repair_is_not_meant() -> None:
    assert meant("How long does Spain, no wait, Malta not Spain take?") == "malta take"
    assert meant("How long does Spain, no, not Spain but Malta take?") == "malta take"


@pytest.mark.parametrize(
    "text",
    [
        "Why is there no parking?",
        "How long do I have to wait?",
        "Would you rather read it first?",
        "How long can I return a book?",
        "이 책이 아니면 무엇이 있나요?",
    ],
)
def test_words_that_can_be_markers_are_none_in_plain_questions(text: str) -> None:
    before, after = repaired(plain(text))
    assert not before
    assert len(after) == len(plain(text).split())


def test_a_marker_at_the_end_takes_nothing_back() -> None:
    assert repaired("where is the shop, sorry") == ([], ["where", "is", "the", "shop", "sorry"])


@given(st.text(alphabet="ab 가. ,sorry nowait not아니", max_size=60))
def test_every_word_comes_from_the_text_and_some_word_is_always_meant(text: str) -> None:
    before, after = repaired(plain(text))
    assert all(word in plain(text) for word in before + after)
    assert bool(after) == any(letter.isalnum() for letter in text)
