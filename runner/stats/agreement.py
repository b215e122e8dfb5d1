"""How far people agree who judged the same items, and whether their judgements may be used.

Labels are accepted, and judges are compared with people, by these figures. Ratings come as rows of items with one
column for each person; None is a missing rating. Chance agreement is taken out of every coefficient: 1 is perfect,
0 is chance, less is worse than chance. Computation only; the caller brings the random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import krippendorff
import numpy as np
from numpy.typing import NDArray

from runner.errors import TerminalError, terminal

Rating = Hashable
Ratings = Sequence[Sequence[Rating | None]]
"""Items x people; categories of any kind, numbers where they are ordinal or interval."""
USE, TENTATIVE = 0.8, 0.667
"""From where on agreement is good, and good enough for tentative conclusions (Krippendorff, 2004)."""
_FEWEST = 2


class Level(StrEnum):
    """What ratings are: names, ranks, or amounts; it says how far apart two of them are."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


class Verdict(StrEnum):
    """What agreement allows."""

    USE = "use"
    TENTATIVE = "tentative"
    NOT = "not"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha with its interval; `items` have at least two of the `ratings` counted."""

    alpha: float
    low: float
    high: float
    items: int
    ratings: int

    @property
    def verdict(self) -> Verdict:
        """What the value allows; the interval says how sure that is."""
        return verdict(self.alpha)


def verdict(coefficient: float) -> Verdict:
    """Return what a coefficient of agreement allows; one that is not a number allows nothing."""
    if coefficient >= USE:
        return Verdict.USE
    return Verdict.TENTATIVE if coefficient >= TENTATIVE else Verdict.NOT


def cohen(one: Sequence[Rating | None], other: Sequence[Rating | None]) -> float:
    """Return Cohen's kappa (1960) of two people over the items that both rated.

    Raises TerminalError where no item has two ratings or both always say the same one thing; ValueError where
    the two are of unequal length.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} ratings are not of the same items")
    both = [
        (mine, yours) for mine, yours in zip(one, other, strict=True) if _is_given(mine) and _is_given(yours)
    ]
    if not both:
        raise _nothing_shared()
    observed = sum(mine == yours for mine, yours in both) / len(both)
    values = {value for pair in both for value in pair}
    mine_all, yours_all = zip(*both, strict=True)
    chance = sum(mine_all.count(value) * yours_all.count(value) for value in values) / len(both) ** 2
    return _beyond_chance(observed, chance)


def fleiss(ratings: Ratings) -> float:
    """Return Fleiss' kappa (1971) of any number of people, who need not be the same for each item.

    Items with fewer than two ratings are left out; with unequal numbers each item weighs the same, and chance
    is taken from all ratings of the rest. Raises TerminalError as `cohen` does.
    """
    counts, _ = _counted(ratings, Level.NOMINAL)
    people = counts.sum(axis=1)
    agreeing = (counts * (counts - 1)).sum(axis=1) / (people * (people - 1))
    share = counts.sum(axis=0) / counts.sum()
    return _beyond_chance(float(agreeing.mean()), float((share**2).sum()))


def alpha(ratings: Ratings, level: Level = Level.NOMINAL) -> float:
    """Return Krippendorff's alpha (2004), which takes any number of people and missing ratings.

    Raises TerminalError as `cohen` does, and where ratings of an ordered level are no numbers.
    """
    counts, domain = _counted(ratings, level)
    return _alpha(counts, domain, level)


def agreement(
    ratings: Ratings,
    generator: np.random.Generator,
    level: Level = Level.NOMINAL,
    resamples: int = 1000,
    certainty: float = 0.95,
) -> Agreement:
    """Return alpha with the percentile interval of a bootstrap over items, since items are what was sampled.

    Resamples in which nobody differs have no alpha and are left out. Raises TerminalError as `alpha` does.
    """
    counts, domain = _counted(ratings, level)
    value = _alpha(counts, domain, level)
    again = []
    for _ in range(resamples):
        drawn = counts[generator.integers(len(counts), size=len(counts))]
        if np.count_nonzero(drawn.sum(axis=0)) > 1:
            again.append(_alpha(drawn, domain, level))
    tail = (1.0 - certainty) / 2.0
    low, high = np.quantile(again, [tail, 1.0 - tail]) if again else (-1.0, 1.0)
    return Agreement(value, float(low), float(high), len(counts), int(counts.sum()))


def _alpha(counts: NDArray[np.int64], domain: NDArray[np.float64], level: Level) -> float:
    return float(
        krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=level.value)
    )


def _counted(ratings: Ratings, level: Level) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how many people gave each value, (items with two ratings, values), and the values as numbers."""
    rows = [[value for value in row if _is_given(value)] for row in ratings]
    rows = [row for row in rows if len(row) >= _FEWEST]
    if not rows:
        raise _nothing_shared()
    values = _values({value for row in rows for value in row}, level)
    if len(values) == 1:
        raise _all_alike()
    place = {value: at for at, value in enumerate(values)}
    counts = np.zeros((len(rows), len(values)), dtype=np.int64)
    for at, row in enumerate(rows):
        for value in row:
            counts[at, place[value]] += 1
    domain = values if level is not Level.NOMINAL else range(len(values))
    return counts, np.asarray(domain, dtype=np.float64)


def _values(found: set[Rating], level: Level) -> list[Rating]:
    if level is Level.NOMINAL:
        return sorted(found, key=lambda value: (type(value).__name__, str(value)))
    strange = sorted(str(value) for value in found if not isinstance(value, int | float | np.number))
    if strange:
        raise terminal(
            f"{level.value} ratings have to be numbers",
            f"found {', '.join(strange[:5])}",
            fix="give them numbers in their order, or compare them as nominal",
        )
    return sorted(found, key=lambda value: float(value))  # type: ignore[arg-type]


def _is_given(value: Rating | None) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _beyond_chance(observed: float, chance: float) -> float:
    if chance >= 1.0:
        raise _all_alike()
    return (observed - chance) / (1.0 - chance)


def _nothing_shared() -> TerminalError:
    return terminal(
        "no item was rated by two people",
        fix="have several people rate the same items before they are compared",
    )


def _all_alike() -> TerminalError:
    return terminal(
        "all ratings are the same, so that agreement cannot be told from chance",
        fix="add items on which people may differ",
    )
