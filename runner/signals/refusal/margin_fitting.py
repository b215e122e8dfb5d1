"""Fits `margin` models to many labels: a support vector machine, then its scores made probabilities.

Called by `fitting` alone. The border is found by the labels alone, and the slope from score to probability (Platt 1999)
from answers that were out of the fit, their question and their model with them: a border fitted to the models that it
knows lies off for the next one. scikit-learn is imported when something is fitted. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.digest import of_value
from runner.signals.embedder import Embedder
from runner.signals.refusal import margin
from runner.signals.refusal.features import CODES, Batch, name
from runner.signals.refusal.labels import Labelled
from runner.signals.refusal.linear import DECIMALS, Linear
from runner.signals.refusal.margin import HARMFUL, PHRASES, RUNS, Numbers
from runner.signals.refusal.questions import Questions
from runner.signals.refusal.words import phrases

COST = 1.0
"""Of an answer on the wrong side of the margin (scikit-learn's C), where features have length one on average."""
LEAST_RUN, LEAST_PHRASE = 3, 2
"""Labels in which a run or a phrase occurs before it gets a weight."""
FOLDS = 3
"""Parts of the questions that the slope is found on in turn."""
SLOPE = 10.0
"""Inverse strength of the penalty on the slope."""

Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class _Seen:
    """Labels as features: groups of length one, and how harmful each question looks."""

    rows: Sequence[Labelled]
    embedder: Embedder | None

    @cached_property
    def _batch(self) -> Batch:
        return Batch([row.answer for row in self.rows])

    @cached_property
    def leaning(self) -> Numbers:
        return margin.leaning(Questions.load(), [row.question for row in self.rows])

    @cached_property
    def _said(self) -> list[set[str]]:
        return [phrases(text) for text in self._batch.spelled]

    @cached_property
    def codes(self) -> list[int]:
        counts = np.bincount(self._batch.runs.once().code, minlength=CODES)
        return [int(code) for code in np.nonzero(counts >= LEAST_RUN)[0]]

    @cached_property
    def phrases(self) -> list[str]:
        often = Counter(phrase for said in self._said for phrase in said)
        return sorted(phrase for phrase, n in often.items() if n >= LEAST_PHRASE)

    @cached_property
    def features(self) -> tuple[Any, Any, Numbers]:
        """Runs and phrases, sparse, and embeddings: each of shape (labels, features of that group)."""
        marked = np.zeros(CODES, dtype=np.bool_)
        marked[self.codes] = True
        runs = self._batch.runs.among(marked).once()
        place = {phrase: column for column, phrase in enumerate(self.phrases)}
        found = [(at, place[one]) for at, said in enumerate(self._said) for one in said if one in place]
        at, column = np.array(found, dtype=np.int64).reshape(-1, 2).T
        dense = margin.views(self._batch, self.embedder) if self.embedder else np.zeros((len(self.rows), 0))
        return (
            _normed(runs.owner, np.searchsorted(self.codes, runs.code), (len(self.rows), len(self.codes))),
            _normed(at, column, (len(self.rows), len(self.phrases))),
            dense,
        )


def _normed(owner: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, int]) -> Any:
    """Return a sparse matrix whose rows have length one."""
    from scipy.sparse import csr_matrix

    size = np.sqrt(np.maximum(np.bincount(owner, minlength=shape[0]), 1))
    return csr_matrix((1.0 / size[owner], (owner, column)), shape=shape)


def fit(own: Sequence[Labelled], embedder: Embedder | None, kind: str) -> Linear:
    """Return the model fitted to labels alone. Raises ValueError where all of them are of one kind."""
    seen = _Seen(own, embedder)
    truth = np.array([row.refuses for row in own])
    runs, said, dense = seen.features
    likeness = np.asarray((runs @ runs.T + said @ said.T).todense()) + dense @ dense.T
    likeness *= 1.0 + np.outer(seen.leaning, seen.leaning)
    unit = float(np.mean(np.diag(likeness))) or 1.0
    pull, border = _machine(likeness / unit, truth)
    slope, offset = _slope(likeness / unit, truth, own)
    pulls = pull * slope / unit, pull * seen.leaning * slope / unit
    names = [name(code) for code in seen.codes]
    weights = {}
    for part, ending in zip(pulls, ("", HARMFUL), strict=True):
        weights[RUNS + ending] = _named(names, runs.T @ part)
        weights[PHRASES + ending] = _named(seen.phrases, said.T @ part)
    flat = np.concatenate([dense.T @ part for part in pulls])
    return Linear(
        kind,
        round(border * slope + offset, DECIMALS),
        weights,
        embedder.digest if embedder else None,
        tuple(np.round(flat, DECIMALS).tolist()),
    )


def _named(names: Sequence[str], weights: Numbers) -> dict[str, float]:
    """Return all weights, zeros too: how many features a text has of those known is part of its score."""
    return dict(zip(names, np.round(weights, DECIMALS).tolist(), strict=True))


def _machine(likeness: Numbers, truth: Marks) -> tuple[Numbers, float]:
    """Return what every label pulls the border by, shape (labels,), and where the border lies."""
    from sklearn.svm import SVC

    machine = SVC(C=COST, kernel="precomputed", tol=1e-4).fit(likeness, truth)
    pull = np.zeros(len(truth))
    pull[machine.support_] = machine.dual_coef_[0]
    return pull, float(machine.intercept_[0])


def _slope(likeness: Numbers, truth: Marks, own: Sequence[Labelled]) -> tuple[float, float]:
    """Return slope and offset that make scores log-odds, from labels that were out of the fit; (1, 0) without any."""
    from sklearn.linear_model import LogisticRegression

    fold = np.array(
        [int(of_value(["slope", row.question.strip().casefold()])[:8], 16) % FOLDS for row in own]
    )
    names = np.array([row.model for row in own])
    several = len(set(names.tolist())) > 1
    scores = np.full(len(own), np.nan)
    for part, model in sorted(set(zip(fold.tolist(), names.tolist(), strict=True))):
        there = np.nonzero((fold == part) & (names == model))[0]
        away = np.nonzero((fold != part) & ((names != model) if several else True))[0]
        if len(set(truth[away].tolist())) == 2:
            pull, border = _machine(likeness[np.ix_(away, away)], truth[away])
            scores[there] = likeness[np.ix_(there, away)] @ pull + border
    known = ~np.isnan(scores)
    if len(set(truth[known].tolist())) < 2:
        return 1.0, 0.0
    line = LogisticRegression(C=SLOPE).fit(scores[known, None], truth[known])
    return float(line.coef_[0, 0]), float(line.intercept_[0])
