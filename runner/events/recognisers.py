"""What personal data looks like: a pattern for each kind, and a check of what the pattern cannot say.

Called by `masking`, on folded text (see `folding`). Every pattern begins with what it must find, enters a run of
like characters once or is bounded in length, and is checked on a bounded piece of text, so that the time stays
linear in the text. A recogniser yields spans; it changes nothing. No I/O.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

Span = tuple[int, int]
Check = Callable[[re.Match[str]], Span | None]

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
_IBAN_WINDOW = 33 * 3
"""Characters in which the longest IBAN must end: up to two signs stand between two of its own."""
_BESIDE = 24
"""How many characters to the left may say what a number is."""

_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))
_NOT_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_IBAN_DIGITS = {c: str(int(c, 36)) for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

_VERSION = re.compile(
    r"(?:\b|[^a-z])(?:v|ver|version|release|build|revision|버전)[ .:=]{0,3}$", re.IGNORECASE
)
_BOOK = re.compile(r"isbn(?:-?1[03])?[^0-9a-z]{0,4}$", re.IGNORECASE)
PHONE_WORD = re.compile(r"phone|tel|call|cell|mobile|fax|전화|연락처|휴대폰|핸드폰", re.IGNORECASE)
_SPOKEN_OF = re.compile(rf"(?:{PHONE_WORD.pattern})[^0-9]{{0,16}}$", re.IGNORECASE)
_LETTER = re.compile("[A-Za-z]$")


def luhn(digits: str) -> bool:
    """Return whether a number passes the Luhn check (ISO/IEC 7812-1), as payment cards do."""
    return _luhn(digits.encode())


def _luhn(number: bytes) -> bool:
    return (sum(number[-1::-2].translate(_PLAIN)) + sum(number[-2::-2].translate(_DOUBLED))) % 10 == 0


def iban_checksum(iban: str) -> bool:
    """Return whether capital letters and digits without spaces pass ISO 7064 mod 97-10, as an IBAN does."""
    return int("".join(map(_IBAN_DIGITS.__getitem__, iban[4:] + iban[:4]))) % 97 == 1


def iban_length(country: str) -> int:
    """Return how many characters the IBANs of a country have (its two letters), 0 where it has none."""
    return _IBAN_LENGTH.get(country.upper(), 0)


@dataclass(frozen=True, slots=True)
class Recogniser:
    """One kind of personal data; `check` gives the span that a match really is, or refuses the match."""

    entity: str
    pattern: re.Pattern[str]
    check: Check
    needs: str
    """A sign without which there is no match; looking for it is a fraction of looking for the pattern."""

    def spans(self, text: str) -> Iterator[Span]:
        """Yield what was found, from left to right."""
        if self.needs not in text:
            return
        search, check, place = self.pattern.search, self.check, 0
        while match := search(text, place):
            if span := check(match):
                yield span
                place = span[1]
            else:
                place = match.start() + 1


def _whole(match: re.Match[str]) -> Span:
    return match.span()


def _left(match: re.Match[str], pattern: re.Pattern[str]) -> bool:
    """Say whether what stands to the left of a match ends as the pattern says."""
    start = match.start()
    return pattern.search(match.string[max(0, start - _BESIDE) : start]) is not None


def _card(match: re.Match[str]) -> Span | None:
    size = _card_size(match[0])
    if not size:
        return None
    start = match.start()
    decimals = match[0][:size].isdigit() and re.match("[0-9][.,]", match.string[max(0, start - 2) : start])
    return None if decimals else (start, start + size)


@lru_cache(maxsize=64)
def _card_size(found: str) -> int:
    """Return how many characters a card's number takes, 0 where it is none: other digits may follow it."""
    lengths = _card_lengths(found[:4])
    digits = found.encode("ascii", "replace").translate(None, _NOT_DIGITS)
    for length in lengths:
        if len(digits) >= length and _luhn(digits[:length]):
            end = _after(found, length)
            if not found[end : end + 1].isdigit():
                return end
    return 0


def _after(found: str, digits: int) -> int:
    """Return where the given number of digits is over."""
    for place, character in enumerate(found):
        digits -= character.isdigit()
        if not digits:
            return place + 1
    return len(found)


