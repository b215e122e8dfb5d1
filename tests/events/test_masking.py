"""Personal data goes, everything else stays, and the same value keeps one placeholder in a conversation."""

from __future__ import annotations

import json
import re
from pathlib import Path

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
SPELLINGS = {
    "EMAIL": [
        "홍길동@example.com", "max@müller.de", "max@mu\u0308ller.de", "müller@example.com", "a.b @ example.com",
        "a.b＠example．com", "a.b@\u200bexample.com", "a\u00adb@example.com", '"a b"@example.com',
        "kim@예시.한국",
    ],
    "PHONE": [
        "０１０－１２３４－５６７８", "010–1234–5678", "010‑1234‑5678", "010\u00a01234\u00a05678", "010·1234·5678",
        "010.1234.5678", "010/1234/5678", "010 - 1234 - 5678", "01012345678", "010\u20091234\u20095678",
        "0082-10-1234-5678", "+82(0)10-1234-5678", "821012345678", "0505-123-4567", "0303-123-4567", "012-345-6789",
        "090-1234-5678", "06 12 34 56 78", "+33 6 12 34 56 78", "1-415-555-2671", "+14155552671", "13800138000",
        "138 0013 8000", "030 123456", "07700 900123", "٠١٠-١٢٣٤-٥٦٧٨",
    ],
    "RESIDENT_NUMBER": [
        "900101–1234567", "900101\u00a01234567", "900101 - 1234567", "9001011234567", "９００１０１-1234567",
    ],
    "CARD": [
        "4111.1111.1111.1111", "4111\u00a01111\u00a01111\u00a01111", "4111–1111–1111–1111",
        "4111  1111  1111  1111", "4111_1111_1111_1111", "4111 1111\n1111 1111", "4111 1111\r\n1111 1111",
        "3782 822463 10005", "3530111333300000", "2200000000000004", "４１１１ １１１１ １１１１ １１１１",
    ],
    "IBAN": [
        "DE89.3704.0044.0532.0130.00", "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
        "De89370400440532013000", "DE89  3704  0044  0532  0130  00", "DE89–3704–0044–0532–0130–00",
    ],
    "SSN": ["078-05-1120", "078 05 1120", "078–05–1120"],
    "BUSINESS_NUMBER": ["123-45-67890", "123–45–67890"],
    "IP": ["192.168.1.1", "１９２.１６８.１.１", "2001:db8::8a2e:370:7334", "fe80::1"],
}  # fmt: skip
GLUED = [
    ("++821012345678", "+<PHONE_1>"),
    ("-010-1234-5678", "-<PHONE_1>"),
    (".010-1234-5678", ".<PHONE_1>"),
    ("(02) 123-4567", "(<PHONE_1>"),
    ("phone010-1234-5678", "phone<PHONE_1>"),
    ("tel:01012345678", "tel:<PHONE_1>"),
    ("phone=010-1234-5678", "phone=<PHONE_1>"),
    ("call me at 4155552671", "call me at <PHONE_1>"),
    ("전화 4155552671", "전화 <PHONE_1>"),
    ("IBANDE89370400440532013000", "IBAN<IBAN_1>"),
    ("card4111111111111111", "card<CARD_1>"),
    ("ip:10.1.2.3", "ip:<IP_1>"),
    ("ip:2001:db8::1", "ip:<IP_1>"),
    ("host=10.1.2.3:8080", "host=<IP_1>:8080"),
    ("[2001:db8::1]:443", "[<IP_1>]:443"),
]
LEFT = [
    "version 1.2.3.4",
    "v10.1.2.3",
    "release 10.1.2.3",
    "버전 1.2.3.4",
    "$12.50 or 12,000원 or 1 250 000",
    "isbn 0306406152",
    "ISBN 978-89-01-12345-6",
    "9783161484100",
    "from 1789-1815 or 1999-2003",
    "at 10:30 and 10:30:45",
    "order 123456 or 4321",
    "order 4155552671",
    "AB01012345678",
    "0.4111111111111111",
    "a1::b2 and a::b",
    "2026.11.21 10.30.15",
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


@pytest.mark.parametrize(("entity", "value"), [(e, v) for e, values in SPELLINGS.items() for v in values])
def test_personal_data_is_found_in_every_spelling(entity: str, value: str) -> None:
    assert Masking().text(f"나는 {value} ok") == f"나는 <{entity}_1> ok"


@pytest.mark.parametrize(("text", "masked"), GLUED)
def test_personal_data_is_found_where_it_is_glued_to_a_word(text: str, masked: str) -> None:
    assert Masking().text(text) == masked


@given(st.text("가\u200b①½ﷺ\u0301—é ", max_size=30), st.text("나\u200b①½ﷺ\u0301—é ", max_size=30))
def test_what_stands_around_a_value_stays_as_it_was_written(before: str, after: str) -> None:
    text = f"{before}, kim@example.com, {after}"
    assert Masking().text(text) == f"{before}, <EMAIL_1>, {after}"


def test_keys_numbers_and_json_in_texts_are_masked_too() -> None:
    arguments = '{"to": "alice\\u0040example.com", "more": ["{\\"card\\": 4111111111111111}"], "page": 3}'
    masked = Masking().value(
        {
            "bob@example.com": 1,
            "card": 4111111111111111,
            "born": 9001011234567.0,
            "mobile": 821012345678,
            "phone": 4155552671,
            "created": 1790000000,
            "created_ms": 1790000000000,
            "share": 0.25,
            "ok": True,
            "none": None,
            "arguments": arguments,
        }
    )
    assert masked == {
        "<EMAIL_1>": 1,
        "card": "<CARD_1>",
        "born": "<RESIDENT_NUMBER_1>",
        "mobile": "<PHONE_1>",
        "phone": "<PHONE_2>",
        "created": 1790000000,
        "created_ms": 1790000000000,
        "share": 0.25,
        "ok": True,
        "none": None,
        "arguments": '{"to":"<EMAIL_2>","more":["{\\"card\\":\\"<CARD_1>\\"}"],"page":3}',
    }


def test_a_key_that_comes_twice_hides_nothing() -> None:
    assert "alice" not in Masking().value('{"a": "alice\\u0040example.com", "a": 1}')


def test_json_without_personal_data_stays_as_it_was_written() -> None:
    for text in ('{ "page" : 3 }', "[see note 3]", '"quoted" 10', "{1: 2", '["a", 12]'):
        assert Masking().value(text) == text


def test_what_is_nested_too_deep_to_look_at_is_not_kept() -> None:
    nested: object = "kim@example.com"
    text = "kim@example.com"
    for _ in range(100):
        nested = [nested]
    assert "kim" not in json.dumps(Masking().value(nested))
    for _ in range(8):
        text = json.dumps([text])
    assert "kim" not in Masking().value(text)
    assert "kim" not in Masking().value("[" * 50_000 + "kim@example.com" + "]" * 50_000)


def test_nothing_but_the_planted_personal_data_is_masked_in_the_bookshop() -> None:
    planted = re.compile(
        r"[a-z]+\.[a-z]+[0-9]+@example\.(?:com|org|net)|\(555\) 555-01[0-9]{2}|010-0[0-9]{3}-[0-9]{4}"
        r"|4000 00[0-9]{2} [0-9]{4} [0-9]{4}",
        re.IGNORECASE,
    )
    folder = Path(__file__).parents[2] / "datasets" / "bookshop"
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        pytest.skip(f"no bookshop data in {folder}: fetch it with `dvc pull`")
    rows = [json.loads(row) for file in files for row in file.read_text().splitlines()]
    texts = [row[name] for row in rows for name in ("question", "answer", "text") if name in row]
    personal = 0
    for text in texts:
        masked = Masking().text(text)
        assert re.sub("<[A-Z]+_[0-9]+>", "<>", masked) == planted.sub("<>", text)
        personal += masked != text
    assert len(texts) > 10_000
    assert personal > 500


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


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "0",
        "4 ",
        "a@",
        ":",
        "DE12 ",
        "+1 ",
        "1.",
        "x://",
        "0:",
        "(4",
        "4111 ",
        "1.1.1.1a",
        "FR76",
        "1\u200b",
    ],
)
def test_the_number_of_steps_stays_linear_in_the_text(piece: str) -> None:
    """A quadratic pattern would take hours here; the test's time-out is the bound."""
    Masking().text(piece * (200_000 // len(piece)))
