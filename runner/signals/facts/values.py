"""Values as sentences hold them: amounts of money, times, percentages, years, counts, codes, weekdays, floors.

`check` compares an answer's values with a fact's, kind by kind. Other spellings of one value come to the same:
`$12.50`, `12.5 dollars`, `12.50달러`; `6:30 pm`, `18:30`, `오후 6시 30분`. Digits are ASCII's, or fullwidth ones.

Anybody may write the texts that are read here, so that the work per character is bounded: a number begins where no
other one goes on, no pattern repeats without end, and what is longer than `LONGEST` is read so far. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """What sort of value it is; only values of one kind can contradict each other."""

    MONEY = "money"
    PERCENT = "percent"
    TIME = "time"
    """Time of day, 24 hours, or `closed`."""
    YEAR = "year"
    WEEKDAY = "weekday"
    FLOOR = "floor"
    CODE = "code"
    """A letter and a number: a shelf, a room, a gate."""
    STOCK = "stock"
    """How many are there; 0 where sold out."""
    COUNT = "count"
    """A number with a unit, which is part of the value's kind."""
    NUMBER = "number"
    """A number alone: it may stand for any of the kinds that have one."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value: `unit` is empty but for counts; `text` is its one spelling."""

    kind: Kind
    text: str
    unit: str = ""

    @property
    def comparable(self) -> tuple[Kind, str]:
        """What two values must share for one to contradict the other."""
        return self.kind, self.unit


NUMERIC = frozenset(
    {Kind.MONEY, Kind.PERCENT, Kind.TIME, Kind.YEAR, Kind.FLOOR, Kind.STOCK, Kind.COUNT, Kind.NUMBER}
)
LONGEST = 8_000
"""Characters of a text that are read; what follows holds no values."""
REMEMBERED = 500
"""Characters of the longest text that is remembered among many; of longer ones only the last few are."""
_BEGIN = r"(?<![0-9])(?<![0-9][.,])"
"""Where a number may begin: not inside another one."""
_N = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15})(?:\.[0-9]{1,15})?(?![0-9])"
_ALONE = r"(?![0-9.,]{0,15}[0-9])"
"""No digit follows, nor a point or comma with one behind it."""
_WEEKDAYS = (
    ("monday", "월요일"),
    ("tuesday", "화요일"),
    ("wednesday", "수요일"),
    ("thursday", "목요일"),
    ("friday", "금요일"),
    ("saturday", "토요일"),
    ("sunday", "일요일"),
)
_WRITTEN = {
    word: str(number)
    for number, forms in enumerate(
        (
            "zero|영",
            "one|한|하나",
            "two|두|둘",
            "three|세|셋",
            "four|네",
            "five|다섯",
            "six|여섯",
            "seven|일곱",
            "eight|여덟",
            "nine|아홉",
            "ten|열",
            "eleven|열한",
            "twelve|열두",
        )
    )
    for word in forms.split("|")
}
_ORDINALS = {
    "ground": "0", "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6",
    "seventh": "7", "eighth": "8", "ninth": "9", "tenth": "10",
}  # fmt: skip
_UNITS = {
    "page": ("pages", "쪽", "페이지"), "minute": ("minutes", "min", "mins", "분"), "hour": ("hours", "시간"),
    "day": ("days", "일"), "week": ("weeks", "주"), "month": ("months", "개월", "달"), "year": ("years", "년"),
    "person": ("people", "persons", "명", "사람"), "kilometre": ("kilometres", "kilometers", "km", "킬로미터"),
    "metre": ("metres", "meters", "m", "미터"), "kilogram": ("kilograms", "kg", "킬로그램"),
    "time": ("times", "번", "회"),
}  # fmt: skip
_UNIT = {form: unit for unit, forms in _UNITS.items() for form in (unit, *forms)}
_STOCK = r"copy|copies|권"
_WRITTEN_EN = "|".join(word for word in _WRITTEN if word.isascii())
_WRITTEN_KO = "|".join(sorted((w for w in _WRITTEN if not w.isascii()), key=len, reverse=True))

_CLOCK = re.compile(
    r"(?<![0-9])(?P<h12>[0-9]{1,2})(?::(?P<m12>[0-9]{2}))?\s?(?P<half>[ap])\.?m\b\.?"
    r"|(?P<ko>오전|오후|아침|저녁|밤)\s?(?P<hko>[0-9]{1,2})시(?:\s?(?P<mko>[0-9]{1,2})분|\s?(?P<ban>반))?"
    r"|(?<![0-9:])(?P<h24>[0-9]{1,2}):(?P<m24>[0-9]{2})(?![0-9:])"
    r"|(?<![0-9])(?P<oclock>[0-9]{1,2})(?:\s?o'clock|시(?!간))"
)
_EVENING = ("오후", "저녁", "밤", "p")


def values(text: str) -> frozenset[Value]:
    """Return every value in the first `LONGEST` characters of a text; what is read as one kind is no other as well."""
    return _found(text)[0]


def without_values(text: str) -> str:
    """Return as much of a text without its values: what is left says what they are about."""
    return _found(text)[1]


def _found(text: str) -> tuple[frozenset[Value], str]:
    return _remembered(text) if len(text) <= REMEMBERED else _remembered_long(text[:LONGEST])


def _read(text: str) -> tuple[frozenset[Value], str]:
    """Return the values, and the text with a space in place of each character of one."""
    spelled = unicodedata.normalize("NFKC", text).replace("’", "'")
    rest = spelled.replace("İ", "I")[:LONGEST]  # the one letter whose small form is longer
    found: set[Value] = set()
    for pattern, read in _READERS:
        kept: list[str] = []
        end = 0
        for match in pattern.finditer(rest.lower()):
            value = read(match)
            if value is not None:
                found.add(value)
                kept += rest[end : match.start()], " " * (match.end() - match.start())
                end = match.end()
        if end:
            rest = "".join((*kept, rest[end:]))
    return frozenset(found), rest


