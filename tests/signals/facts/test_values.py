"""Values are read out of free text in every usual spelling, and other values stay other values."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.signals.facts.values import _READERS, LONGEST, Kind, Value, values, without_values


@pytest.mark.parametrize(
    ("spellings", "value"),
    [
        (("$12.50", "12.5 dollars", "12.50달러", "12.50 USD"), Value(Kind.MONEY, "12.5")),
        (("₩15,000", "15,000원", "15000 won"), Value(Kind.MONEY, "15000")),
        (("6:30 pm", "18:30", "6:30 p.m.", "오후 6시 30분", "저녁 6시 반"), Value(Kind.TIME, "18:30")),
        (("11 am", "11:00", "11am.", "오전 11시"), Value(Kind.TIME, "11:00")),
        (("12 am", "00:00", "오전 12시"), Value(Kind.TIME, "00:00")),
        (("we are closed", "월요일은 휴무입니다"), Value(Kind.TIME, "closed")),
        (("15%", "15 percent", "15 per cent", "15퍼센트"), Value(Kind.PERCENT, "15")),
        (("in 1987", "1987년"), Value(Kind.YEAR, "1987")),
        (("30 days", "30-day window", "30일"), Value(Kind.COUNT, "30", "day")),
        (("2 months", "two months", "2개월", "두 달"), Value(Kind.COUNT, "2", "month")),
        (("3 copies", "3권", "세 권", "3 left in stock"), Value(Kind.STOCK, "3")),
        (("sold out", "out of stock", "품절입니다"), Value(Kind.STOCK, "0")),
        (("second floor", "2nd floor", "2층"), Value(Kind.FLOOR, "2")),
        (("shelf E2", "e-2 서가"), Value(Kind.CODE, "e2")),
        (("on Sundays", "일요일에"), Value(Kind.WEEKDAY, "sunday")),
        (("9 stamps", "9 STAMPS"), Value(Kind.COUNT, "9", "stamps")),
        (("about 42.", "42"), Value(Kind.NUMBER, "42")),
    ],
)
def test_a_value_is_the_same_in_every_spelling(spellings: tuple[str, ...], value: Value) -> None:
    for text in spellings:
        assert value in values(text), f"{text}: {values(text)}"


@pytest.mark.parametrize(
    "text", ["Paper Moths at Noon", "who wrote it", "그 책은 누가 썼나요", "", "a book we like", "iPhone"]
)
def test_where_no_value_stands_none_is_read(text: str) -> None:
    assert values(text) == frozenset()


def test_a_text_without_its_values_keeps_everything_else_in_its_place() -> None:
    rest = without_values("The Lantern costs $23.25 on shelf E2.")
    assert rest.split() == ["The", "Lantern", "costs", "on", "shelf", "."]


def test_no_reader_repeats_anything_without_end() -> None:
    """A repetition that has no bound would make the work on a text grow faster than the text."""
    for pattern, _ in _READERS:
        assert not re.search(r"[*+]", pattern.pattern), pattern.pattern


@pytest.mark.parametrize("unit", ["1", "٣", "1,", "1.", "1:", "12 ", "$", "1 a", "a1", "a", "1st ", "\ufdfa"])
def test_a_megabyte_of_anything_is_read_so_far_and_no_further(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert values(text) == values(text[:LONGEST])
    assert len(without_values(text)) <= LONGEST


@pytest.mark.parametrize(
    "text", ["1" * 16, "1" * 400, "1" * 16 + " dollars", "1" * 16 + ".5%", "٣", "٣٣ days"]
)
def test_what_is_no_number_that_anybody_means_is_no_value(text: str) -> None:
    assert values(text) == frozenset()


def test_fullwidth_digits_are_digits() -> None:
    assert values("１２．５０ dollars") == {Value(Kind.MONEY, "12.5")}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_read_and_taking_values_out_keeps_its_length_or_its_folding(text: str) -> None:
    found = values(text)
    assert all(each.text for each in found)
    assert values(text) == found


@given(st.integers(0, 23), st.integers(0, 59))
def test_every_time_of_day_is_read_alike_in_both_halves_and_both_languages(hour: int, minute: int) -> None:
    said = f"{hour % 12 or 12}:{minute:02d} {'am' if hour < 12 else 'pm'}"
    korean = f"{'오전' if hour < 12 else '오후'} {hour % 12 or 12}시 {minute}분"
    expected = Value(Kind.TIME, f"{hour:02d}:{minute:02d}")
    assert values(said) == values(korean) == {expected} and expected in values(f"{hour:02d}:{minute:02d}")
