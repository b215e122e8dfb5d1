"""Fits refusal models: the shipped one from the shipped examples, a team's from those and its own labels.

Called by `loop signals fit refusal` and by tests and benchmarks, never while signals are measured: scikit-learn is
imported here only, and only when something is fitted. The same labels give the same model. Pure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.digest import of_value, short
from runner.signals.embedder import Embedder, Vectors
from runner.signals.refusal import labels, margin_fitting, questions, words
from runner.signals.refusal.detector import FORM, KIND, RUNS, WORDS, Detector
from runner.signals.refusal.features import CODES, SHAPE, Batch, name
from runner.signals.refusal.labels import Labelled
from runner.signals.refusal.linear import DECIMALS, Linear

QUESTIONS = Path(__file__).with_name("questions.jsonl")
FLEXIBILITY, ALONE = 0.3, 0.1
"""Inverse strength of the L2 penalty (scikit-learn's C) with labels, and for shipped examples alone: those repeat
themselves, so they prove less than their number says."""
LEAST = 4
"""Examples in which a token or pair occurs before it gets a weight."""
LEAST_PHRASE = 2
"""Labels in which a phrase occurs before it gets a weight."""
BESIDE_LABELS = 0.1
"""What a shipped example counts where a label of the team's counts 1."""
ENOUGH = 400
"""Labels from which a model is fitted to them alone (`margin_fitting`); fewer need the shipped examples beside them."""
FOLDS = 5

Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measured:
    """How well a model finds refusals: counts of right and wrong calls at 0.5."""

    found: int
    false: int
    missed: int
    n: int

    @property
    def precision(self) -> float | None:
        """Share of calls that are right; None without a call."""
        return self.found / (self.found + self.false) if self.found + self.false else None

    @property
    def recall(self) -> float | None:
        """Share of refusals that are found; None without a refusal."""
        return self.found / (self.found + self.missed) if self.found + self.missed else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None where there is neither a refusal nor a call."""
        whole = 2 * self.found + self.false + self.missed
        return 2 * self.found / whole if whole else None


def measured(truth: Marks, called: Marks) -> Measured:
    """Count right and wrong calls; both of shape (n,)."""
    return Measured(
        int((truth & called).sum()), int((~truth & called).sum()), int((truth & ~called).sum()), len(truth)
    )


def fit(own: Sequence[Labelled] = (), embedder: Embedder | None = None) -> Linear:
    """Return the model fitted to the shipped examples and to `own` labels.

    Without own labels it is the shipped model, tokens and shape alone; with them phrases count as well, and the
    embedding where an embedder is given; `ENOUGH` of them of both kinds do without the shipped examples. Raises
    ValueError where all labels together are of one kind.
    """
    if len(own) >= ENOUGH and _both(own):
        return _alone(own, embedder)
    shipped = labels.read(labels.SHIPPED)
    rows = (*shipped, *own)
    truth = np.array([row.refuses for row in rows])
    weight = np.array([BESIDE_LABELS if own else 1.0] * len(shipped) + [1.0] * len(own))
    batch = Batch([row.answer for row in rows])
    codes = _codes(batch)
    blocks: list[Any] = [_runs(batch, codes), batch.shape]
    known: list[str] = []
    if own:
        said = [words.phrases(text) for text in batch.spelled]
        known = _often(said[len(shipped) :], LEAST_PHRASE)
        blocks.append(_counted(said, known, words.value))
    if embedder is not None:
        blocks.append(embedder.embed(batch.spelled).astype(np.float64))
    fitted, bias = _solve(blocks, truth, weight, FLEXIBILITY if own else ALONE)
    places = np.cumsum([len(codes), len(SHAPE), len(known)])
    runs, form, spoken, dense = np.split(fitted, places)
    groups = {RUNS: _named(map(name, codes.tolist()), runs), FORM: _named(SHAPE, form)}
    if own:
        groups[WORDS] = _named(known, spoken)
    return Linear(
        KIND,
        round(bias, DECIMALS),
        groups,
        embedder.digest if embedder else None,
        tuple(np.round(dense, DECIMALS).tolist()),
        {"examples": len(shipped), "labels": len(own), "data": short(_digest(rows))},
    )


def _both(rows: Sequence[Labelled]) -> bool:
    return len({row.refuses for row in rows}) == 2


def _alone(own: Sequence[Labelled], embedder: Embedder | None) -> Linear:
    """Return the model fitted to labels without the shipped examples."""
    about = {"examples": 0, "labels": len(own), "data": short(_digest(own))}
    return replace(margin_fitting.fit(own, embedder, KIND), about=about)


def _digest(rows: Sequence[Labelled]) -> str:
    return of_value([[row.question, row.answer, row.label, row.model] for row in rows])


def _named(names: Any, weights: NDArray[np.float64]) -> dict[str, float]:
    rounded = np.round(weights, DECIMALS).tolist()
    return {key: weight for key, weight in zip(names, rounded, strict=True) if weight}


def _codes(batch: Batch) -> NDArray[np.int64]:
    counts = np.bincount(batch.runs.once().code, minlength=CODES)
    return np.asarray(np.nonzero(counts >= LEAST)[0], dtype=np.int64)


def _runs(batch: Batch, codes: NDArray[np.int64]) -> Any:
    from scipy.sparse import csr_matrix

    marked = np.zeros(CODES, dtype=np.bool_)
    marked[codes] = True
    runs = batch.runs.among(marked).once()
    columns = np.searchsorted(codes, runs.code)
    shape = (len(batch.answers), len(codes))
    return csr_matrix((np.ones(len(columns)), (runs.owner, columns)), shape=shape)


def _often(said: Sequence[AbstractSet[str]], least: int) -> list[str]:
    """Return the features that at least so many texts have, in order."""
    often = Counter(feature for features in said for feature in features)
    return sorted(feature for feature, n in often.items() if n >= least)


def _counted(said: Sequence[AbstractSet[str]], known: Sequence[str], value: Callable[[int], float]) -> Any:
    """Return a sparse matrix (texts, known): for those a text has, `value` of how many those are."""
    from scipy.sparse import csr_matrix

    place = {feature: column for column, feature in enumerate(known)}
    there = [sorted(place[feature] for feature in features & place.keys()) for features in said]
    columns = [column for some in there for column in some]
    values = [value(len(some)) for some in there for _ in some]
    ends = np.cumsum([0, *map(len, there)])
    return csr_matrix((values, columns, ends), shape=(len(said), len(known)))


def _solve(
    blocks: list[Any], truth: Marks, weight: NDArray[np.float64], flexibility: float
) -> tuple[NDArray[np.float64], float]:
    """Return weights and bias of a logistic regression; raises ValueError where one kind of label is missing."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression

    together = hstack([csr_matrix(block) for block in blocks]).tocsr()
    model = LogisticRegression(C=flexibility, solver="newton-cg", tol=1e-6, max_iter=500)
    model.fit(together, truth, sample_weight=weight)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


@dataclass(frozen=True, slots=True)
class _Remembered:
    """An embedder that reads every text once: the folds of a cross-validation share most texts."""

    inner: Embedder
    seen: dict[str, Vectors] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return self.inner.digest

    @property
    def size(self) -> int:
        return self.inner.size

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self.seen]
        if new:
            self.seen.update(zip(new, self.inner.embed(new), strict=True))
        return np.array([self.seen[text] for text in texts], dtype=np.float32).reshape(len(texts), self.size)


