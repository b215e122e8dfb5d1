"""Words as they stand, for models fitted to a team's labels: what this team's assistants say when they refuse.

The shipped model does without: from examples of our own it would learn our topics. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import sqrt

LONGEST = 3
"""Most words in a phrase."""
SCALE = 16.0
"""Size of an answer's phrases beside its other features; larger lets the labels speak louder than the examples."""
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")


def phrases(text: str) -> set[str]:
    """Return all phrases of up to `LONGEST` words of a text in one spelling."""
    found = _WORD.findall(text)
    together = set(found)
    for length in range(2, LONGEST + 1):
        together.update(map(" ".join, zip(*(found[start:] for start in range(length)), strict=False)))
    return together


def value(known: int) -> float:
    """Return what each of the phrases of a text that a model knows counts: the same sum of squares for all texts."""
    return SCALE / sqrt(known) if known else 0.0


def score(text: str, weights: Mapping[str, float]) -> float:
    """Return what the phrases of a text add to its log-odds."""
    found = sorted(weights[phrase] for phrase in phrases(text) & weights.keys())
    return value(len(found)) * sum(found)
