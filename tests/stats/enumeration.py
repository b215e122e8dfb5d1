"""Every history of a few observations with its probability: expectations without chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from runner.stats.grid import Floats

Probabilities = Sequence[float]


@dataclass(frozen=True)
class Histories:
    """All sequences of `length` symbols, one a world; `chance` of each, `symbols` of shape (length, worlds)."""

    symbols: np.ndarray
    chance: Floats

    @classmethod
    def of(cls, probabilities: Probabilities, length: int) -> Histories:
        assert abs(sum(probabilities) - 1) < 1e-12
        size = len(probabilities)
        symbols = np.indices((size,) * length).reshape(length, -1)
        return cls(symbols, np.prod(np.asarray(probabilities)[symbols], axis=0))

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.symbols)

    @property
    def worlds(self) -> int:
        return self.chance.size

    def expectation(self, log_e: Floats) -> float:
        return float(self.chance @ np.exp(log_e))


def coin(p: float, length: int) -> Histories:
    """Symbols: 0 none, 1 event."""
    return Histories.of((1 - p, p), length)


def arms(pi: float, candidate: Probabilities, baseline: Probabilities, length: int) -> Histories:
    """Symbols: the candidate's outcomes, then the baseline's; probabilities per outcome of each arm."""
    assert len(candidate) == len(baseline)
    return Histories.of([pi * p for p in candidate] + [(1 - pi) * p for p in baseline], length)