def _card_lengths(prefix: str) -> tuple[int, ...]:
    """Return how many digits a card that begins so may have, by the issuers' ranges of ISO/IEC 7812."""
    match prefix[0], prefix[1:2]:
        case "3", "4" | "7":
            lengths: tuple[int, ...] = (15,)
        case "3", "0" | "6" | "8" | "9":
            lengths = (14,)
        case "4", _:
            lengths = (19, 16, 13)
        case "6", _:
            lengths = (19, 18, 17, 16)
        case "2", _:
            lengths = (16,) if "2200" <= prefix <= "2204" or "2221" <= prefix <= "2720" else ()
        case _:
            lengths = (16,)
    return lengths


def _iban(match: re.Match[str]) -> Span | None:
    start = match.start()
    size = _iban_size(match.string[start : start + _IBAN_WINDOW])
    return (start, start + size) if size else None


@lru_cache(maxsize=64)
def _iban_size(window: str) -> int:
    """Return how many characters an IBAN takes at the start of a piece of text, 0 where it is none."""
    wanted = iban_length(window[:2])
    compact = window.encode("ascii", "replace").translate(None, b" \t\r\n._/-")[:wanted].upper()
    if not wanted or len(compact) < wanted or not compact.isalnum() or not iban_checksum(compact.decode()):
        return 0
    end, left = 0, wanted
    while left:
        left -= window[end].isalnum()
        end += 1
    return 0 if re.match("[A-Za-z0-9]", window[end : end + 1]) else end


def _resident(match: re.Match[str]) -> Span | None:
    month, day = int(match[0][2:4]), int(match[0][4:6])
    return match.span() if 1 <= month <= 12 and 1 <= day <= 31 and not _left(match, _BOOK) else None


def _phone(match: re.Match[str]) -> Span | None:
    digits = re.sub("[^0-9]", "", match[0])
    if not 8 <= len(digits) <= 15 or _left(match, _BOOK):
        return None
    if re.fullmatch(r"1[5-8][0-9]{2}[- ][0-9]{4}", match[0]) and digits[:4] <= digits[4:] <= "2100":
        return None  # from one year to another
    glued = match[0].isdigit() and _left(match, _LETTER)
    return None if glued and not _left(match, _SPOKEN_OF) else match.span()


def _spoken_of(match: re.Match[str]) -> Span | None:
    return match.span() if _left(match, _SPOKEN_OF) else None


def _ipv4(match: re.Match[str]) -> Span | None:
    return match.span() if _is_address(match[0]) and not _left(match, _VERSION) else None


def _ipv6(match: re.Match[str]) -> Span | None:
    text = match[0] if match[0].endswith("::") else match[0].rstrip(".:")
    groups = [group for group in text.split(":") if group]
    # `a1::b2` is an address to the letter, and a name in C++ in fact
    if len(groups) < 3 and not (groups and re.fullmatch("(?=.*[0-9])[0-9A-Fa-f]{3,4}", groups[0])):
        return None
    if not any(c.isdigit() for c in text):
        return None
    return (match.start(), match.start() + len(text)) if _is_address(text) else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _recogniser(entity: str, pattern: str, check: Check = _whole, needs: str = "") -> Recogniser:
    return Recogniser(entity, re.compile(pattern), check, needs)


_LATIN = "A-Za-z0-9\\-\u00c0-\u024f\u0300-\u036f"
_OTHER = "[^\\W\\x00-\u036f]"
_LABEL = f"(?:[{_LATIN}]{{1,63}}+|{_OTHER}(?:{_OTHER}|[0-9-]){{0,62}}+)"
# a Korean particle may follow the last label without a space
_DOMAIN = f"(?:{_LABEL}\\.){{1,8}}(?:[A-Za-z]{{2,24}}|[Xx][Nn]--[A-Za-z0-9]{{2,59}}|{_OTHER}{{2,24}})"
_LOCAL = "\\w.%+\\-\u0300-\u036f"
_EMAIL = f'(?:[{_LOCAL}](?<![{_LOCAL}][{_LOCAL}])[{_LOCAL}]*+|"[^"@\\n]{{1,64}}")[ \\t]{{0,2}}@[ \\t]{{0,2}}{_DOMAIN}'
_URL = r"[A-Za-z0-9+.-](?<![A-Za-z0-9+.-]{2})[A-Za-z0-9+.-]*+://[^\s/@<>]{1,256}@[^\s<>\"']+"

