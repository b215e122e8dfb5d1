"""Text that the gateway has masked already, as nearly all text of the log: its placeholders are left alone."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.events.masking import Masking
from runner.feedback.privacy import Scrubber
from runner.feedback.privacy.readable import readable
from runner.feedback.privacy.standing import placed
from runner.spec.privacy import Entity, PrivacyPolicy, Replacement

SCRUBBER = Scrubber(PrivacyPolicy())
NAMELESS = Scrubber(PrivacyPolicy(), tagger=lambda text, language: ())
TAGGING = Scrubber(PrivacyPolicy(replacement=Replacement.TAG))
PLACEHOLDER = re.compile("<[A-Z_]+_[0-9]+>")

GATEWAYS = ("CARD", "PHONE", "EMAIL", "IBAN", "IP", "URL", "RESIDENT_NUMBER", "BUSINESS_NUMBER", "SSN")
OURS = tuple(entity.value.upper() for entity in Entity)
ENGLISH = (
    "My card is {0} and phone {1}, thanks",
    "call {0} or mail {1}",
    "I am {name}, reach me at {0} or {1}.",
    "Dear shop,\nmy order did not come. Write to {0}, please.\n{name}\n{1}",
    "{name} lives at {address}, {0}",
    "Is {0} still right? My old one was {1}.",
    "From: {name} <{0}>\nTo: {1}\n\nWhere is my parcel?",
)
KOREAN = (
    "카드 번호 {0} 입니다",
    "주민등록번호는 {0}입니다",
    "제 이름은 {kname}이고 연락처는 {0}입니다",
    "{kname} 님에게 {0} 또는 {1}로 연락해 주세요.",
    "배송지는 {kaddress}, 전화는 {0}입니다.",
)
VALUES = {
    "name": st.sampled_from(("Ann Lee", "Hugo Hill", "Minsu Kim", "Maria Rossi")),
    "address": st.sampled_from(("12 Harbour Street, Springfield", "7 Mill Lane, Leeds")),
    "kname": st.sampled_from(("김민수", "이서연", "박지훈")),
    "kaddress": st.sampled_from(("서울특별시 강남구 테헤란로 152", "경기도 성남시 분당구 정자동 178-1번지")),
}
TYPED = st.sampled_from(
    (
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "(555) 555-0154",
        "345-899-3560x4587",
        "+82 10-1234-5678",
        "010-1234-5678",
        "ann@example.com",
        "DE89370400440532013000",
        "900101-1234568",
        "10.20.30.40",
    )
)
"""What the gateway knows, and what it knows in part."""


@st.composite
def said(draw: st.DrawFn, standing: st.SearchStrategy[str]) -> tuple[str, str]:
    """Return a text with two values of a kind in it, and its language."""
    language, templates = draw(st.sampled_from((("en", ENGLISH), ("ko", KOREAN))))
    named = {name: draw(values) for name, values in VALUES.items()}
    return draw(st.sampled_from(templates)).format(draw(standing), draw(standing), **named), language


def gateways() -> st.SearchStrategy[str]:
    return st.builds(
        lambda kind, number: f"<{kind}_{number}>", st.sampled_from(GATEWAYS + OURS), st.integers(1, 12)
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("My card is <CARD_1> and phone <PHONE_1>, thanks", "en"),
        ("call <PHONE_1> or mail <EMAIL_1>", "en"),
        ("<NAME_1> lives in <PLACE_1>, <ADDRESS_1>", "en"),
        ("Name: <NAME_1>\nAddress: <ADDRESS_1>\nPhone: <PHONE_1>", "en"),
        ("카드 번호 <CARD_1> 입니다", "ko"),
        ("주민등록번호는 <RESIDENT_NUMBER_1>입니다", "ko"),
    ],
)
def test_of_a_text_in_which_nothing_is_left_nothing_is_masked(text: str, language: str) -> None:
    scrubbed = SCRUBBER.scrub([text], language)
    assert scrubbed.texts == (text,)
    assert sum(scrubbed.counts.values()) == len(PLACEHOLDER.findall(text))
    assert SCRUBBER.find(text, language) == []


@settings(max_examples=150, deadline=None)
@given(said(gateways()))
def test_every_placeholder_stays_once_and_in_order_and_counts_once(of: tuple[str, str]) -> None:
    text, language = of
    scrubbed = SCRUBBER.scrub([text], language)
    before = PLACEHOLDER.findall(text)
    fresh = {each for each in PLACEHOLDER.findall(scrubbed.texts[0]) if each not in before}
    assert [each for each in PLACEHOLDER.findall(scrubbed.texts[0]) if each not in fresh] == before
    found = Counter(each.entity.value for each in SCRUBBER.find(text, language))
    kinds = {
        "RESIDENT_NUMBER": "national_number",
        "BUSINESS_NUMBER": "national_number",
        "SSN": "national_number",
    }
    standing = Counter(
        kinds.get(kind, kind.lower()) for kind in (each[1:].rpartition("_")[0] for each in before)
    )
    assert Counter(scrubbed.counts) == found + standing


@settings(max_examples=150, deadline=None)
@given(said(TYPED))
def test_scrubbing_what_was_scrubbed_changes_nothing(of: tuple[str, str]) -> None:
    text, language = of
    for scrubber in (SCRUBBER, TAGGING):
        once = scrubber.scrub([text], language)
        assert scrubber.scrub(once.texts, language).texts == once.texts
    assert (
        SCRUBBER.scrub(SCRUBBER.scrub([text], language).texts, language).counts
        == SCRUBBER.scrub([text], language).counts
    )


@settings(max_examples=150, deadline=None)
@given(said(TYPED))
def test_where_the_gateway_masked_first_the_same_words_are_left_as_where_all_is_masked_at_once(
    of: tuple[str, str],
) -> None:
    text, language = of
    (once,) = SCRUBBER.scrub([text], language).texts
    (twice,) = SCRUBBER.scrub([Masking().text(text)], language).texts
    assert re.findall(r"\w+", PLACEHOLDER.sub(" ", twice)) == re.findall(r"\w+", PLACEHOLDER.sub(" ", once))


def test_what_is_left_of_a_value_that_reaches_over_a_placeholder_is_masked_beside_it() -> None:
    text = "see https://shop.example/reset?user=<EMAIL_1>&token=abc123 now"
    assert SCRUBBER.scrub([text], "en").texts == ("see <URL_1><EMAIL_1><URL_2> now",)


def test_an_extension_goes_with_the_telephone_that_stands_before_it() -> None:
    text = "Fax: <PHONE_1>x4587, desk <PHONE_2> ext. 12, card <CARD_1>x4587"
    assert SCRUBBER.scrub([text], "en").texts == ("Fax: <PHONE_1>, desk <PHONE_2>, card <CARD_1>x4587",)
    assert [text[each.start : each.end] for each in SCRUBBER.find(text, "en")] == ["x4587", " ext. 12"]
    assert Scrubber(PrivacyPolicy(entities=(Entity.EMAIL,))).scrub([text], "en").texts == (text,)


@given(st.text(alphabet="<>_1 EMAILnamex\n", max_size=60))
def test_what_only_looks_like_a_placeholder_is_none(text: str) -> None:
    for start, end in placed(text):
        assert re.fullmatch("<[A-Z_]+_[0-9]+>|<[a-z_]+>", text[start:end])


def test_control_characters_and_reversed_text_are_not_carried_on() -> None:
    text = "\x1b[31mred\x1b[0m\x07 \0end\r\nof \u202egnp.exe\u202c\x9b\ttab\n\u2067x\u2069 e\u0301 👩\u200d💻"
    assert NAMELESS.scrub([text], "en").texts == ("red end\nof gnp.exe\ttab\nx e\u0301 👩\u200d💻",)


def test_what_a_control_character_hides_is_found_and_its_place_is_told_in_the_text_as_it_was() -> None:
    text = "\x07mail a\0nn@exam\x1b[0mple.com\x07 now"
    assert NAMELESS.scrub([text], "en").texts == ("mail <EMAIL_1> now",)
    (found,) = NAMELESS.find(text, "en")
    assert text[found.start : found.end] == "a\0nn@exam\x1b[0mple.com\x07"


@given(st.text(alphabet="ab\r\n\x1b[0m\0\u202e\u2069\x85\x0b\x7f\t ", max_size=40))
def test_what_is_readable_has_no_control_characters_stays_so_and_leads_back(text: str) -> None:
    clean = readable(text)
    assert not set(clean.text) & set(map(chr, [*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2069]))
    assert readable(clean.text).text == clean.text
    places = clean.origin(range(len(clean.text)))
    assert all(
        text[place] == sign or (sign == "\n" and text[place] in "\r\n\x0b\x85")
        for place, sign in zip(places, clean.text, strict=True)
    )
