"""How strong each of several versions is, from comparisons of two at a time (Bradley and Terry, 1952).

The arena and the win rate of more than two versions use it. P(a beats b) = 1 / (1 + exp(s_b - s_a)); a tie is half a
win for each. Where some never win against the others their strength has no bound, and that is said instead of a
number. Computation only; the caller brings the random numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import choix
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from runner.errors import TerminalError, terminal

_ROUNDS = 10_000
_FAINT = 0.01
"""Regularisation of a resample that leaves strengths without bound: it makes the interval wide, not absent."""

Wins = NDArray[np.float64]


class Result(StrEnum):
    """Who won a comparison."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"


class Comparison(NamedTuple):
    """Two items side by side, and which was better."""

    first: str
    second: str
    result: Result


@dataclass(frozen=True, slots=True)
class Strength:
    """An item's strength (natural logarithm of odds; all add up to 0) with its interval.

    `wins` counts ties half, of `comparisons`.
    """

    name: str
    value: float
    low: float
    high: float
    wins: float
    comparisons: int


def strengths(comparisons: Iterable[Comparison], regularisation: float = 0.0) -> dict[str, float]:
    """Return each item's strength, the strongest first; equal ones by name.

    `regularisation` counts as so many further wins of each over each; none unless asked for. Raises TerminalError
    where there are no comparisons, where an item is compared with itself, or (without regularisation) where some
    items never lost to, or never won against, the rest.
    """
    names, kinds, counts = _tallied(comparisons)
    wins = _wins(kinds, counts, len(names))
    if not regularisation:
        _demand_connected(names, wins)
    found = _fit(wins, regularisation)
    return {names[at]: float(found[at]) for at in np.argsort(-found, kind="stable")}


def rank(
    comparisons: Iterable[Comparison],
    generator: np.random.Generator,
    regularisation: float = 0.0,
    resamples: int = 1000,
    certainty: float = 0.95,
) -> tuple[Strength, ...]:
    """Return the items, the strongest first, with percentile intervals of a bootstrap over comparisons.

    Raises TerminalError as `strengths` does; a resample in which an item lost its bound is regularised faintly.
    """
    names, kinds, counts = _tallied(comparisons)
    wins = _wins(kinds, counts, len(names))
    if not regularisation:
        _demand_connected(names, wins)
    found = _fit(wins, regularisation)
    drawn = generator.multinomial(int(counts.sum()), counts / counts.sum(), size=resamples)
    unlike, which = np.unique(drawn, axis=0, return_inverse=True)
    fits = [_fit_any(_wins(kinds, some, len(names)), regularisation) for some in unlike]
    again = np.array(fits)[which.reshape(-1)]
    tail = (1.0 - certainty) / 2.0
    low, high = np.quantile(again, [tail, 1.0 - tail], axis=0)
    total = wins.sum(axis=1), (wins + wins.T).sum(axis=1)
    return tuple(
        Strength(
            names[at],
            float(found[at]),
            float(low[at]),
            float(high[at]),
            float(total[0][at]),
            round(total[1][at]),
        )
        for at in np.argsort(-found, kind="stable")
    )


def chance(found: Mapping[str, float], first: str, second: str) -> float:
    """Return the probability that `first` beats `second`, ties split. KeyError for an unknown item."""
    return float(expit(found[first] - found[second]))


def _tallied(comparisons: Iterable[Comparison]) -> tuple[list[str], list[Comparison], NDArray[np.int64]]:
    """Return all items by name, each different comparison, and how often it was made."""
    tally: dict[Comparison, int] = {}
    for each in comparisons:
        tally[each] = tally.get(each, 0) + 1
    if not tally:
        raise terminal("nothing was compared, so there are no strengths", fix="collect comparisons first")
    alone = sorted(each.first for each in tally if each.first == each.second)
    if alone:
        raise terminal(f"{alone[0]} is compared with itself", fix="compare two different items")
    names = sorted({name for each in tally for name in (each.first, each.second)})
    return names, list(tally), np.array(list(tally.values()), dtype=np.int64)


def _wins(kinds: Sequence[Comparison], counts: NDArray[np.int64], items: int) -> Wins:
    """Return how often the row's item beat the column's, ties half to both, (items, items)."""
    place = {
        name: at
        for at, name in enumerate(sorted({name for each in kinds for name in (each.first, each.second)}))
    }
    wins = np.zeros((items, items))
    for each, count in zip(kinds, counts, strict=True):
        first, second = place[each.first], place[each.second]
        half = count / 2.0 if each.result is Result.TIE else 0.0
        wins[first, second] += half if half else count * (each.result is Result.FIRST)
        wins[second, first] += half if half else count * (each.result is Result.SECOND)
    return wins


def _fit(wins: Wins, regularisation: float) -> NDArray[np.float64]:
    """Return the strengths of most likelihood, (items,), of sum 0."""
    found = np.asarray(choix.ilsr_pairwise_dense(wins, alpha=regularisation, max_iter=_ROUNDS))
    return np.asarray(found - found.mean())


def _fit_any(wins: Wins, regularisation: float) -> NDArray[np.float64]:
    if not regularisation and _groups(wins)[0] > 1:
        return _fit(wins, _FAINT)
    return _fit(wins, regularisation)


def _groups(wins: Wins) -> tuple[int, NDArray[np.int32]]:
    """Return the number of groups within which everybody can be reached by wins, and each item's group."""
    number, labels = connected_components(wins > 0, directed=True, connection="strong")
    return int(number), labels


def _demand_connected(names: Sequence[str], wins: Wins) -> None:
    number, labels = _groups(wins)
    if number == 1:
        return
    groups = [
        [name for name, label in zip(names, labels, strict=True) if label == at] for at in range(number)
    ]
    raise _apart(groups, wins, labels)


def _apart(groups: list[list[str]], wins: Wins, labels: NDArray[np.int32]) -> TerminalError:
    told = []
    for at, group in enumerate(groups):
        inside = labels == at
        won, lost = wins[inside][:, ~inside].sum() > 0, wins[~inside][:, inside].sum() > 0
        how = {
            (True, True): "won against some groups and lost to others, never both",
            (True, False): "never lost to the others",
            (False, True): "never won against the others",
            (False, False): "never met the others",
        }[bool(won), bool(lost)]
        told.append(f"{', '.join(group)}: {how}")
    return terminal(
        f"the comparisons fall into {len(groups)} groups whose strengths cannot be compared",
        *told,
        fix="collect comparisons between the groups, or ask for regularisation",
    )
