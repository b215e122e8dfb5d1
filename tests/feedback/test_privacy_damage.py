"""What masking costs: how much of text without personal data it takes away, and what hostile text costs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.feedback.privacy import Scrubber, engine, presidio
from runner.feedback.privacy.found import Finder, Found
from runner.feedback.privacy.public import of_texts
from runner.simulation.bookshop.questions import Split
from runner.simulation.bookshop.suites import shipped, statements
from runner.spec.privacy import Entity, PrivacyPolicy
from tests.feedback.test_privacy import nobody

IMPERSONAL = ("plain", "out_of_scope", "unknown_book", "false_premise", "new_wording")
"""Traits of questions in which nobody says anything of themselves."""
MASKED_PER_1000 = 1.5
"""Most values masked in 1,000 words; measured are 0.7, and most of these are countries that somebody asks about."""
SAMPLE = 8
"""Of so many texts one is looked at."""

Texts = list[tuple[str, str]]


@pytest.fixture(scope="module")
def texts() -> Texts:
    """The shop's questions and answers in which nobody speaks of themselves, with their language."""
    return [
        (text, row.language.value)
        for split in (Split.REFERENCE, Split.REGRESSION, Split.TRAIN, Split.OOD)
        for row in shipped(split)
        if row.trait in IMPERSONAL
        for text in (row.question, row.answer)
    ]


@pytest.fixture(scope="module")
def facts() -> list[str]:
    return [text for _, _, text in statements()]


def test_recognisers_mask_nothing_where_nobody_speaks_of_themselves(texts: Texts, facts: list[str]) -> None:
    scrubber = Scrubber(PrivacyPolicy(), tagger=nobody)
    looked = texts[:: SAMPLE // 2] + [(text, "en") for text in facts]
    assert len(looked) > 2000
    assert [text for text, language in looked if scrubber.find(text, language)] == []


def test_with_names_and_places_it_takes_few_words_away_and_no_author(texts: Texts, facts: list[str]) -> None:
    scrubber = Scrubber(PrivacyPolicy(), public=of_texts(facts))
    looked = texts[1::SAMPLE] + texts[::SAMPLE]
    words = sum(len(text.split()) for text, _ in looked)
    masked = sum(len(scrubber.find(text, language)) for text, language in looked)
    assert words > 8000
    assert 1000 * masked / words < MASKED_PER_1000
    asked = ("Who wrote The Lantern Ledger?", "Do you have anything by Mirel Oakhart?")
    assert scrubber.scrub(asked, "en").texts == asked


@pytest.mark.parametrize("piece", ["1", "1 ", "a.", "가로1길", "12 Aaa Bbb ", "<EMAIL_1>"])
def test_a_text_is_searched_in_pieces_so_the_work_grows_with_its_length_and_no_faster(
    monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    """Whatever a text holds, no search sees more than a piece of it: counted are the characters searched."""
    searched: list[int] = []

    def count(text: str) -> Iterator[Found]:
        searched.append(len(text))
        return iter(())

    finder = Finder("counted", frozenset({Entity.DATE}), bool, count)
    counting = presidio.engine((finder,))
    monkeypatch.setattr(engine, "_finders", lambda _: (finder,))
    monkeypatch.setattr(engine, "_engine", lambda _: counting)
    for size in (20_000, 80_000):
        searched.clear()
        assert list(engine.structured(piece * (size // len(piece)), frozenset({Entity.DATE}))) == []
        assert max(searched) <= engine.PIECE
        assert sum(searched) <= 1.1 * size


HOSTILE = (
    "1 ",
    "12-",
    "iban DE89 37",
    "@",
    "a@b.c ",
    "http://",
    "ssn 1 passport 2 id 3 ",
    "born 5 May ",
    "(",
    "…1",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_masked_to_its_last_word(piece: str) -> None:
    scrubber = Scrubber(PrivacyPolicy(), tagger=nobody)
    text = piece * (20_000 // len(piece)) + "\nI am Ann Lee, write to a@x.com"
    (masked,) = scrubber.scrub([text], "en").texts
    last = masked.splitlines()[-1]
    assert last.startswith("I am <NAME_1>, write to <EMAIL_") and last.endswith(">")


def test_a_text_of_a_megabyte_is_masked_to_its_last_word() -> None:
    scrubber = Scrubber(PrivacyPolicy(entities=(Entity.EMAIL, Entity.PHONE)))
    text = "lorem ipsum dolor sit amet " * 40_000
    (masked,) = scrubber.scrub([text + "call (555) 555-0154 or a@x.com"], "en").texts
    assert masked == text + "call <PHONE_1> or <EMAIL_1>"
