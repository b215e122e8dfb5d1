"""Finds card numbers and IBANs which the gateway's recognisers let pass: rarer issuers, and wrong checksums.

Called by `engine`, on folded text. A number with a wrong checksum counts only where a word beside it says what it is:
somebody mistyped it, and most of it is still theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.events.recognisers import iban_length, luhn
from runner.feedback.privacy.found import DIGIT, Context, Finder, Found
from runner.spec.privacy import Entity

_CARD = re.compile(r"(?<![0-9])(?<![0-9][.,])[0-9](?:[ ._-]{0,3}[0-9]){11,18}+(?![0-9])")
_CARD_WORD = Context(
    re.compile(
        r"\bcards?\b|visa|master ?card|\bamex\b|american express|credit|debit|\bcc\b|maestro|diners|discover|\bjcb\b"
        r"|union ?pay|카드",
        re.IGNORECASE,
    )
)
_ISSUERS = re.compile(
    "|".join(
        (
            "4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})",  # Visa
            "5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}",  # Mastercard
            "220[0-4][0-9]{12}",  # Mir
            "3[47][0-9]{13}",  # American Express
            "3(?:0[0-5]|09|[689][0-9])[0-9]{11,16}",  # Diners
            "35(?:2[89]|[3-8][0-9])[0-9]{12,15}|(?:2131|1800)[0-9]{11}",  # JCB
            "(?:6011|62[0-9]{2}|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}",  # Discover, UnionPay
            "(?:50|5[6-9]|6[0-9])[0-9]{10,17}",  # Maestro
        )
    )
)
"""The issuers' ranges of ISO/IEC 7812."""

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}+(?![A-Za-z0-9])")
_IBAN_WORD = Context(re.compile(r"iban|bank|account|transfer|wire|계좌|은행|송금", re.IGNORECASE))


def _cards(text: str) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        digits = re.sub("[^0-9]", "", match[0])
        named = _CARD_WORD.near(text, match.span())
        issued = _ISSUERS.fullmatch(digits) is not None
        if luhn(digits) and (issued or named) and digits.strip("0"):
            yield Found(*match.span(), Entity.CARD, 1.0 if named or len(digits) > 12 else 0.8)
        elif named:
            yield Found(*match.span(), Entity.CARD, 0.7)


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        wanted = iban_length(match[0][:2])
        places = [place for place in range(*match.span()) if text[place].isalnum()]
        if wanted and len(places) >= wanted and _IBAN_WORD.near(text, match.span()):
            yield Found(match.start(), places[wanted - 1] + 1, Entity.IBAN, 0.8)


FINDERS = (
    Finder("cards", frozenset({Entity.CARD}), DIGIT, _cards),
    Finder("IBANs", frozenset({Entity.IBAN}), DIGIT, _ibans),
)
