"""Is a question one of the kind that the reference set holds, or out of its scope?

The annotator asks it of every question (a question in scope is answerable, so that refusing it is over-refusal), and
drift to tell new subjects from a changed mix of old ones. Embeddings stay as they are; three views are fitted to the
reference set alone and averaged, each in units of its own spread over the reference:

- how much nearer a question lies to a class than to the whole set (relative Mahalanobis; Ren et al. 2021),
- the energy of a linear probe of the classes (Liu et al. 2020),
- how alike the nearest reference questions are (Sun et al. 2022).

No question from outside is needed: spreads and threshold come from the reference set, each fifth scored by what the
other four fitted. Pure; the arrays of `state` are all there is to keep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runner.errors import terminal
from runner.signals.embedder import Vectors

NEIGHBOURS: Final = 5
"""Reference questions whose mean likeness counts as the likeness of the nearest."""

FOLDS: Final = (5, 10)
"""Fewest and most parts of the set; the smaller it is, the less of it may be missing from a fit."""

FEWEST: Final = 50
"""Different reference questions without which a threshold would be guesswork."""

_PENALTY: Final = 10.0  # the probe's C: features of length one leave a weak penalty the usual choice
_PER_TOPIC: Final = 25  # reference questions to a topic where the set has no labels of its own
_MOST_TOPICS: Final = 150
_AMPLE: Final = 10  # questions to a dimension from which a covariance hardly needs rounding
_CHUNK: Final = 2048
_SEED: Final = 0

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What is fitted to reference questions: all of one kind of space, d numbers a question, C classes.

    `rows` (n, d) the questions; `centre` (d); `within` and `overall` (d, d) turn the spread inside the classes, and
    that of the whole set, into a unit ball; `means` (C, d) of the classes in that first ball; `weights` (C, d) and
    `bias` (C) of the probe, which reads directions in it.
    """

    rows: Vectors
    centre: Floats
    within: Floats
    overall: Floats
    means: Floats
    weights: Floats
    bias: Floats

    @classmethod
    def fit(cls, rows: Vectors, classes: Numbers) -> Self:
        """Fit to questions (n, d) with class numbers (n); classes that are missing among them are no matter."""
        _, classes = np.unique(classes, return_inverse=True)
        exact = rows.astype(np.float64)
        centre = exact.mean(axis=0)
        totals = np.zeros((int(classes.max()) + 1, exact.shape[1]))
        np.add.at(totals, classes, exact - centre)
        means = totals / np.bincount(classes)[:, None]
        residuals = exact - centre - means[classes]
        shrinkage = _shrinkage(residuals)
        within = _whitening(residuals, shrinkage)
        weights, bias = _probe(_directions((exact - centre) @ within), classes)
        if (
            len(rows) >= _AMPLE * exact.shape[1]
        ):  # from few, two estimates would differ by more than the spreads do
            shrinkage = _shrinkage(exact - centre)
        overall = _whitening(exact - centre, shrinkage)
        return cls(rows, centre, within, overall, means @ within, weights, bias)

    def read(self, vectors: Vectors) -> Floats:
        """Return the three views of questions, shape (questions, 3): higher is less like the reference."""
        chunks = [self._read(vectors[at : at + _CHUNK]) for at in range(0, len(vectors), _CHUNK)]
        return np.concatenate(chunks) if chunks else np.empty((0, 3))

    def _read(self, vectors: Vectors) -> Floats:
        from scipy.special import logsumexp

        shifted = vectors.astype(np.float64) - self.centre
        inside = shifted @ self.within
        to_classes = (self.means**2).sum(axis=1) - 2.0 * inside @ self.means.T
        distance = (
            (inside**2).sum(axis=1) + to_classes.min(axis=1) - ((shifted @ self.overall) ** 2).sum(axis=1)
        )
        energy = -logsumexp(_directions(inside) @ self.weights.T + self.bias, axis=1)
        likeness = vectors @ self.rows.T
        nearest = np.partition(likeness, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:].mean(axis=1)
        return np.stack([distance, energy, -nearest.astype(np.float64)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """Scores of being out of scope, and the score from which a question is taken to be.

    `space` is the digest of the embedder whose vectors it understands; `centres` and `scales` (3) put the views into
    one unit; `threshold` is passed by `false_alarms` of questions like the reference's.
    """

    views: Views
    centres: Floats
    scales: Floats
    threshold: float
    false_alarms: float
    space: str

    @classmethod
    def fit(
        cls,
        vectors: Vectors,
        labels: Sequence[str] | None = None,
        *,
        space: str = "",
        false_alarms: float = 0.05,
    ) -> Self:
        """Fit to the reference questions, shape (n, d), with the intent of each where known.

        Where labels are missing, all alike or hardly ever shared, topics found by k-means stand in for them.
        Raises TerminalError where there are too few different questions to choose a threshold.
        """
        rows, labels = _different(vectors, labels)
        if len(rows) < FEWEST:
            raise terminal(
                "the reference set is too small to tell what is out of its scope",
                f"{len(rows)} different questions, at least {FEWEST} are needed",
                fix="add questions to the reference set",
            )
        classes = _classes(rows, labels)
        apart = _scored_by_others(rows, classes)
        centres, scales = apart.mean(axis=0), np.maximum(apart.std(axis=0), 1e-12)
        scores = ((apart - centres) / scales).mean(axis=1)
        rank = min(ceil((len(rows) + 1) * (1.0 - false_alarms)), len(rows))
        threshold = float(np.sort(scores)[rank - 1])
        return cls(Views.fit(rows, classes), centres, scales, threshold, false_alarms, space)

    def scores(self, vectors: Vectors) -> Floats:
        """Return how far out of scope questions are, shape (questions,): 0 is usual, higher is farther."""
        return np.asarray(((self.views.read(vectors) - self.centres) / self.scales).mean(axis=1))

    def novel(self, vectors: Vectors) -> NDArray[np.bool_]:
        """Say of each question whether it is taken to be out of scope, shape (questions,)."""
        return self.scores(vectors) > self.threshold

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays, to be written with `numpy.savez` and read back by `from_state`."""
        views = {name: getattr(self.views, name) for name in Views.__slots__}
        own = {
            "centres": self.centres,
            "scales": self.scales,
            "threshold": np.array(self.threshold),
            "false_alarms": np.array(self.false_alarms),
            "space": np.array(self.space),
        }
        return views | own

    @classmethod
    def from_state(cls, state: Mapping[str, ArrayLike]) -> Self:
        """Rebuild what `state` returned; KeyError where something is missing."""
        arrays = {name: np.asarray(state[name]) for name in Views.__slots__}
        return cls(
            views=Views(**arrays),
            centres=np.asarray(state["centres"]),
            scales=np.asarray(state["scales"]),
            threshold=float(np.asarray(state["threshold"])),
            false_alarms=float(np.asarray(state["false_alarms"])),
            space=str(np.asarray(state["space"])),
        )

    @property
    def digest(self) -> str:
        """What every score depends on; annotations of two digests are not to be mixed."""
        digest = hashlib.sha256()
        for name, array in sorted(self.state().items()):
            digest.update(f"{name}{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _different(vectors: Vectors, labels: Sequence[str] | None) -> tuple[Vectors, Sequence[str] | None]:
    """Return each question once: one that stood in two folds would make the others look nearer than they are."""
    rows = np.asarray(vectors, dtype=np.float32)
    _, first = np.unique(np.round(rows, 4), axis=0, return_index=True)
    first.sort()
    return rows[first], None if labels is None else [labels[at] for at in first]


def _classes(rows: Vectors, labels: Sequence[str] | None) -> Numbers:
    """Return class numbers, shape (n): of the labels, or of topics where those group nothing."""
    if labels is not None and 1 < len(set(labels)) <= len(rows) // 2:
        return np.asarray(np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1], dtype=np.int64)
    from sklearn.cluster import KMeans

    topics = max(2, min(_MOST_TOPICS, len(rows) // _PER_TOPIC))
    found = KMeans(topics, n_init=2, random_state=_SEED).fit_predict(rows)
    return np.asarray(found, dtype=np.int64)


def _scored_by_others(rows: Vectors, classes: Numbers) -> Floats:
    """Return the views of every question as fitted to the folds that it is not in, shape (n, 3)."""
    folds = min(max(10_000 // len(rows), FOLDS[0]), FOLDS[1])
    shuffled = np.random.default_rng(_SEED).permutation(len(rows))
    fold = np.empty(len(rows), dtype=np.int64)
    fold[shuffled[np.argsort(classes[shuffled], kind="stable")]] = np.arange(len(rows)) % folds
    views = np.empty((len(rows), 3))
    for held in range(folds):
        out = fold == held
        views[out] = Views.fit(rows[~out], classes[~out]).read(rows[out])
    return views


def _shrinkage(residuals: Floats) -> float:
    """Return how far few residuals (n, d) call for a rounder covariance, 0 to 1 (Ledoit and Wolf 2004)."""
    from sklearn.covariance import ledoit_wolf_shrinkage

    return float(ledoit_wolf_shrinkage(residuals, assume_centered=True))


def _whitening(residuals: Floats, shrinkage: float) -> Floats:
    """Return the (d, d) symmetric matrix after which residuals (n, d) have a covariance near one.

    Directions that few residuals do not reach are all alike, so that these need no decomposition of a (d, d) matrix.
    """
    n, size = residuals.shape
    if n < size:
        _, lengths, axes = np.linalg.svd(residuals, full_matrices=False)
        values = lengths**2 / n
    else:
        values, columns = np.linalg.eigh(residuals.T @ residuals / n)
        axes = columns.T
    usual = shrinkage * values.sum() / size
    values = (1.0 - shrinkage) * values + usual
    least = values.max() * 1e-9
    rest = 1.0 / np.sqrt(max(usual, least))
    return np.asarray(
        rest * np.eye(size) + (axes.T * (1.0 / np.sqrt(np.maximum(values, least)) - rest)) @ axes
    )


def _directions(inside: Floats) -> Floats:
    lengths = np.linalg.norm(inside, axis=1, keepdims=True)
    return np.asarray(inside / np.where(lengths > 0, lengths, 1.0))


def _probe(features: Floats, classes: Numbers) -> tuple[Floats, Floats]:
    """Return weights (C, d) and bias (C) of a logistic regression of the classes."""
    if not classes.any():  # a fold may hold one class alone, about which there is nothing to learn
        return np.zeros((1, features.shape[1])), np.zeros(1)
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=_PENALTY, max_iter=500).fit(features, classes)
    weights, bias = cast("Floats", fitted.coef_), cast("Floats", fitted.intercept_)
    if len(weights) == 1:  # two classes have one row of weights: the other's is its mirror
        return np.concatenate([-weights, weights]) / 2.0, np.concatenate([-bias, bias]) / 2.0
    return weights, bias
