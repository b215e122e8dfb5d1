"""How probably an answer refuses, wholly or in part, in batches; what `annotations` call once for every answer.

A linear model over `features`, fitted by `fitting` from examples that are shipped beside it. The shipped one reads the
answer and not the question: the share of refusals must not move because other questions come in. One fitted to many
labels of a team (`margin`) reads both. Whether a refusal was right is decided in `questions`. Reads Latin script and
Hangul; in others it finds nothing, but for keywords. Known weakness: one declining sentence in a long, helpful answer
counts little. No network, no learning library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runner.digest import of_value
from runner.errors import terminal
from runner.signals.embedder import Embedder
from runner.signals.refusal import margin, words
from runner.signals.refusal.features import CODES, SHAPE, Batch, number
from runner.signals.refusal.linear import Linear, read, sigmoid
from runner.signals.refusal.questions import Questions
from runner.signals.text import plain

KIND = "refusal"
SHIPPED = Path(__file__).with_name("model.json")
RUNS, WORDS, FORM = "runs", "words", "shape"
"""Groups of weights in a model file."""


@dataclass(frozen=True)
class Detector:
    """A fitted model, ready to look up. `keywords` are phrases that always count as a refusal."""

    model: Linear
    keywords: tuple[str, ...] = ()
    embedder: Embedder | None = field(default=None, compare=False)

    @classmethod
    def load(
        cls, path: Path | None = None, keywords: Sequence[str] = (), embedder: Embedder | None = None
    ) -> Detector:
        """Return the shipped detector, or that of a file written by `loop signals fit refusal`.

        Raises TerminalError where the file is no such model, or was fitted with an embedder other than the one given.
        """
        model = read(path or SHIPPED, KIND)
        if model.embedder is not None and (embedder is None or embedder.digest != model.embedder):
            raise terminal(
                f"the refusal model needs the embedder it was fitted with: {path}",
                f"fitted with {model.embedder}; given: {embedder.digest if embedder else 'none'}",
                fix="name that embedder in policies/signals.yaml, or fit the model again without `--embedder`",
            )
        if margin.is_one(model) and not margin.whole(model):
            raise terminal(
                f"the refusal model lacks a part of its weights: {path}",
                fix="write it anew with `loop signals fit refusal LABELS --output PATH`",
            )
        return cls(model, tuple(plain(keyword) for keyword in keywords), embedder)

    @property
    def digest(self) -> str:
        """Digest of everything a probability depends on."""
        asked = [self._margin.asked.digest] if self._margin else []
        return of_value([self.model.digest, list(self.keywords), *asked])

    def probabilities(self, questions: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """Return how probably each answer refuses, from 0 to 1, shape (answers,).

        An answer in which there is nothing to read refuses nothing: 0. `questions` are those answered, "" where one is
        not known. Raises ValueError where the lengths differ.
        """
        if len(questions) != len(answers):
            raise ValueError(f"{len(questions)} questions, {len(answers)} answers")
        batch = Batch(answers)
        scores = self._margin.scores(batch, questions, self.embedder) if self._margin else self._scores(batch)
        found = np.where(batch.spoken, sigmoid(scores), 0.0)
        if self.keywords:
            named = [any(word in text for word in self.keywords) for text in map(plain, answers)]
            found = np.maximum(found, np.array(named, dtype=np.float64))
        return found

    def _scores(self, batch: Batch) -> NDArray[np.float64]:
        """Return the log-odds, summed in an order that does not depend on the other answers of the batch."""
        runs = batch.runs.among(self._known).once()
        size = len(batch.answers)
        scores = np.bincount(runs.owner, self._table[runs.code], minlength=size) + self.model.bias
        for place, weight in enumerate(self._shape):
            scores += batch.shape[:, place] * weight
        if group := self.model.weights.get(WORDS):
            scores += [words.score(text, group) for text in batch.spelled]
        if self.embedder is not None and self.model.dense:
            vectors = self.embedder.embed(batch.spelled).astype(np.float64)
            scores += (vectors * np.array(self.model.dense)).sum(axis=1)
        return np.asarray(scores, dtype=np.float64)

    @cached_property
    def _margin(self) -> margin.Scorer | None:
        return margin.Scorer.of(self.model, Questions.load()) if margin.is_one(self.model) else None

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        table = np.zeros(CODES)
        for run, weight in self.model.weights.get(RUNS, {}).items():
            if (code := number(run)) is not None:
                table[code] = weight
        return table

    @cached_property
    def _known(self) -> NDArray[np.bool_]:
        return np.asarray(self._table != 0)

    @cached_property
    def _shape(self) -> tuple[float, ...]:
        weights = self.model.weights.get(FORM, {})
        return tuple(weights.get(name, 0.0) for name in SHAPE)
