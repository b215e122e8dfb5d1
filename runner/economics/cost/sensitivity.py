"""Which assumption matters: the yearly saving with each one at its least and at its most, all others as they are.

Called by `statement`; drawn as a tornado. It counts everything that is paid for, people's time too: what an assumption
changes is the same in each narrower account that has it. Computation only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.economics.cost.balance import MONTHS
from runner.economics.cost.prices import Assumption, Model, prices


@dataclass(frozen=True, slots=True)
class Bar:
    """What one assumption does to the yearly saving, in dollars: at its least and at its most."""

    assumption: Assumption
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """How far apart the two are."""
        return abs(self.at_high - self.at_low)


def bars(model: Model) -> tuple[Bar, ...]:
    """Return what each assumption changes, the greatest first; those that change nothing are left out."""
    base = _saving_year(model)
    found = (
        Bar(
            each,
            _saving_year(model, each.name, each.low) - base,
            _saving_year(model, each.name, each.high) - base,
        )
        for each in model.assumptions()
        if each.low < each.high
    )
    return tuple(sorted((bar for bar in found if bar.swing), key=lambda bar: -bar.swing))


def _saving_year(model: Model, name: str = "", value: float = 0.0) -> float:
    changed = {name: np.asarray(value)} if name else None
    return MONTHS * float(prices(model, changed).saving(model.scopes()[-1]))
