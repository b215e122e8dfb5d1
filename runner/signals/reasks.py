"""Whether a user asks alike again: the answer before did not help.

`outcomes` compares each question of a user with the same user's question shortly before. Likeness is lexical:
the share of short runs of characters that two texts have in common, which works alike for English and Korean
and needs no model. A text is kept as hashes of its runs, so that no state holds what anybody wrote. Pure.
"""

from __future__ import annotations

import re
import unicodedata
import zlib

WITHIN_S = 30.0
"""Longest time between an answer's request and the same question again."""
THRESHOLD = 0.6
"""Likeness from which the second question counts as the first one again."""
READ = 512
"""Characters of a question that are compared."""
_RUN = 3
_BREAKS = re.compile(r"[\W_]+")

Grams = frozenset[int]


def grams(text: str) -> Grams:
    """Return the hashes of all runs of three characters; case, punctuation and spacing make no difference.

    Words are padded, so that a text of a single letter has runs too; a text without letters or digits has none.
    """
    folded = unicodedata.normalize("NFKC", text[:READ]).casefold()
    words = _BREAKS.sub(" ", folded).strip()
    if not words:
        return frozenset()
    padded = f" {words} "
    runs = {padded[at : at + _RUN] for at in range(len(padded) - _RUN + 1)}
    return frozenset(zlib.crc32(run.encode("utf-8", "surrogatepass")) for run in runs)


def likeness(one: Grams, other: Grams) -> float:
    """Return how alike two texts are, from 0 to 1 (Dice's coefficient of their runs); 0 where one has none."""
    if not one or not other:
        return 0.0
    return 2 * len(one & other) / (len(one) + len(other))


def asked_again(before: Grams, after: Grams, threshold: float = THRESHOLD) -> bool:
    """Return whether a question counts as the one before asked again."""
    return likeness(before, after) >= threshold
