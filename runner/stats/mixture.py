"""One e-process made of several bets, able to notice a candidate that turns bad late.

Every bet of the grid grows on its own; their sum, and the capital not yet placed, is the evidence. With
`restart`, a fifth of the capital is held back and placed slowly, so that bets exist which have not yet lost
against a long healthy past. Capital is placed BEFORE the data of a batch, at a rate that depends only on how many
observations came: placed after a look at the outcomes the sum would be no e-process any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from runner.stats.grid import Floats

PLACED: Final = 0.8
"""The share of the capital that bets from the first observation on, where bets restart."""

PACE: Final = 100.0
"""Observations in the unit of time of `placed_by`."""


def placed_by(seen: ArrayLike) -> Floats:
    """Return the share of the held-back capital placed after `seen` observations: 0 at first, 1 in the limit."""
    return np.asarray(1.0 - 1.0 / np.log(e + np.asarray(seen, dtype=np.float64) / PACE))


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """The capital of every bet (`logs`, natural logarithms, shape (..., G)) and what is not yet placed.

    `free` (shape (...)) is 0 without restarts; `seen` (shape (...)) counts observations. A value, never changed:
    `bet` returns the next one.
    """

    logs: Floats
    free: Floats
    seen: Floats

    @classmethod
    def start(cls, size: int, restart: bool = True, shape: tuple[int, ...] = ()) -> Self:
        """Return capital 1 spread evenly over `size` bets, in as many worlds as `shape` has elements."""
        placed = PLACED if restart else 1.0
        return cls(
            logs=np.full((*shape, size), np.log(placed / size)),
            free=np.full(shape, 1.0 - placed),
            seen=np.zeros(shape),
        )

    def bet(self, increments: Floats, n: ArrayLike) -> Self:
        """Place capital for `n` observations, then multiply every bet by what those observations are worth.

        `increments`: natural logarithms, shape (..., G). `n`: how many observations the batch holds, whatever
        their outcome, shape (...) or a number. A comparison of two arms passes the observations of BOTH arms,
        or those times the declared share: the number that happened to reach the candidate is an outcome there.
        """
        seen = self.seen + np.asarray(n, dtype=np.float64)
        free = self.free * (np.log(e + self.seen / PACE) / np.log(e + seen / PACE))
        with np.errstate(divide="ignore"):  # nothing to place is log 0, which adds nothing
            fresh = np.log((self.free - free) / self.logs.shape[-1])
        logs = np.logaddexp(self.logs, fresh[..., None]) + increments
        return type(self)(logs=logs, free=np.asarray(free), seen=np.asarray(seen))

    @property
    def log_e(self) -> Floats:
        """The natural logarithm of the e-value, shape (...): at least x has probability at most exp(-x), ever."""
        with np.errstate(divide="ignore"):
            free = np.log(self.free)
        return np.asarray(np.logaddexp(np.logaddexp.reduce(self.logs, axis=-1), free))

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers that `from_json` reads back without losing a bit."""
        return {"logs": self.logs.tolist(), "free": self.free.tolist(), "seen": self.seen.tolist()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Rebuild what `to_json` wrote; KeyError or ValueError where it is something else."""
        return cls(**{name: np.array(document[name], dtype=np.float64) for name in ("logs", "free", "seen")})
