"""Which language a text is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.language import CODES, language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Where is the parcel that I ordered last week?", "en"),
        ("It’s on our shelf, isn’t it?", "en"),
        ("Hello", "en"),
        ("지난주에 주문한 책은 언제 도착하나요?", "ko"),
        ("Python 3 책 있나요? Fluent Python 원서요", "ko"),
        ("この本はいつ届きますか", "ja"),
        ("这本书什么时候到", "zh"),
        ("Wo bleibt das Paket, welches ich letzte Woche bestellt habe?", "other"),
        ("Où est le colis que nous avons commandé la semaine dernière ?", "other"),
        ("Где моя посылка?", "other"),
        ("42, 17: 9.", "none"),
        ("", "none"),
    ],
)
def test_a_text_is_taken_for_the_language_it_is_in(text: str, code: str) -> None:
    assert language(text) == code


@given(st.text())
def test_every_text_has_one_of_the_known_codes(text: str) -> None:
    assert language(text) in CODES
