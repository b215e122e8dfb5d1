"""Finds e-mail and web addresses, IP addresses and telephone numbers.

Called by `engine`, on folded text. What the gateway's recognisers know is taken from there; added is what needs
context words or the numbering plans of `phonenumbers`. Every pattern is bounded, so the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from runner.events.recognisers import WITH_AT, WITH_DIGITS
from runner.feedback.privacy.found import DIGIT, SHAPE, Context, Finder, Found
from runner.spec.privacy import Entity

_LOGGED = {
    "EMAIL": (Entity.EMAIL, 0.99),
    "URL": (Entity.URL, 0.95),
    "IBAN": (Entity.IBAN, 1.0),
    "CARD": (Entity.CARD, 1.0),
    "IP": (Entity.IP, 0.95),
    "RESIDENT_NUMBER": (Entity.NATIONAL_NUMBER, 0.95),
    "BUSINESS_NUMBER": (Entity.NATIONAL_NUMBER, 0.85),
    "SSN": (Entity.NATIONAL_NUMBER, 0.9),
    "PHONE": (Entity.PHONE, 0.8),
}
"""What the gateway calls it -> what the policy calls it, and how certain it is."""

_REST = r"[^\s<>\"']"
_URL = re.compile(
    rf"(?:https?|ftps?|wss?)://{_REST}{{1,2000}}+|(?<![\w@.])www\.{_REST}{{3,2000}}+", re.IGNORECASE
)
_TOP_LEVEL = (
    r"(?:com|net|org|edu|gov|info|biz|shop|(?:co|com|or|ac|go|ne|org)\.[a-z]{2}"
    r"|(?:io|app|dev|me|kr|de|fr|uk|jp|cn)(?=/))"
)
"""Short names of countries are also endings of files: they count only where a path follows."""
_SITE = re.compile(
    rf"(?<![\w@.-])(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,4}}{_TOP_LEVEL}(?![\w@-]|\.\w)(?:/{_REST}{{0,2000}}+)?",
    re.IGNORECASE | re.ASCII,
)
_CLOSING = ".,;:!?'\"*_~)]}>"
_PARTICLE = re.compile("[가-힣]+$")

_SPOKEN = Context(
    re.compile(
        r"phone|\btel\b|\bcall|\bcell|mobile|\bfax|contact|\breach|\b(?:text(?:ed)?|ring) (?:me|him|her|us)\b|\bsms\b"
        r"|\bdial|whatsapp|hotline|answering|voicemail|messages? (?:to|at|on)\b|\b(?:office|desk|home|work)\b"
        r"|\bnumber\b|전화|연락|휴대|핸드폰|번호|팩스|문자",
        re.IGNORECASE,
    ),
    left=48,
)
_OTHER_NUMBER = re.compile(
    r"(?:order|invoice|tracking|isbn(?:-?1[03])?|sku|item|reference|account|acct|ticket|model|serial|part|version|pages?"
    r"|pp|card|zip|postcode|passport|licen[cs]e|policy|case|room|shelf|article|주문|송장|운송장|상품|계좌|예약|쪽|페이지)"
    r"(?: ?(?:number|no|nr|id|code|번호))?[.:#는은이가 ]{0,4}$",
    re.IGNORECASE,
)
_MONEY = re.compile(r"[$€£¥₩] ?$|(?:usd|eur|krw|gbp|won) $", re.IGNORECASE)
_UNIT = re.compile(
    r" ?(?:%|[$€£¥₩]|원|달러|유로|won\b|usd|eur|dollars?|euros?|pages?|copies|people|books|[kmg]b\b|km\b|kg\b)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![\w:#/-])(?<![0-9][.,])(?:\+ ?)?\(?[0-9](?:(?:[ .()-]{0,3}|/)[0-9]){5,16}+"
    r"(?:(?: ?x| ?ext\.? ?| ?extension | ?내선 ?)[0-9]{1,6})?"
    r"(?![0-9a-zA-Z]|[.,:/-][0-9])",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r" ?(?:x|ext\.?|extension|내선) ?[0-9]{1,6}$", re.IGNORECASE)
_AREA = re.compile(r"\([0-9]{1,5}\)")
_DATE = re.compile(
    r"(?:[12][0-9]{3}[./ -]{1,2}[01]?[0-9][./ -]{1,2}[0-3]?[0-9]"
    r"|[0-3]?[0-9][./ -][0-3]?[0-9][./ -](?:19|20)[0-9]{2})\b"
)
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:([ .])[0-9]{3})(?:\1[0-9]{3})*")
_YEARS = re.compile(r"(?:1[5-9]|20)[0-9]{2} ?[-/ ] ?(?:1[5-9]|20)[0-9]{2}")
_REGIONS = ("US", "GB", "DE", "FR", "KR", "IT", "ES", "AU")
"""Whose numbering plan may prove a number that no word beside it explains."""


def _logged(text: str) -> Iterator[Found]:
    for recogniser in (*(WITH_AT if "@" in text else ()), *WITH_DIGITS):
        entity, score = _LOGGED[recogniser.entity]
        for start, end in recogniser.spans(text):
            spaced = (
                recogniser.entity == "SSN" and "-" not in text[start:end]
            )  # as house numbers may stand, too
            if entity is Entity.URL:
                end = start + len(_without_closing(text[start:end]))
            yield Found(start, end, entity, SHAPE if spaced else score)


def _urls(text: str) -> Iterator[Found]:
    for pattern in (_URL, _SITE):
        for match in pattern.finditer(text):
            found = _without_closing(match[0])
            if "." in found or "://" in found:
                yield Found(match.start(), match.start() + len(found), Entity.URL, 0.95)


def _without_closing(address: str) -> str:
    """Return a web address without the sentence's signs and the Korean particle that stand right behind it."""
    return _PARTICLE.sub("", address.rstrip(_CLOSING)).rstrip(_CLOSING)


