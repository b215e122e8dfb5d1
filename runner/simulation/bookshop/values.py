"""Kinds of value that an answer can hold, how each is written, and how it is read back out of free text.

Writing and reading live together so that they cannot disagree. Used by the facts (to write answers) and by
the oracle (to find every value of a kind in an answer). Pure computation; knows nothing of the bookshop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """The two languages of the shop."""

    ENGLISH = "en"
    KOREAN = "ko"


class Kind(StrEnum):
    """What sort of value a question asks for; behind each kind its canonical spelling."""

    MONEY = "money"  # dollars, two decimals: "12.50"
    CLOCK = "clock"  # 24 hours: "09:30", or "closed"
    YEAR = "year"  # "1987"
    PERCENT = "percent"  # "15"
    SHELF = "shelf"  # "B2"
    PAGES = "pages"
    COPIES = "copies"  # "0" is sold out
    DAYS = "days"
    MONTHS = "months"
    PEOPLE = "people"
    STAMPS = "stamps"
    PERSON = "person"  # words from here on: the English name
    TITLE = "title"
    SECTION = "section"
    WEEKDAY = "weekday"
    PLACE = "place"
    THING = "thing"


@dataclass(frozen=True, slots=True)
class Word:
    """A value that is a word: its names, and further English spellings that mean the same."""

    en: str
    ko: str
    also: tuple[str, ...] = ()

    def forms(self, language: Language) -> tuple[str, ...]:
        """Return every spelling in one language."""
        return (self.ko,) if language is Language.KOREAN else (self.en, *self.also)


Lexicon = Mapping[Kind, tuple[Word, ...]]

_UNITS = {
    Kind.PAGES: ("page", "pages", "쪽"),
    Kind.COPIES: ("copy", "copies", "권"),
    Kind.DAYS: ("day", "days", "일"),
    Kind.MONTHS: ("month", "months", "개월"),
    Kind.PEOPLE: ("person", "people", "명"),
    Kind.STAMPS: ("stamp", "stamps", "개"),
}
_MONEY = re.compile(
    r"\$\s?(\d+(?:\.\d{1,2})?)|(?<![\d.])(\d+(?:\.\d{1,2})?)\s?(?:dollars?\b|usd\b|달러)", re.IGNORECASE
)
_CLOCK = re.compile(
    r"(?P<h12>\d{1,2})(?::(?P<m12>\d{2}))?\s?(?P<half>[ap])\.?m\b"
    r"|(?P<ko>오전|오후)\s?(?P<hko>\d{1,2})시(?:\s?(?P<mko>\d{1,2})분|\s?(?P<ban>반))?"
    r"|(?<![\d:])(?P<h24>\d{1,2}):(?P<m24>\d{2})(?!\s?[ap]\.?m)",
    re.IGNORECASE,
)
_CLOSED = re.compile(r"\bclosed\b|휴무|쉽니다", re.IGNORECASE)
_SOLD_OUT = re.compile(r"\bsold out\b|\bout of stock\b|품절", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?(?:%|percent\b|per cent\b|퍼센트|프로)", re.IGNORECASE)
_SHELF = re.compile(r"(?<![A-Za-z0-9])([A-H])[\s-]?(\d{1,2})(?!\d)", re.IGNORECASE)


def show(kind: Kind, value: str, language: Language, lexicon: Lexicon) -> str:
    """Write a canonical value as people say it, `12.50` as `$12.50`. Raises KeyError if unknown."""
    korean = language is Language.KOREAN
    if kind in lexicon:
        word = next((w for w in lexicon[kind] if w.en == value), None)
        if word is None:
            raise KeyError(f"{kind.value} {value!r}")
        return word.ko if korean else word.en
    if kind in _UNITS:
        one, many, ko = _UNITS[kind]
        return f"{value}{ko}" if korean else f"{value} {one if value == '1' else many}"
    if kind is Kind.CLOCK:
        return _show_clock(value, language)
    english, in_korean = _SHOWN[kind]
    return (in_korean if korean else english).format(value)


_SHOWN = {
    Kind.MONEY: ("${}", "{}달러"),
    Kind.PERCENT: ("{}%", "{}%"),
    Kind.SHELF: ("shelf {}", "{} 서가"),
    Kind.YEAR: ("{}", "{}년"),
}


def _show_clock(value: str, language: Language) -> str:
    korean = language is Language.KOREAN
    if value == "closed":
        return "휴무" if korean else "closed"
    hour, minute = map(int, value.split(":"))
    twelve = hour % 12 or 12
    if korean:
        half = "오전" if hour < 12 else "오후"
        return f"{half} {twelve}시" + (f" {minute}분" if minute else "")
    return f"{twelve}" + (f":{minute:02d}" if minute else "") + (" am" if hour < 12 else " pm")


def read(kind: Kind, text: str, languages: tuple[Language, ...], lexicon: Lexicon) -> frozenset[str]:
    """Find every value of `kind` in `text`, canonical. `languages` limits words, not numbers."""
    if kind in lexicon:
        return _read_words(lexicon[kind], text, languages)
    if kind in _UNITS:
        return _read_units(kind, text)
    return frozenset(_READERS[kind](text))


def _read_words(words: tuple[Word, ...], text: str, languages: tuple[Language, ...]) -> frozenset[str]:
    """Longer names first, and each stretch of text counts once: 'sales shelf' is not also 'shelf'."""
    forms = sorted(
        ((form.casefold(), word.en) for word in words for lang in languages for form in word.forms(lang)),
        key=lambda pair: (-len(pair[0]), pair),
    )
    rest, found = " ".join(text.replace("’", "'").casefold().split()), set()
    for form, value in forms:
        edge = r"(?<![a-z0-9]){}(?![a-z0-9])" if form.isascii() else "{}"
        rest, hits = re.subn(edge.format(re.escape(form)), "\x00", rest)
        if hits:
            found.add(value)
    return frozenset(found)


def _read_units(kind: Kind, text: str) -> frozenset[str]:
    one, many, ko = _UNITS[kind]
    pattern = rf"(?<![\d.,])(\d+)\s*(?:(?:{many}|{one})\b|{ko}(?!\d))"
    found = {str(int(m[1])) for m in re.finditer(pattern, text, re.IGNORECASE)}
    if kind is Kind.COPIES and _SOLD_OUT.search(text):
        found.add("0")
    return frozenset(found)


def _read_money(text: str) -> set[str]:
    return {f"{float(m[1] or m[2]):.2f}" for m in _MONEY.finditer(text)}


def _read_clock(text: str) -> set[str]:
    found = {"closed"} if _CLOSED.search(text) else set()
    for m in _CLOCK.finditer(text):
        if m["h24"]:
            hour, minute = int(m["h24"]), int(m["m24"])
        else:
            late = m["ko"] == "오후" if m["ko"] else m["half"].lower() == "p"
            hour = int(m["h12"] or m["hko"]) % 12 + (12 if late else 0)
            minute = 30 if m["ban"] else int(m["m12"] or m["mko"] or 0)
        found.add(f"{hour:02d}:{minute:02d}")
    return found


def _read_percent(text: str) -> set[str]:
    return {f"{float(m[1]):g}" for m in _PERCENT.finditer(text)}


def _read_shelf(text: str) -> set[str]:
    return {f"{m[1].upper()}{int(m[2])}" for m in _SHELF.finditer(text)}


def _read_year(text: str) -> set[str]:
    return set(_YEAR.findall(text))


_READERS: dict[Kind, Callable[[str], set[str]]] = {
    Kind.MONEY: _read_money,
    Kind.CLOCK: _read_clock,
    Kind.PERCENT: _read_percent,
    Kind.SHELF: _read_shelf,
    Kind.YEAR: _read_year,
}
