"""What counts as a word, a name, a number, and where sentences end, in English and Korean."""

from __future__ import annotations

import pytest

from runner.signals.consistency.words import LONGEST, MOST, Sort, sentences, words


def keys(text: str, *sorts: Sort) -> list[str]:
    return [word.key for word in words(text) if not sorts or word.sort in sorts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("He left. He came back!", ("He left.", "He came back!")),
        ("Dr. Ada Kim met J. Park. They spoke.", ("Dr. Ada Kim met J. Park.", "They spoke.")),
        ("It costs $12.50. Bring cash.", ("It costs $12.50.", "Bring cash.")),
        ("일요일에 엽니다. 오전 11시입니다.", ("일요일에 엽니다.", "오전 11시입니다.")),
        ("First line\nsecond line", ("First line", "second line")),
        ("11 am.", ("11 am.",)),
        ("  ", ()),
    ],
)
def test_sentences_end_where_they_end_and_not_at_abbreviations_or_amounts(
    text: str, parts: tuple[str, ...]
) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,200 people", "1200 people"),
        ("12.50", "12.5"),
        ("the 3rd", "the 3"),
        ("10am", "10 a.m."),
        ("opening", "opened"),
        ("close", "closes"),
        ("서점은", "서점이"),
        ("오카트입니다", "오카트"),
        ("Straße", "STRASSE"),
        ("the owner’s", "the owner's"),
    ],
)
def test_spellings_of_one_word_have_one_key(one: str, other: str) -> None:
    assert keys(one) == keys(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1987", "1978"), ("E2", "E3"), ("6.5", "65"), ("10:30", "10:00")]
)
def test_other_numbers_and_codes_have_other_keys(one: str, other: str) -> None:
    assert keys(one, Sort.NUMBER) and keys(one) != keys(other)


def test_a_capital_makes_a_name_inside_a_sentence_and_not_at_its_beginning() -> None:
    assert keys("Yesterday Ada Kim sang", Sort.NAME) == ["ada", "kim"]
    assert keys("Singing is fun", Sort.NAME) == []


def test_function_words_are_told_apart_in_both_languages() -> None:
    assert keys("it is on the shelf", Sort.FUNCTION) == ["it", "is", "on", "the"]
    assert keys("네, 2권 있습니다.", Sort.NUMBER) == ["2"]
    assert "있습니다" in keys("네, 2권 있습니다.", Sort.FUNCTION)


@pytest.mark.parametrize("unit", ["I. ", "Ab. ", ".", "\n", "a", "1", "1.", '."', "Ab ", "1a", "가1"])
def test_a_megabyte_of_anything_is_read_so_far_and_no_further(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert sentences(text) == sentences(text[:LONGEST])
    assert len(sentences(text)) <= MOST and sum(map(len, sentences(text))) <= LONGEST
    assert words(text) == words(text[:LONGEST])


def test_a_text_of_many_initials_is_one_sentence() -> None:
    assert sentences("I. " * 1000) == (("I. " * 1000).strip(),)
