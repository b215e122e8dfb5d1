"""The texts of one conversation, masked together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.privacy import Scrubbed, Scrubber
from runner.feedback.privacy.found import Found
from runner.feedback.privacy.public import of_texts
from runner.feedback.privacy.resolution import resolved
from runner.spec.privacy import Entity, PrivacyPolicy, Replacement

NAMES = re.compile(r"(?:Mr\. )?(?:Kim Minsu|Minsu Kim|Kim|Ann Lee|Bob Lee|Lee|A\. Lee|Mirel Oakhart|김민수)")
PLACES = re.compile("Springfield|부산")


@dataclass(frozen=True)
class Tag:
    start: int
    end: int
    entity: str
    score: float = 0.9


def tagger(text: str, language: str) -> Iterator[Tag]:
    """Know a few names, as they are introduced: `I am`, `is`, `Mr.` or `by` before them."""
    for match in re.finditer(rf"(?:I am|is|name:|by|this is|제 이름은) ({NAMES.pattern})", text):
        yield Tag(*match.span(1), "name")
    for match in re.finditer(r"Mr\. Kim|A\. Lee", text):
        yield Tag(*match.span(), "name")
    for match in PLACES.finditer(text):
        yield Tag(*match.span(), "place")


def scrub(*texts: str, language: str = "en", **policy: Any) -> Scrubbed:
    return Scrubber(PrivacyPolicy.model_validate(policy), tagger=tagger).scrub(texts, language)


def test_a_value_has_one_pseudonym_in_all_texts_of_a_conversation_and_others_have_their_own() -> None:
    masked = scrub("a@x.com and b@x.com", "B@X.COM wrote to a@x.com", "c@x.com")
    assert masked.texts == ("<EMAIL_1> and <EMAIL_2>", "<EMAIL_2> wrote to <EMAIL_1>", "<EMAIL_3>")
    assert masked.counts == {"email": 5}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@x.com", "A@X.Com"),
        ("+82 10-1234-5678", "010-1234-5678"),
        ("4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("https://www.example.com/", "http://example.com"),
        ("12 Harbour Street", "12 Harbour STREET"),
    ],
)
def test_spellings_of_one_value_have_one_pseudonym(one: str, other: str) -> None:
    masked = scrub(f"this: {one}", f"again: {other}")
    assert masked.texts[0].removeprefix("this: ") == masked.texts[1].removeprefix("again: ")
    assert masked.texts[0].endswith("_1>")


@pytest.mark.parametrize("order", list(permutations(["Kim Minsu", "Minsu Kim", "Mr. Kim"])))
def test_a_name_in_another_order_or_with_a_title_is_the_same_person(order: tuple[str, ...]) -> None:
    masked = scrub(*(f"this is {name} speaking" for name in order))
    assert set(masked.texts) == {"this is <NAME_1> speaking"}


def test_a_part_of_a_name_that_two_people_have_is_neither_of_them() -> None:
    masked = scrub("I am Ann Lee", "this is Bob Lee", "this is Lee")
    assert masked.texts == ("I am <NAME_1>", "this is <NAME_2>", "this is <NAME_3>")
    assert scrub("I am Ann Lee", "this is A. Lee").texts[1] == "this is <NAME_1>"


def test_a_name_that_was_said_once_is_masked_wherever_it_stands() -> None:
    masked = scrub("I am Ann Lee", "Thank you, Ann Lee!", "Ann Leeson and AnnLee are others")
    assert masked.texts == ("I am <NAME_1>", "Thank you, <NAME_1>!", "Ann Leeson and AnnLee are others")
    masked = scrub("제 이름은 김민수입니다", "김민수는 부산에 살아요", language="ko")
    assert masked.texts == ("제 이름은 <NAME_1>입니다", "<NAME_1>는 <PLACE_1>에 살아요")


def test_placeholders_that_are_there_stay_and_numbers_go_on_behind_them() -> None:
    masked = scrub("<EMAIL_1> and <PHONE_4>, also a@x.com", "call (555) 555-0154 or <EMAIL_2>")
    assert masked.texts == (
        "<EMAIL_1> and <PHONE_4>, also <EMAIL_3>",
        "call <PHONE_5> or <EMAIL_2>",
    )
    assert masked.counts == {"email": 3, "phone": 2}


def test_the_gateways_own_kinds_count_as_the_policys() -> None:
    masked = scrub("<SSN_1> <RESIDENT_NUMBER_1> <BUSINESS_NUMBER_2> <OTHER_1>")
    assert masked.counts == {"national_number": 3}


def test_tags_have_no_numbers_and_take_the_place_of_the_gateways_pseudonyms() -> None:
    masked = scrub("<EMAIL_1>, a@x.com, I am Ann Lee, <SSN_2>", replacement=Replacement.TAG)
    assert masked.texts == ("<email>, <email>, I am <name>, <national_number>",)


def test_scrubbing_again_changes_nothing() -> None:
    texts = (
        "I am Ann Lee, a@x.com, 12 Harbour Street, Springfield, IL 62704",
        "born 3 May 1985, (555) 555-0154",
    )
    once = scrub(*texts)
    assert scrub(*once.texts) == once


def test_a_conversation_with_an_entity_that_excludes_is_named_even_if_the_gateway_masked_it_already() -> None:
    rule: dict[str, Any] = {"exclude_with": (Entity.CARD, Entity.IBAN)}
    assert scrub("my card 4111 1111 1111 1111", **rule).excluded == ("card",)
    assert scrub("my card <CARD_1>", **rule).excluded == ("card",)
    assert scrub("a@x.com", **rule).excluded == ()


def test_what_excludes_is_sought_but_masked_only_where_the_policy_names_it() -> None:
    masked = scrub("a@x.com 4111 1111 1111 1111", entities=(Entity.EMAIL,), exclude_with=(Entity.CARD,))
    assert masked.texts == ("<EMAIL_1> 4111 1111 1111 1111",)
    assert (masked.counts, masked.excluded) == ({"email": 1}, ("card",))


def test_the_shops_own_words_stay_and_a_visitors_do_not() -> None:
    public = of_texts(
        [
            "Mirel Oakhart wrote it.",
            "The shop is at 12 Harbour Street, since 3 May 1985.",
            "책은 미렐 오카트입니다",
        ]
    )
    scrubber = Scrubber(PrivacyPolicy(), public=public, tagger=tagger)
    own = "A book by Mirel Oakhart, at 12 Harbour Street since 3 May 1985?"
    assert scrubber.scrub([own], "en").texts == (own,)
    assert scrubber.scrub(["I am Ann Lee of 13 Harbour Street"], "en").texts == (
        "I am <NAME_1> of <ADDRESS_1>",
    )
    assert public("미렐 오카트") and public("MIREL OAKHART's") and public("Mirel")
    assert not public("Oakhart wrote the") and not public("")


def test_an_email_address_is_never_public() -> None:
    scrubber = Scrubber(PrivacyPolicy(), public=of_texts(["write to info@shop.example"]), tagger=tagger)
    assert scrubber.scrub(["info@shop.example"], "en").texts == ("<EMAIL_1>",)


def spans() -> st.SearchStrategy[list[Found]]:
    each = st.builds(
        lambda start, size, entity, score: Found(start, start + size, entity, score),
        st.integers(0, 40),
        st.integers(1, 20),
        st.sampled_from((Entity.NAME, Entity.ADDRESS, Entity.PHONE, Entity.CARD)),
        st.sampled_from((0.5, 0.7, 1.0)),
    )
    return st.lists(each, max_size=8)


@given(spans())
def test_of_what_overlaps_everything_certain_is_covered_and_nothing_twice(found: list[Found]) -> None:
    text = "ab cd, ef gh " * 5
    kept = resolved(text, found)
    assert all(one.end <= other.start for one, other in combinations(kept, 2))
    covered = {place for each in kept for place in range(each.start, each.end)}
    for each in found:
        assert covered & set(range(each.start, each.end))
    assert covered <= {place for each in found for place in range(each.start, each.end)} | blanks(text)


def blanks(text: str) -> set[int]:
    """Return the places between the parts of an address or name."""
    return {place for place, sign in enumerate(text) if not sign.isalnum()}


@given(spans())
def test_the_order_in_which_things_are_found_does_not_matter(found: list[Found]) -> None:
    text = "ab cd, ef gh " * 5
    assert resolved(text, found) == resolved(text, list(reversed(found)))


def test_what_is_left_of_an_address_beside_a_number_is_masked_too() -> None:
    text = "Apt 5 12 Harbour Street 555-0154 Springfield"
    number = Found(24, 32, Entity.PHONE, 0.8)
    street = Found(6, 44, Entity.ADDRESS, 0.6)
    kept = [(each.entity.value, text[each.start : each.end]) for each in resolved(text, [number, street])]
    assert kept == [("address", "12 Harbour Street"), ("phone", "555-0154"), ("address", "Springfield")]


def test_without_names_places_and_addresses_in_the_policy_no_tagger_is_asked() -> None:
    def refuse(text: str, language: str) -> Iterable[Tag]:
        raise AssertionError((text, language))

    scrubber = Scrubber(PrivacyPolicy(entities=(Entity.EMAIL,)), tagger=refuse)
    assert scrubber.scrub(["a@x.com"], "en").texts == ("<EMAIL_1>",)


@given(st.lists(st.text(alphabet="aA1 @.x<>_EMAIL\n-", max_size=60), max_size=4))
def test_as_many_texts_come_out_as_go_in_and_what_has_nothing_comes_out_as_it_was(texts: list[str]) -> None:
    masked = scrub(*texts)
    assert len(masked.texts) == len(texts)
    if not masked.counts:
        assert masked.texts == tuple(texts)
