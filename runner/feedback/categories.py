"""Which kind of question something is: what the most similar questions that somebody sorted are.

`loop data collect` learns it from the examples of policies/collection.yaml and from data sets with a column
`category`, and sorts records and ballots that name none. Likeness is that of spelling (`signals.lexical`), so that it
needs no model. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.signals.embedder import Embedder, Vectors
from runner.signals.lexical import Lexical

NEIGHBOURS: Final = 5
"""Sorted questions that have a say, each by how alike it is."""
_SHARPNESS: Final = 4
"""Power of the likeness by which a neighbour counts: one that is nearly the same outvotes several that are not."""
_AT_ONCE: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """Questions that somebody sorted: vectors of length one, shape (n, size), and the place of each one's name."""

    names: tuple[str, ...]
    vectors: Vectors
    labels: NDArray[np.int64]
    embedder: Embedder

    @classmethod
    def learn(
        cls,
        examples: Iterable[tuple[str, str]],
        known: Sequence[str] | None = None,
        embedder: Embedder | None = None,
    ) -> Categories:
        """Learn from pairs of a question and its category; those of none of the `known` categories are left out."""
        sorted_ = {question: name for question, name in examples if known is None or name in known}
        names = tuple(sorted(set(sorted_.values())))
        reader = embedder or Lexical()
        labels = np.array([names.index(name) for name in sorted_.values()], dtype=np.int64)
        return cls(names, reader.embed(list(sorted_)), labels, reader)

    def of(self, question: str) -> str:
        """Return the category of a question, "" where none is known."""
        return self.of_all([question])[0]

    def of_all(self, questions: Sequence[str]) -> list[str]:
        """Return the category of each question; of two with as much to say for them the first in the alphabet."""
        if not self.names:
            return [""] * len(questions)
        found: list[str] = []
        for begin in range(0, len(questions), _AT_ONCE):
            found += self._some(questions[begin : begin + _AT_ONCE])
        return found

    def _some(self, questions: Sequence[str]) -> list[str]:
        alike = self.embedder.embed(questions) @ self.vectors.T
        count = min(NEIGHBOURS, alike.shape[1])
        nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        weights = (
            np.clip(np.take_along_axis(alike, nearest, axis=1), 1e-6, None).astype(np.float64) ** _SHARPNESS
        )
        votes = np.zeros((len(questions), len(self.names)))
        rows = np.arange(len(questions))
        for column in range(count):
            votes[rows, self.labels[nearest[:, column]]] += weights[:, column]
        return [self.names[place] for place in votes.round(9).argmax(axis=1)]
