"""The classifier for teams with many labels: how an answer speaks, and how it speaks where the question asks for harm.

"There is no reason for that" answers a silly question and refuses a hateful one, so every feature of an answer counts
twice: as it is, and times how harmful its question looks. Linear, so that a file of weights holds it; each group of
features of an answer has length one, so that long answers say no more than short ones. `fitting` finds the weights
(largest margin: answers far from the border pull at nothing), `detector` adds them up. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from runner.signals.embedder import Embedder
from runner.signals.refusal.features import CODES, Batch, number
from runner.signals.refusal.linear import Linear
from runner.signals.refusal.questions import Questions
from runner.signals.refusal.words import phrases

RUNS, PHRASES = "normed runs", "normed phrases"
"""Groups of weights in a model file that marks a model of this kind ..."""
HARMFUL = ", harmful question"
"""... and the ending of the groups that count times `leaning`."""
GROUPS = (RUNS, PHRASES)
VIEWS = 3
"""Embeddings of an answer: all that is read of it, its first sentence, and the mean of its first `EARLY` ones. An
answer after a refusal, or a lecture after an answer, shows in how they differ."""
EARLY = 4
SHARE = sqrt(1.0 / VIEWS)
"""Length of each embedding beside the groups of length one: together they count like one group."""
_BETWEEN = re.compile(r"(?<=[.!?:])\s+|\n+")
_SAID = re.compile(r"\w\w")

Numbers = NDArray[np.float64]


def is_one(model: Linear) -> bool:
    """Return whether a model file is of this kind."""
    return RUNS in model.weights


def whole(model: Linear) -> bool:
    """Return whether such a file holds every group, the same names twice in each, and weights of whole embeddings."""
    twice = all(
        model.weights.get(group, {}).keys() == model.weights.get(group + HARMFUL, {}).keys()
        for group in GROUPS
    )
    return twice and PHRASES in model.weights and len(model.dense) % (2 * VIEWS) == 0


def leaning(asked: Questions, questions: Sequence[str]) -> Numbers:
    """Return how harmful each question looks, from -1 (surely not) to 1; 0 where none is known. Shape (questions,)."""
    known = np.array([bool(question.strip()) for question in questions], dtype=np.bool_)
    return np.where(known, 2.0 * asked.unsafe(questions) - 1.0, 0.0)


def views(batch: Batch, embedder: Embedder) -> Numbers:
    """Return the embeddings of each answer beside each other, shape (answers, VIEWS * embedder.size)."""
    early = [_sentences(text) for text in batch.spelled]
    ends = np.cumsum([0, *map(len, early)])
    each = embedder.embed([sentence for some in early for sentence in some]).astype(np.float64)
    found = np.zeros((len(early), VIEWS, embedder.size))
    found[:, 0] = embedder.embed(batch.spelled)
    for at, (start, end) in enumerate(pairwise(ends.tolist())):
        if end > start:
            found[at, 1] = each[start]
            found[at, 2] = each[start:end].mean(axis=0)
    return SHARE * found.reshape(len(early), VIEWS * embedder.size)


def _sentences(text: str) -> list[str]:
    """Return the first sentences of a text that say anything."""
    return [one for one in _BETWEEN.split(text) if _SAID.search(one)][:EARLY]


@dataclass(frozen=True)
class Scorer:
    """The weights of one such model, ready to look up: those that always count, and those that count times harm."""

    tables: tuple[Numbers, Numbers]
    """Weight of every code of a run, two of shape (CODES,)."""
    known: NDArray[np.bool_]
    phrases: tuple[Mapping[str, float], Mapping[str, float]]
    dense: Numbers
    """Weights over `views`, shape (2, VIEWS * size), or (2, 0) without an embedder."""
    bias: float
    asked: Questions

    @classmethod
    def of(cls, model: Linear, asked: Questions) -> Scorer:
        """Return the scorer of a model file; raises ValueError where its embedding weights are of no such number."""
        known = np.zeros(CODES, dtype=np.bool_)
        known[[code for run in model.weights[RUNS] if (code := number(run)) is not None]] = True
        tables = _table(model.weights[RUNS]), _table(model.weights[RUNS + HARMFUL])
        said = model.weights[PHRASES], model.weights[PHRASES + HARMFUL]
        dense = np.array(model.dense, dtype=np.float64).reshape(2, -1)
        return cls(tables, known, said, dense, model.bias, asked)

    def scores(self, batch: Batch, questions: Sequence[str], embedder: Embedder | None) -> Numbers:
        """Return the log-odds of each answer, summed in an order that does not depend on the others of the batch."""
        size = len(batch.answers)
        runs = batch.runs.among(self.known).once()
        norm = np.sqrt(np.maximum(np.bincount(runs.owner, minlength=size), 1))
        said = [sorted(phrases(text) & self.phrases[0].keys()) for text in batch.spelled]
        vectors = views(batch, embedder) if embedder is not None and self.dense.size else None
        sums = []
        for part in (0, 1):
            found = np.bincount(runs.owner, self.tables[part][runs.code], minlength=size) / norm
            weights = self.phrases[part]
            found += [sum(weights[one] for one in some) / sqrt(len(some) or 1) for some in said]
            if vectors is not None:
                found += (vectors * self.dense[part]).sum(axis=1)
            sums.append(found)
        return np.asarray(self.bias + sums[0] + leaning(self.asked, questions) * sums[1], dtype=np.float64)


def _table(weights: Mapping[str, float]) -> Numbers:
    table = np.zeros(CODES)
    for run, weight in weights.items():
        if (code := number(run)) is not None:
            table[code] = weight
    return table
