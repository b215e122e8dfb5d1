"""Personal data goes, everything else stays, and the same value keeps one placeholder in a conversation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.events.masking import Masking, iban_checksum, luhn

FOUND = [
    ("write to kim.lee+x@shop.example.co.kr today", "write to <EMAIL_1> today"),
    ("메일은 kim@example.com으로 보내세요", "메일은 <EMAIL_1>으로 보내세요"),
    ("번호는010-1234-5678입니다", "번호는<PHONE_1>입니다"),
    ("call 02-345-6789 or 031 123 4567", "call <PHONE_1> or <PHONE_2>"),
    ("call +82 10-1234-5678", "call <PHONE_1>"),
    ("call +1 (415) 555-2671 or (415) 555-2671", "call <PHONE_1> or <PHONE_2>"),
    ("call 415-555-2671.", "call <PHONE_1>."),
    ("call 020 7946 0958", "call <PHONE_1>"),
    ("helpline 1588-1234", "helpline <PHONE_1>"),
    ("card 4111 1111 1111 1111 please", "card <CARD_1> please"),
    ("card 4111-1111-1111-1111 12", "card <CARD_1> 12"),
    ("card 378282246310005", "card <CARD_1>"),
    ("to DE89 3704 0044 0532 0130 00 and back", "to <IBAN_1> and back"),
    ("to gb82west12345698765432.", "to <IBAN_1>."),
    ("ref ab12 GB82WEST12345698765432", "ref ab12 <IBAN_1>"),
    ("주민번호 900101-1234567 입니다", "주민번호 <RESIDENT_NUMBER_1> 입니다"),
    ("from 192.168.10.7:", "from <IP_1>:"),
    ("from 2001:db8::ff00:42:8329.", "from <IP_1>."),
    ("get https://joe:secret@host.example/x?y=1 now", "get <URL_1> now"),
    ("dsn postgres://user:pw@db:5432/x", "dsn <URL_1>"),
]
LEFT = [
    "card 4111 1111 1111 1112",
    "card 0000 0000 0000 0000",
    "to DE89 3704 0044 0532 0130 01",
    "card 3704 0044 0532 0130",
    "born 991301-1234567",
    "isbn 978-3-16-148410-0",
    "on 2026-11-21 at 12:30:45",
    "version 1.2.3.4.5 and 999.1.1.1",
    "order 12345678 for 1,250.00",
    "see https://host.example/path",
    "a @ b, me@, @you",
    "std::vector and a::b",
    "책값은 12000원입니다",
]


@pytest.mark.parametrize(("text", "masked"), FOUND)
def test_personal_data_is_replaced_and_nothing_around_it(text: str, masked: str) -> None:
    assert Masking().text(text) == masked


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert Masking().text(text) == text


def test_a_value_has_one_placeholder_in_a_whole_conversation() -> None:
    masking = Masking()
    masked = masking.value(
        [
            {"role": "user", "content": "I am Kim@Example.com, 010-1234-5678"},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "kim@example.com, 010 1234 5678, b@x.org?"}],
            },
        ]
    )
    assert masked[0]["content"] == "I am <EMAIL_1>, <PHONE_1>"
    assert masked[1]["content"][0]["text"] == "<EMAIL_1>, <PHONE_1>, <EMAIL_2>?"
    assert masking.counts == {"EMAIL": 3, "PHONE": 2}


def test_masking_again_changes_nothing() -> None:
    for text, _ in FOUND:
        once = Masking().text(text)
        assert Masking().text(once) == once


@given(st.text(st.characters(categories=("L", "Z", "P"), exclude_characters="@"), max_size=200))
def test_text_without_digits_and_at_signs_is_left_alone(text: str) -> None:
    assert Masking().text(text) == text


@given(st.text(max_size=60), st.text(max_size=60))
def test_an_address_is_found_wherever_it_stands(before: str, after: str) -> None:
    masked = Masking().text(f"{before} kim.lee@example.com {after}")
    assert "kim.lee@example.com" not in masked


@given(st.integers(10**14, 10**15 - 1))
def test_a_card_is_found_exactly_when_its_last_digit_is_right(stem: int) -> None:
    body = f"4{stem}"[:15]  # sixteen digits with the last one
    valid = [digit for digit in range(10) if luhn(f"{body}{digit}")]
    assert len(valid) == 1
    for digit in range(10):
        found = "<CARD_1>" in Masking().text(f"card {body}{digit} ok")
        assert found == (digit in valid)


def test_the_iban_checksum_finds_every_change_of_one_digit() -> None:
    good = "DE89370400440532013000"
    assert iban_checksum(good)
    for place in range(4, len(good)):
        for digit in "0123456789":
            changed = good[:place] + digit + good[place + 1 :]
            assert iban_checksum(changed) == (changed == good)


@pytest.mark.parametrize("piece", ["a", "0", "4 ", "a@", ":", "DE12 ", "+1 ", "1.", "x://", "0:", "(4"])
def test_the_number_of_steps_stays_linear_in_the_text(piece: str) -> None:
    """A quadratic pattern would take hours here; the test's time-out is the bound."""
    Masking().text(piece * (200_000 // len(piece)))
