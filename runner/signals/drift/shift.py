"""How far the mean question has moved, and how often chance alone moves it as far.

It sees what counts of topics cannot: every topic asked about in another way. Numbers in, numbers out; seeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from runner.signals.embedder import Vectors
from runner.stats.grid import Floats

_BLOCK: Final = 250  # permutations in one product of matrices


@dataclass(frozen=True, slots=True)
class Shift:
    """Distance of the mean vectors, and the share of permutations in which it is as large (never 0)."""

    distance: float
    p: float


def shift(window: Vectors, reference: Vectors, permutations: int = 1000, seed: int = 0) -> Shift | None:
    """Compare two sets of vectors, shapes (n, size) and (m, size); None where one of them has fewer than two.

    Exact: under exchangeability p <= x has probability at most x (the observed order counts as one permutation).
    """
    n, m = len(window), len(reference)
    if min(n, m) < 2:
        return None
    pooled = np.concatenate([window, reference]).astype(np.float64)
    pooled -= pooled.mean(axis=0)
    rng = np.random.default_rng(seed)
    observed = float(_distances(np.r_[np.ones(n), np.zeros(m)][None], pooled, n)[0])
    as_large = 1
    for start in range(0, permutations, _BLOCK):
        many = min(_BLOCK, permutations - start)
        chosen = np.zeros((many, n + m))
        chosen[:, :n] = 1.0
        as_large += int((_distances(rng.permuted(chosen, axis=1), pooled, n) >= observed - 1e-12).sum())
    return Shift(observed, as_large / (permutations + 1))


def _distances(chosen: Floats, pooled: Floats, n: int) -> Floats:
    """Return the distance of the mean of the chosen rows from that of the others; the mean of all rows is 0."""
    m = pooled.shape[0] - n
    return np.asarray(np.linalg.norm(chosen @ pooled, axis=1) * (1.0 / n + 1.0 / m))
