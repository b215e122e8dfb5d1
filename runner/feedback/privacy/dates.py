"""Finds days: birthdays and other dates, as they are written in English and Korean, and in figures.

Called by `engine`, on folded text. A date has a day, a month and a year; without the year, or in figures only
(`850503`), it counts where a word beside it says that it is somebody's. A bare year, a weekday, an opening hour and a
month of a year belong to nobody and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.feedback.privacy.found import DIGIT, Context, Finder, Found
from runner.spec.privacy import Entity

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_NUMBER = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:1[89][0-9]{2}|20[0-9]{2})"
_SHORT = r"(?:1[89][0-9]{2}|20[0-9]{2}|[0-9]{2})"
_ORDINAL = rf"{_DAY}(?:st|nd|rd|th)?"
_CLOCK = (
    r"[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?(?: ?[ap]\.?m\.?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_TIME = rf"(?:(?:[T ]| at |, ){_CLOCK})?"
_FULL = re.compile(
    r"(?<![\w.,/:-])(?:"
    + "|".join(
        (
            rf"{_YEAR}(?P<a>[-/.])(?:{_NUMBER}(?P=a){_DAY}){_TIME}",
            rf"{_YEAR}\. ?{_NUMBER}\. ?{_DAY}\.?{_TIME}",
            rf"{_DAY}(?P<b>[-/.]){_NUMBER}(?P=b){_YEAR}{_TIME}",
            rf"{_NUMBER}(?P<c>[-/.]){_DAY}(?P=c){_YEAR}{_TIME}",
            rf"{_DAY}/{_NUMBER}/[0-9]{{2}}{_TIME}",
            rf"{_NUMBER}/{_DAY}/[0-9]{{2}}{_TIME}",
            rf"(?:the )?{_ORDINAL}(?: of)?[ -]{{1,2}}{_MONTH}[ ,'-]{{1,3}}{_SHORT}{_TIME}",
            rf"{_MONTH} ?{_ORDINAL}(?: ?, ?| ){_YEAR}{_TIME}",
            rf"{_SHORT} ?[년年] ?{_NUMBER} ?[월月] ?{_DAY} ?[일日]?",
            rf"{_YEAR} {_MONTH} {_DAY}",
        )
    )
    # a Korean particle may follow without a space
    + r")(?![A-Za-z0-9_/]|[.,:-][0-9])",
    re.IGNORECASE,
)
_PARTIAL = re.compile(
    r"(?<![\w.,/:-])(?:"
    + "|".join(
        (
            rf"(?:the )?{_ORDINAL}(?: of)?[ -]{{1,2}}{_MONTH}",
            rf"{_MONTH} ?{_ORDINAL}",
            rf"{_NUMBER} ?월 ?{_DAY} ?일?",
            rf"{_MONTH} ?,? ?{_YEAR}",
            rf"{_NUMBER}[/.]{_YEAR}",
            rf"(?:{_SHORT}[./-])?{_NUMBER}[./-]{_DAY}",
            rf"{_DAY}[./-]{_NUMBER}(?:[./-]{_SHORT})?",
            r"(?:1[89]|20)?[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])",
        )
    )
    + r")(?![A-Za-z0-9]|[.,:/-][0-9])",
    re.IGNORECASE,
)
_PERSONAL = Context(
    re.compile(
        r"\bborn\b|birth|\bd\.?o\.?b\b|\bdied\b|married|anniversary|생일|생년월일|생신|태어|출생|기념일",
        re.IGNORECASE,
    )
)


def _dates(text: str) -> Iterator[Found]:
    for match in _FULL.finditer(text):
        yield Found(*match.span(), Entity.DATE, 0.85)
    if _PERSONAL.words.search(text):
        for match in _PARTIAL.finditer(text):
            if _PERSONAL.near(text, match.span()):
                yield Found(*match.span(), Entity.DATE, 0.7)


FINDERS = (Finder("dates", frozenset({Entity.DATE}), DIGIT, _dates),)
