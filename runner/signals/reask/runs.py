"""How alike two texts of any kind are, by the short runs of characters they share.

`shadow` compares answers with it, and the benchmark of re-asks has it as a baseline. It knows nothing of questions;
`likeness` does. A text is kept as hashes. Pure.
"""

from __future__ import annotations

import re
import unicodedata
import zlib

READ = 512
"""Characters of a text that are compared."""
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
