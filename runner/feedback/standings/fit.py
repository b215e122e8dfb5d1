"""Strengths of most likelihood for many weightings of the same votes at once (Bradley and Terry, 1952).

    P(left wins) = 1 / (1 + exp(-(s_left - s_right + g . x)))

with covariates x of a vote, such as how much longer the left answer is; a tie is half a win for each. One weighting
is the data; the others are resamples of a bootstrap, or leave somebody out. Newton's method, all weightings together;
votes that are alike are counted before it, so that it takes as long for many as for few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from runner.feedback.standings.bouts import Bouts, Flags, Floats, Places

PULL = 0.01
"""A penalty of half of it times the square of every parameter. It gives a resample that leaves a strength without
bound a large one, and moves a strength of 1 that rests on 100 votes by less than 0.001."""
_ROUNDS = 50
_LONGEST_STEP = 2.0
_CLOSE = 1e-5
"""The step after one so small is far smaller still."""
_CELLS = 4_000_000
"""Weights that are held at once, so that many votes do not need much memory."""


@dataclass(frozen=True, slots=True)
class Design:
    """What a vote is explained by: the two versions, and covariates (N, C)."""

    left: Places
    right: Places
    score: Floats
    versions: int
    covariates: Floats

    @property
    def matrix(self) -> Floats:
        """One row a vote: 1 for the left version, -1 for the right one, then the covariates."""
        sides = np.zeros((len(self.left), self.versions))
        rows = np.arange(len(self.left))
        sides[rows, self.left] = 1.0
        sides[rows, self.right] = -1.0
        return np.hstack([sides, self.covariates])


def design(bouts: Bouts, *covariates: Floats) -> Design:
    """Return the design of bouts with covariates of shape (N,)."""
    columns = np.column_stack(covariates) if covariates else np.zeros((len(bouts), 0))
    return Design(bouts.left, bouts.right, bouts.score, len(bouts.versions), columns)


def fit(of: Design, weights: Floats, cluster: Places, start: Floats | None = None) -> Floats:
    """Return the parameters for each weighting as (B, versions + C): strengths of sum 0, then `g`.

    `weights` (B, G) are of clusters of votes, and `cluster` (N,) is the cluster of each vote. `start` are parameters
    that may be close, to be sooner done. A version without votes has strength 0.
    """
    votes = np.column_stack([of.matrix, of.score])
    kinds, kind = np.unique(votes, axis=0, return_inverse=True)
    shape = weights.shape[1], len(kinds)
    counts = csr_matrix((np.ones(len(votes)), (cluster, kind.reshape(-1))), shape=shape)
    at_once = max(1, _CELLS // max(1, len(kinds)))
    parts = [
        _newton(kinds[:, :-1], kinds[:, -1], weights[begin : begin + at_once] @ counts, start)
        for begin in range(0, len(weights), at_once)
    ]
    return np.concatenate(parts)


def fit_once(of: Design) -> Floats:
    """Return the parameters for the votes as they are, (versions + C,)."""
    return np.asarray(fit(of, np.ones((1, 1)), np.zeros(len(of.left), dtype=np.int64))[0])


def is_identified(of: Design) -> bool:
    """Return whether votes can tell the covariates from the versions: no covariate is a sum of the other columns."""
    products = of.matrix.T @ of.matrix
    of_versions = products[: of.versions, : of.versions]
    return int(np.linalg.matrix_rank(products)) == int(
        np.linalg.matrix_rank(of_versions) + of.covariates.shape[1]
    )


def is_separated(of: Design, parameters: Floats) -> bool:
    """Return whether the parameters explain every vote, so that some of them have no bound."""
    return bool(np.all((2.0 * of.score - 1.0) * (of.matrix @ parameters) > 0.0))


def comparable(bouts: Bouts) -> tuple[Places, ...]:
    """Return the groups of versions within which strengths have a bound, the group with most votes first.

    In such a group everybody can be reached from everybody by wins and ties (Ford, 1957).
    """
    wins = np.zeros((len(bouts.versions), len(bouts.versions)))
    np.add.at(wins, (bouts.left, bouts.right), bouts.score)
    np.add.at(wins, (bouts.right, bouts.left), 1.0 - bouts.score)
    number, label = connected_components(wins > 0, directed=True, connection="strong")
    inside = label[bouts.left] == label[bouts.right]
    votes = np.bincount(label[bouts.left][inside], minlength=number)
    return tuple(np.flatnonzero(label == group) for group in np.argsort(-votes, kind="stable"))


def among(bouts: Bouts, versions: Iterable[int]) -> Flags:
    """Return which bouts are between two of these versions."""
    wanted = list(versions)
    return np.asarray(np.isin(bouts.left, wanted) & np.isin(bouts.right, wanted))


def _newton(matrix: Floats, score: Floats, weights: Floats, start: Floats | None) -> Floats:
    parameters = np.zeros((len(weights), matrix.shape[1]))
    if start is not None:
        parameters += start
    size = matrix.shape[1]
    products = (matrix[:, :, None] * matrix[:, None, :]).reshape(len(matrix), size * size)
    for _ in range(_ROUNDS):
        chance = expit(parameters @ matrix.T)
        slope = (weights * (score - chance)) @ matrix - PULL * parameters
        curve = ((weights * chance * (1.0 - chance)) @ products).reshape(-1, size, size) + PULL * np.eye(size)
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        parameters = parameters + step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-12))
        if longest.max() < _CLOSE:
            break
    return parameters
