"""The quality score of collected preferences: how many of them are good enough to learn from.

A preference counts as good where no criterion of `pairs` in `policies/collection.yaml` and no other person speaks
against it. What is left out for another reason (a suite asks the same, it is held out for new cases, nobody reviewed
it yet) says nothing of its quality and is not counted. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runner.feedback.preferences.pairs import Origin, Use, Why
from runner.stats.intervals import mean_interval

ALPHA: Final = 0.05
_PAIRS: Final = frozenset({Use.PREFERENCE, Use.CORRECTION_PAIR})
POOR: Final = frozenset(
    {
        Why.NO_QUESTION,
        Why.EMPTY,
        Why.SHORT,
        Why.ERROR_TEXT,
        Why.CUT_OFF,
        Why.GARBLED,
        Why.LENGTH,
        Why.ALIKE,
        Why.LESS_DETAILED,
        Why.CONTRADICTORY,
        Why.REVIEWED_OTHERWISE,
    }
)
"""Reasons that speak against a preference itself."""


@dataclass(frozen=True, slots=True)
class Score:
    """The share of `n` preferences that are good, with an interval that holds at every look (95%)."""

    good: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The share; None where there are no preferences."""
        return self.good / self.n if self.n else None

    @property
    def of_five(self) -> float | None:
        """The same from 1 (none is good) to 5 (all are), as ratings are given."""
        return None if self.value is None else 1.0 + 4.0 * self.value


def score(origins: Mapping[str, int], rejected: Iterable[Mapping[str, Any]]) -> Score:
    """Return the score of a snapshot: its pairs by origin, and the lines of `rejected.jsonl`.

    Pairs that a program made are nobody's preference and are not counted.
    """
    good = sum(number for origin, number in origins.items() if origin != Origin.SYNTHETIC.value)
    poor = sum(
        each.get("use") in _PAIRS and not POOR.isdisjoint(each.get("reasons") or ()) for each in rejected
    )
    low, high = mean_interval(good, good + poor, ALPHA)
    return Score(good, good + poor, float(low), float(high))
