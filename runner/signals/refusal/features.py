"""What the refusal classifier sees of answers: which tokens and pairs of tokens occur, and where.

A token or pair counts once an answer, and once more where it stands in the first sentence, because who declines mostly
begins with it. `fitting` chooses those that are kept; `detector` looks them up. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runner.signals.refusal.rules import refuses
from runner.signals.refusal.tokens import NAMES, NUMBERS, QUERY, STOP, spelled, tokens

BASE = 256
"""A token's number and one is a digit to this base, so that a batch is looked up in one table at once."""
FIRST = BASE**2
"""Added to what stands in the first sentence."""
CODES = 2 * FIRST
"""More than any code."""
SHAPE: tuple[str, ...] = ("rules",)
"""Names of the numbers that describe the whole answer, from 0 to 1: whether the rules call it a refusal. Its length is
none of them: how long refusals are is a habit of one model, and would be a habit of our examples."""
FIRST_MARK = "^"
_ENDS = frozenset({NUMBERS[STOP], NUMBERS[QUERY]})

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Tokens and pairs of a batch of answers: `code[i]` occurs in answer `owner[i]`, possibly several times."""

    owner: Codes
    code: Codes

    def once(self) -> Runs:
        """Return the same with each code once an answer, in order of answer and code."""
        pairs = np.unique(self.owner * CODES + self.code)
        return Runs(pairs // CODES, pairs % CODES)

    def among(self, known: NDArray[np.bool_]) -> Runs:
        """Return those whose code is marked in `known`, shape (CODES,)."""
        kept = known[self.code]
        return Runs(self.owner[kept], self.code[kept])


@dataclass(frozen=True)
class Batch:
    """Answers, each read once."""

    answers: Sequence[str]

    @cached_property
    def spelled(self) -> list[str]:
        """What is read of every answer, in one spelling."""
        return [spelled(answer) for answer in self.answers]

    @cached_property
    def tokens(self) -> list[list[int]]:
        """Token numbers of every answer."""
        return [tokens(text) for text in self.spelled]

    @cached_property
    def spoken(self) -> NDArray[np.bool_]:
        """Whether there is anything to read in every answer: a word or number, in Latin or Hangul."""
        return np.array([not _ENDS.issuperset(read) for read in self.tokens], dtype=np.bool_)

    @cached_property
    def runs(self) -> Runs:
        """Tokens and pairs of every answer."""
        return _runs(self.tokens)

    @cached_property
    def shape(self) -> Numbers:
        """`SHAPE` of every answer, shape (answers, len(SHAPE))."""
        return np.array([[float(refuses(text))] for text in self.spelled]).reshape(-1, len(SHAPE))


def _first(read: list[int]) -> int:
    """Return how many tokens the first sentence has."""
    for place, number in enumerate(read):
        if number in _ENDS and place:
            return place + 1
    return len(read)


def _runs(texts: Sequence[list[int]]) -> Runs:
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    flat = np.fromiter((number + 1 for text in texts for number in text), np.int64, int(sizes.sum()))
    owner = np.repeat(np.arange(len(texts), dtype=np.int64), sizes)
    place = np.arange(len(flat), dtype=np.int64) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    firsts = np.repeat(np.array([_first(text) for text in texts], dtype=np.int64), sizes)
    second = place > 0
    pair = flat[:-1] * BASE + flat[1:] if len(flat) else flat
    pair = pair[second[1:]]
    owner2 = owner[second]
    early, early2 = place < firsts, (place < firsts)[second]
    return Runs(
        np.concatenate([owner, owner2, owner[early], owner2[early2]]),
        np.concatenate([flat, pair, flat[early] + FIRST, pair[early2] + FIRST]),
    )


def name(code: int) -> str:
    """Return a code in words, as model files spell it: `^` marks the first sentence."""
    mark, code = (f"{FIRST_MARK} ", code - FIRST) if code >= FIRST else ("", code)
    digits = [digit for digit in divmod(code, BASE) if digit]
    return mark + " ".join(NAMES[digit - 1] for digit in digits)


def number(run: str) -> int | None:
    """Return the code that `name` spelled, None where a token is not known."""
    words = run.split(" ")
    first = words[0] == FIRST_MARK
    code = 0
    for word in words[first:]:
        if (digit := NUMBERS.get(word)) is None:
            return None
        code = code * BASE + digit + 1
    code += FIRST * first
    return code if code < CODES else None