def fit_questions() -> Linear:
    """Return the shipped model of which questions ask for harm, fitted to the shipped questions."""
    with QUESTIONS.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    said = [questions.features(row["question"]) for row in rows]
    known = _often(said, 2)
    truth = np.array([row["label"] == "unsafe" for row in rows])
    weights, bias = _solve([_counted(said, known, lambda _: 1.0)], truth, np.ones(len(rows)), FLEXIBILITY)
    about = {"examples": len(rows), "data": short(of_value(rows))}
    group = {questions.GROUP: _named(known, weights)}
    return Linear(questions.KIND, round(bias, DECIMALS), group, about=about)


def cross_validated(
    own: Sequence[Labelled], embedder: Embedder | None = None, folds: int = FOLDS
) -> NDArray[np.float64]:
    """Return what models say of labels that they were not fitted to, shape (labels,).

    No question and, where models are named, no model of an answer that is scored was in the fit. What is measured is
    the kind of model that `fit` makes of all labels, though each part has fewer.
    """
    if not own:
        return np.zeros(0)
    embedder = _Remembered(embedder) if embedder else None
    fold = np.array([int(of_value(row.question.strip().casefold())[:8], 16) % folds for row in own])
    names = np.array([row.model for row in own])
    several = len(set(names.tolist())) > 1
    found = np.zeros(len(own))
    for part in sorted(set(zip(fold.tolist(), names.tolist() if several else [""] * len(own), strict=True))):
        there = (fold == part[0]) & ((names == part[1]) if several else True)
        away = (fold != part[0]) & ((names != part[1]) if several else True)
        fitted = [row for row, kept in zip(own, away, strict=True) if kept]
        asked = [row for row, kept in zip(own, there, strict=True) if kept]
        way = _alone if len(own) >= ENOUGH and _both(fitted) else fit
        detector = Detector(way(fitted, embedder), embedder=embedder)
        found[there] = detector.probabilities([row.question for row in asked], [row.answer for row in asked])
    return found
