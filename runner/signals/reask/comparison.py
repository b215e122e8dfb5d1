"""How alike two questions are, and from where on the second counts as the first one asked again.

Each question must cover what the other means: the share of its weight found there. The threshold is set where false
alarms are rare, since a re-ask is evidence against an answer. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.signals.reask.question import Question, sketch, total
from runner.signals.reask.rarity import SHIPPED, Rarity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runner.signals.embedder import Embedder

WITHIN_S = 30.0
"""Longest time between an answer's request and the same question again."""
THRESHOLD = 0.65
"""Likeness from which the second question counts as the first one again.

Measured by `benchmarks.signals.reask`: of unlike Korean pairs that begin alike and English questions on one subject,
1 to 3 in a hundred reach it; of pairs picked as the closest among thousands, which often differ by a word, a fifth.
"""
_OTHER_FIGURE, _LOST_FIGURE = 0.4, 0.7
"""What is left where each has a figure (number, date, negation) that the other has not, and where only one has."""
_OTHER_KIND = 0.6
"""What is left where two questions want different kinds of answers."""
_CERTAIN = 0.75
"""Exponent of how far a question that corrects itself covers a plain one; of the reverse it is one minus this.

A correction often explains itself in words of its own, so that what is not found of it says less."""


def likeness(one: Question, other: Question) -> float:
    """Return how alike two questions are, from 0 to 1, whichever came first; 0 where one has nothing to compare."""
    if not one.weight or not other.weight:
        return 0.0
    mine = total(one.meant & other.said) / one.weight
    yours = total(other.meant & one.said) / other.weight
    if not mine or not yours:
        return 0.0
    if one.corrected == other.corrected:
        alike = 2.0 / (1.0 / mine + 1.0 / yours)
    else:
        covers, covered = (mine, yours) if other.corrected else (yours, mine)
        alike = covers**_CERTAIN * covered ** (1.0 - _CERTAIN)
    return alike * _agreement(one, other)


def _agreement(one: Question, other: Question) -> float:
    """Return what numbers and kinds of answers leave of the likeness."""
    left = 1.0
    mine, yours = one.figures - other.said, other.figures - one.said
    if mine or yours:
        left *= _OTHER_FIGURE if mine and yours else _LOST_FIGURE
    if one.asks and other.asks and not one.asks & other.asks:
        left *= _OTHER_KIND
    return left


def asked_again(before: Question, after: Question, threshold: float = THRESHOLD) -> bool:
    """Return whether a question counts as the one before asked again."""
    return likeness(before, after) >= threshold


def likenesses(
    before: Sequence[str],
    after: Sequence[str],
    rarity: Rarity = SHIPPED,
    embedder: Embedder | None = None,
) -> NDArray[np.float64]:
    """Return the likeness of each pair of texts, shape (pairs,): what `likeness` says of their sketches.

    With an embedder, the mean of that and of the cosine of the two vectors (0 where negative). ValueError where
    there is not one text after for each before.
    """
    import numpy as np

    if len(before) != len(after):
        raise ValueError(f"{len(before)} questions before and {len(after)} after are no pairs")
    known = lru_cache(maxsize=10_000)(lambda text: sketch(text, rarity))
    pairs = zip(before, after, strict=True)
    lexical = np.fromiter(
        (likeness(known(one), known(other)) for one, other in pairs), np.float64, len(before)
    )
    if embedder is None or not len(before):
        return lexical
    cosines = np.einsum("ij,ij->i", embedder.embed(before), embedder.embed(after)).astype(np.float64)
    return np.asarray((lexical + np.clip(cosines, 0.0, 1.0)) / 2)
