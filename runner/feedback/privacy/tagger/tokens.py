"""Cuts a text into the units that the tagger labels: words, numbers, single punctuation marks, line ends.

Called by the features, the tagger and its training. Hangul is cut into syllables, because a Korean name and the
particle behind it are one word on paper. Offsets are those of the text as it was given. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNIT = re.compile(r"[가-힣]|[^\W_가-힣](?:[^\W_가-힣]|[\u0300-\u036f])*|\n|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Token:
    """One unit: `text[start:end]`; `glued` says that nothing stands between it and the unit before."""

    form: str
    start: int
    end: int
    glued: bool


def tokens(text: str) -> list[Token]:
    """Return the units of `text` from left to right; white space other than line ends is none."""
    found: list[Token] = []
    done = 0
    for match in _UNIT.finditer(text):
        start, end = match.span()
        found.append(Token(match[0], start, end, start == done and start > 0))
        done = end
    return found
