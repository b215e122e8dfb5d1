"""Whether two answers to one question differ in what they say, and not only in how they say it.

`extract` asks it of answers and the copies that shadowed versions gave. One refuses and the other does not, each
states a number that the other does not, or they have too few words in common, names counting double. Pure.
"""

from __future__ import annotations

from typing import Final

from runner.feedback.extraction.words import folded
from runner.signals.consistency.agreement import lexical
from runner.signals.consistency.words import LONGEST, Sort, words

ALIKE: Final = 0.6
"""Share of common words (weighted, Dice) from which two answers say the same; rewordings of facts lie above."""


def differ(one: str, other: str) -> bool:
    """Return whether two answers say different things."""
    if folded(one) == folded(other):
        return False
    mine, yours = _numbers(one), _numbers(other)
    if mine - yours and yours - mine:
        return True
    return lexical([one[:LONGEST], other[:LONGEST]])[0][1] < ALIKE


def _numbers(text: str) -> set[str]:
    return {word.key for word in words(text) if word.sort is Sort.NUMBER}