def _phones(text: str) -> Iterator[Found]:
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if score := _phone_score(text, start, end):
            yield Found(start, end, Entity.PHONE, score)


def _phone_score(text: str, start: int, end: int) -> float:
    """Return how certain it is that digits are a telephone number, 0 where they are none."""
    written = text[start:end]
    number = _EXTENSION.sub("", written)
    digits = re.sub("[^0-9]", "", number)
    if not 6 <= len(digits) <= 15 or _DATE.match(number) or _YEARS.fullmatch(number):
        return 0.0
    if number.startswith("+"):
        return 0.9 if len(digits) >= 8 else 0.0
    if _counts_something(text, start, end):
        return 0.0
    if len(digits) >= 7 and (number != written or _AREA.match(number)):
        return 0.75
    if _SPOKEN.near(text, (start, end)):
        return 0.75
    return SHAPE if _phone_shape(number, digits) else 0.0


def _counts_something(text: str, start: int, end: int) -> bool:
    """Return whether what stands around a number says that it is another one: an order's, a price, pages."""
    left = text[max(0, start - 24) : start]
    return bool(_OTHER_NUMBER.search(left) or _MONEY.search(left) or _UNIT.match(text, end))


@lru_cache(maxsize=4096)
def _phone_shape(number: str, digits: str) -> bool:
    """Return whether a number is written as only telephone numbers are, without a word that says so."""
    groups = re.split("[^0-9]+", number)
    signs = set(re.findall("[^0-9]+", number))
    if len(groups) < 2 or len(signs) > 1 or not all(2 <= len(group) <= 5 for group in groups):
        return False
    if len(groups) == 2:
        return [len(group) for group in groups] == [3, 4] and signs == {"-"}
    if _THOUSANDS.fullmatch(number):
        return len(digits) == 9 and not number.endswith("000") and signs == {" "}
    if not 8 <= len(digits) <= 12:
        return False
    return digits[0] == "0" or len(groups) > 3 or len(digits) == 8 or _valid(digits)


def _valid(digits: str) -> bool:
    """Return whether a country's numbering plan has such a number."""
    import phonenumbers

    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


FINDERS = (
    Finder(
        "what the gateway finds",
        frozenset(entity for entity, _ in _LOGGED.values()),
        lambda text: "@" in text or DIGIT(text),
        _logged,
    ),
    Finder("web addresses", frozenset({Entity.URL}), lambda text: "." in text or "://" in text, _urls),
    Finder("telephone numbers", frozenset({Entity.PHONE}), DIGIT, _phones),
)
