"""Ballots as columns of numbers: one bout for each vote that compares two versions and counts.

Every part of the standings starts from these, so that they are about the same votes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.feedback.records import Ballot, Choice

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
_SCORES = {Choice.LEFT: 1.0, Choice.RIGHT: 0.0, Choice.TIE: 0.5, Choice.NEITHER: 0.5}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Votes that say nothing of one version against another."""

    uncounted: int
    """An answer gave its own model's name away."""
    same_version: int
    """Both answers were samples of one version."""


@dataclass(frozen=True, slots=True)
class Bouts:
    """N votes as columns; versions and users are places in `versions` and `users`."""

    ballots: NDArray[np.object_]
    versions: tuple[str, ...]
    users: tuple[str, ...]
    left: Places
    right: Places
    user: Places
    comparison: Places
    score: Floats
    """1 where the left answer won, 0 where the right one did, a half for a tie and where both are bad."""
    longer: Floats
    """Natural logarithm of the left answer's characters over the right one's; NaN where neither has a text."""

    def __len__(self) -> int:
        return len(self.ballots)

    @property
    def decided(self) -> Flags:
        """Which of them name one side."""
        return np.asarray(self.score != 0.5)

    def only(self, wanted: Flags) -> Bouts:
        """Return some of them; versions and users keep their places."""
        return Bouts(
            self.ballots[wanted],
            self.versions,
            self.users,
            self.left[wanted],
            self.right[wanted],
            self.user[wanted],
            self.comparison[wanted],
            self.score[wanted],
            self.longer[wanted],
        )


def bouts(ballots: Sequence[Ballot]) -> tuple[Bouts, LeftOut]:
    """Return what counts as columns, versions and users by name, and how much does not."""
    counted = [ballot for ballot in ballots if ballot.counted]
    kept = [ballot for ballot in counted if ballot.left.version != ballot.right.version]
    left_out = LeftOut(len(ballots) - len(counted), len(counted) - len(kept))
    versions, sides = _places([name for each in kept for name in (each.left.version, each.right.version)])
    users, user = _places([ballot.user for ballot in kept])
    _, comparison = _places([ballot.comparison for ballot in kept])
    score = np.array([_SCORES[ballot.choice] for ballot in kept], dtype=np.float64)
    longer = np.array([_longer(ballot) for ballot in kept], dtype=np.float64)
    rows = np.empty(len(kept), dtype=object)
    rows[:] = kept
    found = Bouts(rows, versions, users, sides[::2], sides[1::2], user, comparison, score, longer)
    return found, left_out


def _places(names: Sequence[str]) -> tuple[tuple[str, ...], Places]:
    """Return the different names in order, and the place of each."""
    known = tuple(sorted(set(names)))
    place = {name: at for at, name in enumerate(known)}
    return known, np.array([place[name] for name in names], dtype=np.int64)


def _longer(ballot: Ballot) -> float:
    left, right = len(ballot.left.text), len(ballot.right.text)
    return math.log((1 + left) / (1 + right)) if left or right else math.nan
