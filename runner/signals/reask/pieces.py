"""The parts of words by which questions are compared, so that typing errors and endings cost little.

An English word gives its stem and its runs of three letters; Hangul gives each syllable and the runs of three letters
(jamo) within and across words, because spacing is often left out and endings grow into stems. The last Korean word
counts again: it holds the verb, and with it what is asked. Called by `question` and `rarity`. Pure.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from runner.signals.reask.words import (
    ASKING,
    COMMON,
    COMMONEST,
    DIGITS,
    FUNCTION,
    HANGUL,
    KOREAN_DAY,
    NEGATION,
    stem,
)

_RUN = 3


class Kind(StrEnum):
    """What a part of a text is; equal letters of two kinds are two parts."""

    WORD = "w"
    """The stem of a word that is not Hangul, a number, or a date."""
    RUN = "t"
    """Three letters of such a word."""
    BAG = "b"
    """All letters of such a word in alphabetical order, the same where two were swapped."""
    SYLLABLE = "s"
    """A Hangul syllable."""
    END = "e"
    """A Hangul syllable of the last word."""
    LETTERS = "j"
    """Three Hangul letters (jamo)."""


class Piece(NamedTuple):
    """A part of a text: its hash, how rare it is in general (1: in one question of a hundred), and its share."""

    kind: Kind
    key: int
    prior: float
    scale: float


def pieces(words: Sequence[str]) -> set[Piece]:
    """Return the parts of all words of a text (in `plain` spelling); none for no words."""
    hangul = [word for word in words if HANGUL.match(word)]
    found = {piece for word in words if not HANGUL.match(word) for piece in _latin(word)}
    if hangul:
        found.update(_hangul(hangul))
    return found


def _latin(word: str) -> Iterator[Piece]:
    word = NEGATION.get(word) or DIGITS.get(word, word)
    if word in FUNCTION:
        yield _piece(Kind.WORD, word, 0.15)
        return
    if word in ASKING:
        yield _piece(Kind.WORD, word, ASKING[word])
        return
    yield _piece(Kind.WORD, stem(word), 1.0)
    if word != "not":
        yield _piece(Kind.BAG, "".join(sorted(word)), 1.0, 0.7)
        yield from (_piece(Kind.RUN, run, 1.0, 0.4) for run in _runs(f"^{word}$"))


def _hangul(words: Sequence[str]) -> Iterator[Piece]:
    for word in words:
        yield from (_piece(Kind.SYLLABLE, syllable, _rarity(syllable)) for syllable in word)
        if date := KOREAN_DAY.match(word):
            yield _piece(Kind.WORD, date.group(), 1.0)
    last = words[-1] if len(words[-1]) > 1 or len(words) == 1 else "".join(words[-2:])
    yield from (_piece(Kind.END, syllable, _rarity(syllable), 0.5) for syllable in last)
    letters = unicodedata.normalize("NFD", f" {' '.join(words)} ")
    yield from (_piece(Kind.LETTERS, run, 0.5, 0.6) for run in _runs(letters))


def _rarity(syllable: str) -> float:
    if syllable in COMMONEST:
        return 0.33
    return 0.58 if syllable in COMMON else 1.0


def _runs(text: str) -> Iterable[str]:
    return (text[at : at + _RUN] for at in range(len(text) - _RUN + 1))


def _piece(kind: Kind, text: str, prior: float, scale: float = 1.0) -> Piece:
    return Piece(kind, zlib.crc32(f"{kind}{text}".encode("utf-8", "surrogatepass")), prior, scale)
