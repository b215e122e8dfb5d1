"""What kind of answer a question wants."""

from __future__ import annotations

import pytest

from runner.signals.reask.frames import Frame, frame
from runner.signals.text import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who wrote it?", Frame.PERSON),
        ("When do you open?", Frame.TIME),
        ("At what time do you open?", Frame.TIME),
        ("Where are you?", Frame.PLACE),
        ("Why is it late?", Frame.REASON),
        ("How much is it?", Frame.PRICE),
        ("What is the price of it?", Frame.PRICE),
        ("How many are left?", Frame.NUMBER),
        ("How long does it take?", Frame.LASTING),
        ("Do you have it?", Frame.POLAR),
        ("Can you tell me when you open?", Frame.TIME),
        ("What is new?", Frame.NONE),
        ("I bought it yesterday.", Frame.NONE),
        ("누가 썼나요?", Frame.PERSON),
        ("언제 여나요?", Frame.TIME),
        ("몇 시에 여나요?", Frame.TIME),
        ("어디에 있나요?", Frame.PLACE),
        ("왜 늦나요?", Frame.REASON),
        ("얼마예요?", Frame.PRICE),
        ("얼마나 걸리나요?", Frame.LASTING),
        ("그 책 있나요?", Frame.POLAR),
        ("어제 샀어요.", Frame.NONE),
        ("", Frame.NONE),
    ],
)
def test_the_kind_of_answer_is_told_by_words(text: str, expected: Frame) -> None:
    assert frame(plain(text)) == expected
