"""Takes personal data out of text before it reaches the disk, by recognisers that need no model.

Called by the gateway for content and feedback. Found: e-mail addresses, URLs with credentials, payment cards
(Luhn), IBANs (ISO 7064 checksum and the country's length), Korean resident and business numbers, US social
security numbers, phone numbers, IP addresses; in every spelling that `folding` makes one. A value gets the same
placeholder everywhere within one conversation (`<EMAIL_1>`), so that an answer still refers to its question.
Names and places need a model and are not found here. No I/O.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import orjson

from runner.events.folding import telling
from runner.events.recognisers import (
    PHONE_WORD,
    WITH_AT,
    WITH_DIGITS,
    Recogniser,
    Span,
    iban_checksum,
    luhn,
)

__all__ = ["THREAD_OVER", "TOO_DEEP", "Masking", "iban_checksum", "luhn"]

THREAD_OVER = 8192
"""Bytes of text from which masking belongs in a thread.

The worst text found (IBANs that are none, without a space) costs 0.7 microseconds a byte, common text 0.2: this
much keeps an event loop for 6 ms at most, 2 ms commonly. A hand-over to a thread costs a tenth of a millisecond.
"""
TOO_DEEP = "<TOO_DEEP>"
"""Stands for what is nested deeper than anyone nests a conversation: it is not kept, for it was not looked at."""
_DEPTH = 32
_SMALLEST = 10**8
"""No number below it is a card, a phone or a resident number."""
_BARE = re.compile(r"\+?[0-9]{8,15}")
_MASKED = re.compile(r"<[A-Z_]+_[0-9]+>")

_Found = tuple[Span, str, str]


class Masking:
    """One conversation: a value has the same placeholder in all its texts; `counts`: entity -> found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._placeholders: dict[tuple[str, str], str] = {}
        self._kinds: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """Return `text` with every recognised value replaced by its placeholder."""
        folded = telling(text)
        if folded is None:
            return text
        found = _search(folded.text)
        if not found:
            return text
        places = folded.origin([place for span, _, _ in found for place in span])
        parts: list[str] = []
        done = 0
        for (_, entity, value), start, end in zip(found, places[::2], places[1::2], strict=True):
            parts += (text[done:start], self._placeholder(entity, value))
            done = end
        return "".join(parts) + text[done:]

    def value(self, value: Any) -> Any:
        """Return a JSON value with its texts, keys and numbers masked, also those in a text that is JSON itself.

        A number that is personal data becomes the text of its placeholder; all else keeps its shape.
        """
        return self._value(value, _DEPTH)

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._decoded(value, depth) if value.lstrip()[:1] in ("{", "[", '"') else self.text(value)
        if isinstance(value, int | float):
            return self._number(value)
        if not isinstance(value, list | dict):
            return value
        if not depth:
            masked: Any = TOO_DEEP
        elif isinstance(value, list):
            masked = [self._value(item, depth - 1) for item in value]
        else:
            masked = {self.text(key): self._named(key, item, depth - 1) for key, item in value.items()}
        return masked

    def _named(self, key: str, item: Any, depth: int) -> Any:
        """Mask a value whose key may say that it is a phone number."""
        if isinstance(item, str | int) and PHONE_WORD.search(key) and _BARE.fullmatch(str(item)):
            return self._placeholder("PHONE", str(item))
        return self._value(item, depth)

    def _number(self, number: float) -> Any:
        if not _SMALLEST <= abs(number) < 10**19:  # neither does infinity nor what is not a number
            return number
        if isinstance(number, float) and not number.is_integer():
            return number
        masked = self.text(str(abs(int(number))))
        return masked if _MASKED.fullmatch(masked) else number

    def _decoded(self, text: str, depth: int) -> str:
        """Mask inside a text that is JSON (the arguments of a tool call), where escapes would hide things."""
        if not depth or not ("\\" in text or telling(text)):
            return self.text(text)
        try:
            value = json.loads(text)
            if not isinstance(value, str | list | dict):
                return self.text(text)
            masked = self._value(value, depth - 1)
            # a key that comes twice is decoded once: what the decoding dropped must not stay as it was
            if masked == value and "\\" not in text:
                return self.text(text)
            return orjson.dumps(masked).decode()
        except (ValueError, TypeError, RecursionError):
            return self.text(text)

    def _placeholder(self, entity: str, found: str) -> str:
        self.counts[entity] += 1
        key = (entity, re.sub(r"[\s()./_-]" if entity != "EMAIL" else r"\s", "", found).lower())
        if key not in self._placeholders:
            self._kinds[entity] += 1
            self._placeholders[key] = f"<{entity}_{self._kinds[entity]}>"
        return self._placeholders[key]


def _search(text: str) -> list[_Found]:
    """Return what is recognised in a folded text, from left to right, nothing twice."""
    found: list[_Found] = []
    for recogniser in (*(WITH_AT if "@" in text else ()), *WITH_DIGITS):
        text = _take(recogniser, text, found)
    return sorted(found)


def _take(recogniser: Recogniser, text: str, found: list[_Found]) -> str:
    """Add what a recogniser finds; return the text with that blotted out, every place as before."""
    parts: list[str] = []
    done = 0
    for start, end in recogniser.spans(text):
        found.append(((start, end), recogniser.entity, text[start:end]))
        parts += (text[done:start], "\0" * (end - start))
        done = end
    return "".join(parts) + text[done:] if parts else text