_remembered = lru_cache(maxsize=1024)(_read)
_remembered_long = lru_cache(maxsize=16)(_read)  # a question is read again for each sentence of its answer


def _plain(number: str) -> str:
    return f"{float(number.replace(',', '')):.10g}"


def _amount(match: re.Match[str]) -> Value:
    return Value(Kind.MONEY, _plain(next(group for group in match.groups() if group)))


def _clock(match: re.Match[str]) -> Value | None:
    if match["oclock"]:
        return Value(Kind.NUMBER, _plain(match["oclock"]))
    hour = int(match["h12"] or match["hko"] or match["h24"])
    minute = 30 if match["ban"] else int(match["m12"] or match["mko"] or match["m24"] or 0)
    if not match["h24"]:
        hour = hour % 12 + (12 if (match["half"] or match["ko"]) in _EVENING else 0)
    return Value(Kind.TIME, f"{hour:02d}:{minute:02d}") if hour < 25 and minute < 60 else None


def _weekday(match: re.Match[str]) -> Value:
    return Value(Kind.WEEKDAY, next(en for en, ko in _WEEKDAYS if match[0].startswith((en, ko))))


def _floor(match: re.Match[str]) -> Value:
    number = match[1] or match[3] or _ORDINALS[match[2]]
    return Value(Kind.FLOOR, _plain(number))


def _counted(match: re.Match[str]) -> Value | None:
    number = _WRITTEN.get(match["number"], match["number"])
    word = match["unit"]
    if re.fullmatch(_STOCK, word):
        return Value(Kind.STOCK, _plain(number))
    unit = _UNIT.get(word)
    return None if unit is None else Value(Kind.COUNT, _plain(number), unit)


def _things(match: re.Match[str]) -> Value | None:
    """Read `9 stamps`: a plural whose unit is nobody's list but its own."""
    return Value(Kind.COUNT, _plain(_WRITTEN.get(match[1], match[1])), match[2])


def _always(kind: Kind, text: str) -> Callable[[re.Match[str]], Value | None]:
    return lambda _match: Value(kind, text)


def _first(kind: Kind) -> Callable[[re.Match[str]], Value | None]:
    return lambda match: Value(kind, _plain(match[1]))


def _readers() -> Iterator[tuple[re.Pattern[str], Callable[[re.Match[str]], Value | None]]]:
    """Yield the kinds in the order in which they are read: the plainest sign first, bare numbers last."""
    units = "|".join(sorted(map(re.escape, [*_UNIT, "copy", "copies", "권"]), key=len, reverse=True))
    currency = r"(?:dollars?|euros?|pounds?|usd|eur|krw|won)\b|달러|원(?![가-힣])|유로"
    yield re.compile(rf"[$€£₩]\s?({_N})|{_BEGIN}({_N})\s?(?:{currency})"), _amount
    yield re.compile(rf"{_BEGIN}({_N})\s?(?:%|percent\b|per cent\b|퍼센트|프로)"), _first(Kind.PERCENT)
    yield _CLOCK, _clock
    yield re.compile(r"\bclosed\b|휴무|쉽니다|쉬는 날|문을 닫습니다"), _always(Kind.TIME, "closed")
    yield (
        re.compile(r"\bsold out\b|\bout of stock\b|\bnone left\b|품절|재고가? 없|매진"),
        _always(Kind.STOCK, "0"),
    )
    yield re.compile("|".join(rf"\b{en}s?\b|{ko}" for en, ko in _WEEKDAYS)), _weekday
    yield (
        re.compile(
            rf"\b(?:([0-9]{{1,3}})(?:st|nd|rd|th)|({'|'.join(_ORDINALS)}))\s{{1,3}}floor\b"
            r"|(?<![0-9])([0-9]{1,3})\s?층"
        ),
        _floor,
    )
    yield re.compile(rf"{_BEGIN}(1[0-9]{{3}}|20[0-9]{{2}})(?:년|{_ALONE}(?!\s?[a-z%]))"), _first(Kind.YEAR)
    yield (
        re.compile(rf"(?<![\w.,])(?P<number>{_N}|{_WRITTEN_EN})[\s-](?P<unit>[a-z]{{1,30}})\b"),
        _counted,
    )
    yield re.compile(rf"(?<![\w.,])({_N})\s(?:left|in stock|available)\b"), _first(Kind.STOCK)
    yield re.compile(rf"{_BEGIN}(?P<number>{_N})\s?(?P<unit>{units})(?![a-z])"), _counted
    yield re.compile(rf"(?<![가-힣])(?P<number>{_WRITTEN_KO})\s(?P<unit>권|명|번|달|주|시간)"), _counted
    yield re.compile(rf"(?<![a-z0-9])([a-z])[\s-]?([0-9]{{1,3}}){_ALONE}(?![a-z])"), _code
    yield (
        re.compile(rf"(?<![\w.,])({_N})\s(?!and\b|or\b|to\b|at\b|of\b|in\b|on\b|is\b)([a-z]{{1,30}}s)\b"),
        _things,
    )
    yield re.compile(rf"{_BEGIN}({_N})개(?!월)"), _pieces
    yield re.compile(rf"(?<![\w.,])({_N}){_ALONE}"), _first(Kind.NUMBER)


def _code(match: re.Match[str]) -> Value:
    return Value(Kind.CODE, f"{match[1]}{int(match[2])}")


def _pieces(match: re.Match[str]) -> Value:
    return Value(Kind.COUNT, _plain(match[1]), "piece")


_READERS = tuple(_readers())
