"""How alike several answers to one question are: the mean over all pairs, from 0 to 1; metric `consistency`.

What compares two answers is pluggable: `lexical` needs nothing, `embedded` an embedder, and a judge behind an address
(`runner.evaluation.judge`) has done its asking before its matrix comes here. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from runner.signals.consistency.words import Sort, words
from runner.signals.text import plain

if TYPE_CHECKING:
    from runner.signals.embedder import Embedder

Matrix = Sequence[Sequence[float]]
"""Similarity of each answer with each, 0 to 1, symmetric, 1 on the diagonal."""
Similarity = Callable[[Sequence[str]], Matrix]

WEIGHTS: Mapping[Sort, float] = {Sort.NUMBER: 4.0, Sort.NAME: 2.0, Sort.CONTENT: 1.0, Sort.FUNCTION: 0.1}
"""A pair of answers with other numbers says something else, in however equal words."""


def agreement(answers: Sequence[str], similarity: Similarity) -> float:
    """Return the mean similarity of all pairs of answers. Raises ValueError for fewer than two.

    Raises ValueError also for a matrix of another shape, or a value outside 0 to 1.
    """
    count = len(answers)
    if count < 2:
        raise ValueError("two answers are the fewest that can agree")
    matrix = similarity(answers)
    if len(matrix) != count or any(len(row) != count for row in matrix):
        raise ValueError(f"{count} answers were to be compared, and the matrix has another shape")
    pairs = [float(matrix[one][other]) for one in range(count) for other in range(one)]
    if not all(0.0 <= value <= 1.0 for value in pairs):
        raise ValueError("a similarity lies between 0 and 1")
    return math.fsum(pairs) / len(pairs)


def lexical(answers: Sequence[str]) -> Matrix:
    """Compare by the words that two answers share (weighted Dice coefficient); equal texts are 1."""
    bags = [_bag(answer) for answer in answers]
    texts = [plain(answer).strip() for answer in answers]
    return [
        [1.0 if texts[i] == texts[j] else _dice(bags[i], bags[j]) for j in range(len(answers))]
        for i in range(len(answers))
    ]


def embedded(embedder: Embedder) -> Similarity:
    """Compare by meaning: the cosine of two answers, where it is positive."""

    def compare(answers: Sequence[str]) -> Matrix:
        vectors = embedder.embed(answers)
        texts = [plain(answer).strip() for answer in answers]
        cosines = vectors @ vectors.T
        return [
            [
                1.0 if texts[i] == texts[j] else min(1.0, max(0.0, float(cosines[i, j])))
                for j in range(len(texts))
            ]
            for i in range(len(texts))
        ]

    return compare


def _bag(answer: str) -> dict[str, float]:
    return {word.key: WEIGHTS[word.sort] for word in words(answer)}


def _dice(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return twice what is shared over what there is; a word counts with the larger of its two weights."""
    shared = sum(2 * max(one[key], other[key]) for key in one.keys() & other.keys())
    alone = sum(one[key] for key in one.keys() - other.keys()) + sum(
        other[key] for key in other.keys() - one.keys()
    )
    return shared / (shared + alone) if shared + alone else 0.0