_GAP = r"[ \t]?[-._/ \t]?[ \t]?"
_PART = r"[-._/) ]{0,3}"
_SIGN = r"[-._/ ]{1,3}"
_NUMBERS = "|".join(
    (
        # Korea: mobile and fixed, then the numbers of companies
        rf"0(?:2|1[016789]|[3-6][1-5]|303|50\d|70|80){_PART}\d{{3,4}}{_PART}\d{{4}}(?!\d)",
        r"1[5-8]\d{2}[- ]\d{4}(?!\d)",
        r"820?1[016789]\d{7,8}(?!\d)",
        # with a country's number
        rf"\+\d{{1,3}}(?:{_PART}\(?\d{{1,4}}\)?){{2,5}}(?!\d)",
        rf"(?<![0-9] )00[1-9]\d{{0,2}}{_SIGN}(?:\(?\d{{1,4}}\)?{_PART}){{1,4}}\d{{2,4}}(?!\d)",
        # North America
        r"(?:1[-. ]{1,3})?\(\d{3}\)[-. ]{0,3}\d{3}[-. ]{1,3}\d{4}(?!\d)",
        r"(?<![0-9] )(?:1[-. /]{1,3})?[2-9]\d{2}[-. /]{1,3}\d{3}[-. /]{1,3}\d{4}(?!\d)",
        # a trunk zero: Japan, Britain, Germany, France
        rf"(?<![0-9] )0[1-9]\d{{0,3}}{_SIGN}\d{{3,4}}{_SIGN}\d{{3,4}}(?!\d)",
        r"(?<![0-9] )0[1-9]\d{1,3}[ /-]{1,3}\d{5,8}(?!\d)",
        r"(?<![0-9] )0[1-9](?:[-. /]{1,3}\d\d){4}(?![-. /]?\d)",
        r"0[1-9]\d{8,9}(?!\d)",
        # China: mobile
        r"1[3-9]\d(?:\d{8}|[-. ]{1,3}\d{4}[-. ]{1,3}\d{4})(?!\d)",
    )
).replace(r"\d", "[0-9]")
_NO_NUMBER_BEFORE = r"(?<![0-9])(?<![0-9][-._/])"
_IPV4 = r"[0-9](?<![0-9].)(?<![0-9]\..)[0-9]{0,2}+(?:\.[0-9]{1,3}+){3}(?![0-9]|\.[0-9]|[a-z][0-9])"
_IPV6 = (
    r"(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)(?<![0-9A-Za-z])(?<![0-9A-Fa-f:]:)"
    r"[0-9A-Fa-f:]{2,39}+(?:\.[0-9]{1,3}){0,3}(?![0-9A-Za-z])"
)
_CARD = r"[2-6](?<![0-9].)[0-9]*+(?:[\s._-]{1,3}+[0-9]++){0,6}"

WITH_AT = (_recogniser("URL", _URL, needs="://"), _recogniser("EMAIL", _EMAIL))
"""Tried where the text has an at sign, in this order."""
WITH_DIGITS = (
    _recogniser("IBAN", "[A-Za-z]{2}[0-9]{2}", _iban),
    _recogniser("RESIDENT_NUMBER", rf"[0-9](?<![0-9].)[0-9]{{5}}{_GAP}[1-8][0-9]{{6}}(?![0-9])", _resident),
    _recogniser("CARD", _CARD, _card),
    _recogniser("IP", _IPV6, _ipv6, ":"),
    _recogniser("IP", _IPV4, _ipv4, "."),
    _recogniser(
        "BUSINESS_NUMBER",
        r"[0-9](?<![0-9-].)[0-9]{2} ?- ?[0-9]{2} ?- ?[0-9]{5}(?![0-9]|-[0-9])",
        needs="-",
    ),
    _recogniser(
        "SSN",
        r"[0-8](?<![0-9-].)(?<!000)[0-9]{2}(?:-[0-9]{2}-| [0-9]{2} | - [0-9]{2} - )[0-9]{4}(?![0-9]|-[0-9])",
    ),
    _recogniser("PHONE", rf"(?=[0-9+(]){_NO_NUMBER_BEFORE}(?:{_NUMBERS})", _phone),
    _recogniser("PHONE", r"[2-9](?<![0-9].)[0-9]{9}(?![0-9])", _spoken_of),
)
"""Tried where the text has a digit, in this order: what one has found is no longer seen by the next."""
