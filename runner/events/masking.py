"""Takes personal data out of text before it reaches the disk, by recognisers that need no model.

Called by the gateway for content and feedback. Found: e-mail addresses, URLs with credentials, payment cards
(Luhn), IBANs (ISO 7064 checksum and the country's length), Korean resident numbers, phone numbers, IP
addresses. A value gets the same placeholder everywhere within one conversation (`<EMAIL_1>`), so that an
answer still refers to its question. Names and places need a model and are not found here. Every pattern is
anchored at a boundary or bounded in length, so that the time stays linear in the text. No I/O.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Lengths of the national formats, from the SWIFT IBAN registry.
_IBAN_LENGTH = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH CR HR LI LV", "22": "BG BH DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV", "29": "BR EG PS QA UA", "30": "JO KW MU", "31": "MT SC",
        "32": "LC", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def luhn(digits: str) -> bool:
    """Return whether a number passes the Luhn check (ISO/IEC 7812-1), as payment cards do."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_checksum(iban: str) -> bool:
    """Return whether letters and digits without spaces pass ISO 7064 mod 97-10, as an IBAN does."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def _whole(match: re.Match[str]) -> int:
    return match.end()


def _card(match: re.Match[str]) -> int | None:
    """Return where the card's number ends: other digits may follow it after a space."""
    ends = [place for place in range(len(match[0]), 12, -1) if not match[0][place : place + 1].isdigit()]
    for place in ends:
        digits = re.sub(r"\D", "", match[0][:place])
        if len(digits) in _card_lengths(digits) and luhn(digits):
            return match.start() + len(match[0][:place].rstrip(" -"))
    return None


def _iban(match: re.Match[str]) -> int | None:
    """Return where the IBAN ends: the pattern may have run on into the words after it."""
    wanted = _IBAN_LENGTH.get(match[0][:2].upper())
    seen = ""
    for place, character in enumerate(match[0]):
        seen += character if character.isalnum() else ""
        if len(seen) == wanted:
            end = match.start() + place + 1
            runs_on = re.match(r"[A-Za-z0-9]", match.string[end : end + 1])
            return end if iban_checksum(seen.upper()) and not runs_on else None
    return None


def _card_lengths(digits: str) -> tuple[int, ...]:
    """Return how many digits a card that begins so may have, by the issuers' ranges of ISO/IEC 7812."""
    match digits[0], digits[1]:
        case "3", "4" | "7":
            return (15,)
        case "3", "0" | "6" | "8" | "9":
            return (14,)
        case "4", _:
            return (13, 16, 19)
        case "6", _:
            return (16, 17, 18, 19)
        case "3" | "5" | "2", _:
            return (16,)
        case _:
            return ()


def _resident(match: re.Match[str]) -> int | None:
    month, day = int(match[0][2:4]), int(match[0][4:6])
    return match.end() if 1 <= month <= 12 and 1 <= day <= 31 else None


def _phone(match: re.Match[str]) -> int | None:
    return match.end() if 8 <= len(re.sub(r"\D", "", match[0])) <= 15 else None


def _address(match: re.Match[str]) -> int | None:
    text = match[0].rstrip(".:") if not match[0].endswith("::") else match[0]
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return None
    # `a::b` is an address to the letter, and a name in C++ in fact
    return match.start() + len(text) if any(c.isdigit() for c in text) else None


@dataclass(frozen=True, slots=True)
class Recogniser:
    """One kind of personal data; `end` says where it ends in a match, or refuses the match."""

    entity: str
    pattern: re.Pattern[str]
    end: Callable[[re.Match[str]], int | None]


_KOREAN = r"0(?:2|1[016789]|[3-6][1-5]|50\d|70|80)[-. )]{0,2}\d{3,4}[-. ]?\d{4}|1[5-8]\d{2}[- ]\d{4}"
_ABROAD = r"\+\d{1,3}(?:[-. ]?\(?\d{1,4}\)?){2,5}|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}[-. ]\d{3}[-. ]\d{4}"
_BRITISH = r"0[1-9]\d{1,3} \d{3,4} ?\d{3,4}|0[1-9]\d{8,9}"
_NUMBERS = f"{_KOREAN}|{_ABROAD}|{_BRITISH}"
_IPV4 = r"(?<![\w:.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)"
_IPV6 = (
    r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)"  # two colons near the start, or it is any hex word
    r"[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?!\w)"
)

_COUNTRIES = "|".join(code for country in _IBAN_LENGTH for code in (country, country.lower()))
_URL = r"(?<![a-zA-Z0-9+.-])[a-zA-Z][a-zA-Z0-9+.-]{1,15}://[^\s/@<>]{1,256}@[^\s<>\"']+"
_EMAIL = r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"


def _recogniser(entity: str, pattern: str, end: Callable[[re.Match[str]], int | None] = _whole) -> Recogniser:
    # ASCII: a Korean particle may follow or precede a number without a space and must not count as part of it
    return Recogniser(entity, re.compile(pattern, re.ASCII), end)


_WITH_AT = (_recogniser("URL", _URL), _recogniser("EMAIL", _EMAIL))
_WITH_DIGITS = (
    _recogniser("IBAN", rf"(?<![A-Za-z0-9])(?:{_COUNTRIES})\d{{2}}(?:[ -]?[A-Za-z0-9]){{11,30}}", _iban),
    _recogniser("RESIDENT_NUMBER", r"(?<!\d)\d{6}[- ]?[1-8]\d{6}(?!\d)", _resident),
    _recogniser("CARD", r"(?<!\d)[2-6]\d{3}(?:[ -]?\d){9,15}(?!\d)", _card),
    _recogniser("IP", rf"{_IPV4}|{_IPV6}", _address),
    _recogniser("PHONE", rf"(?<![\w+.-])(?:{_NUMBERS})(?!\d)", _phone),
)
_DIGIT = re.compile("[0-9]")


class Masking:
    """One conversation: a value has the same placeholder in all its texts; `counts`: entity -> found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._placeholders: dict[tuple[str, str], str] = {}
        self._kinds: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """Return `text` with every recognised value replaced by its placeholder."""
        # most texts hold neither sign, and looking for it is a fraction of looking for everything
        if "@" in text:
            for recogniser in _WITH_AT:
                text = self._replace(recogniser, text)
        if _DIGIT.search(text):
            for recogniser in _WITH_DIGITS:
                text = self._replace(recogniser, text)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value with all its texts masked; keys, numbers and the shape stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value

    def _replace(self, recogniser: Recogniser, text: str) -> str:
        parts: list[str] = []
        done = 0
        match = recogniser.pattern.search(text)
        while match:
            end = recogniser.end(match)
            if end is not None:
                found = text[match.start() : end]
                parts += (text[done : match.start()], self._placeholder(recogniser.entity, found))
                done = end
            match = recogniser.pattern.search(text, end or match.start() + 1)
        return "".join(parts) + text[done:] if parts else text

    def _placeholder(self, entity: str, found: str) -> str:
        self.counts[entity] += 1
        key = (entity, re.sub(r"[\s().-]", "", found).lower() if entity != "EMAIL" else found.lower())
        if key not in self._placeholders:
            self._kinds[entity] += 1
            self._placeholders[key] = f"<{entity}_{self._kinds[entity]}>"
        return self._placeholders[key]
