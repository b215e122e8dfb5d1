"""How sure the figures are: all assumptions drawn at once, many times, and what comes of the account each time.

Called by `statement`. Each assumption is drawn from the triangle over its least, its likeliest and its greatest value:
what one takes where experts can name these three and nothing else is known (Johnson, The Statistician 46, 1997).
Assumptions are drawn independently of each other. Computation only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from runner.economics.cost.balance import MONTHS
from runner.economics.cost.prices import Assumption, Model, Numbers, Scope, prices

DRAWS: Final = 400_000
"""With so many, the ends of an interval move by about a thousandth of its width with another seed."""
COVERS: Final = 0.9
"""Share of the draws within an interval."""
_SEED: Final = 20261121


@dataclass(frozen=True, slots=True)
class Range:
    """The ends that hold the middle `COVERS` of the draws."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """Dollars a month and saved a year, counting what `scope` says, and the chance that anything is saved."""

    scope: Scope
    month: Range
    saving_year: Range
    chance: float


def outlooks(model: Model, draws: int = DRAWS, seed: int = _SEED) -> tuple[Outlook, ...]:
    """Return the outlook of each scope that anything is paid for in, all from the same draws."""
    found = prices(model, {each.name: _drawn(each, draws, seed) for each in model.assumptions()})
    return tuple(
        Outlook(
            scope,
            _range(found.month(scope)),
            _range(MONTHS * found.saving(scope)),
            float(np.mean(found.saving(scope) > 0)),
        )
        for scope in model.scopes()
    )


def _drawn(assumption: Assumption, draws: int, seed: int) -> Numbers:
    """Return draws of shape (draws,), the same for an assumption of this name whatever else is assumed.

    So two policies are compared on the same draws.
    """
    low, value, high = assumption.low, assumption.value, assumption.high
    if low == high:
        return np.asarray(value)
    generator = np.random.default_rng([seed, *assumption.name.encode()])
    return generator.triangular(low, min(max(value, low), high), high, draws)


def _range(values: Numbers) -> Range:
    low, high = np.quantile(values, [(1 - COVERS) / 2, (1 + COVERS) / 2])
    return Range(float(low), float(high))
