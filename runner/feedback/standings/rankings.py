"""Strengths of all versions that can be compared, with intervals, and with length or side held equal.

Length: a term for how much longer one answer is takes out what its length alone wins, and strengths are those at
equal length, as in length-controlled AlpacaEval (Dubois, Galambosi, Liang and Hashimoto, 2024); here it is the
logarithm of the ratio of characters. Side: a term for the left side takes out what its place alone wins.

Intervals are percentiles of a bootstrap over whole raters, since votes of one person are alike, where there are
enough of them; else over comparisons, so that the events of one vote on several answers stay together. Few raters
make percentiles too narrow, so that they are taken further out, as Student's t is (Hesterberg, 2015: the expanded
percentile interval).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import expit, ndtr, stdtrit

from runner.feedback.standings.bouts import Bouts, Floats, Places
from runner.feedback.standings.figures import Figure, Rules
from runner.feedback.standings.fit import (
    Design,
    among,
    comparable,
    design,
    fit,
    fit_once,
    is_identified,
    is_separated,
)


class Held(StrEnum):
    """What is held equal."""

    NOTHING = "nothing"
    LENGTH = "length"
    SIDE = "side"


class Unit(StrEnum):
    """What the bootstrap draws."""

    USERS = "users"
    COMPARISONS = "comparisons"


@dataclass(frozen=True, slots=True)
class Strength:
    """One version: its strength, and its chance to win against the baseline (None where that has no strength)."""

    version: str
    strength: Figure
    chance: Figure | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The versions that can be compared, the strongest first; none where no two can.

    `effect` is the factor by which the odds of an answer rise that is twice as long, or stands on the left.
    """

    held: Held
    strengths: tuple[Strength, ...]
    votes: int
    unit: Unit
    effect: Figure | None = None
    why: str = ""
    """Why there is none."""

    @property
    def order(self) -> tuple[str, ...]:
        """Versions, the strongest first."""
        return tuple(each.version for each in self.strengths)


@dataclass(frozen=True, slots=True)
class Apart:
    """A version without a strength, and why it has none."""

    version: str
    why: str


def ranking(bouts: Bouts, held: Held, rules: Rules, generator: np.random.Generator) -> Ranking:
    """Return the ranking of bouts with something held equal."""
    usable = bouts.only(~np.isnan(bouts.longer)) if held is Held.LENGTH else bouts
    ranked = ranked_group(usable, rules.baseline)
    inside = usable.only(among(usable, ranked))
    cluster, unit = clusters(inside, rules)
    columns = {Held.NOTHING: (), Held.LENGTH: (inside.longer,), Held.SIDE: (np.ones(len(inside)),)}[held]
    of = design(inside, *columns)
    if why := _unidentified(inside, held, of):
        return Ranking(held, (), len(inside), unit, why=why)
    found = fit_once(of)
    if is_separated(of, found):
        return Ranking(held, (), len(inside), unit, why="the votes leave nothing to chance")
    number = int(cluster.max()) + 1
    drawn = generator.multinomial(number, np.full(number, 1.0 / number), size=rules.resamples)
    again = fit(of, drawn.astype(np.float64), cluster, found)
    tail = _tail(number, rules)
    return Ranking(
        held,
        _strengths(bouts.versions, rules.baseline, ranked, found, _Again(again, tail)),
        len(inside),
        unit,
        _effect(held, found, _Again(again, tail)),
    )


def _unidentified(inside: Bouts, held: Held, of: Design) -> str:
    """Return why votes cannot tell what is held equal from the versions, empty where they can."""
    if not len(inside):
        return "no two versions can be ranked by such votes"
    if held is Held.LENGTH and not np.any(inside.longer):
        return "the two answers of every vote are equally long"
    return "" if is_identified(of) else "it always went with the version"


def ranked_group(bouts: Bouts, baseline: str) -> Places:
    """Return the versions that can be compared with each other: those around the baseline, else those with most votes.

    Empty where no two can.
    """
    several = [group for group in comparable(bouts) if len(group) > 1]
    around = [group for group in several if baseline in {bouts.versions[at] for at in group}]
    return next(iter([*around, *several]), np.zeros(0, dtype=np.int64))


def apart(bouts: Bouts, ranking: Ranking) -> tuple[Apart, ...]:
    """Return the versions with votes and without a strength."""
    ranked = {bouts.versions.index(version) for version in ranking.order}
    return tuple(
        Apart(version, _why(bouts, at, ranked))
        for at, version in enumerate(bouts.versions)
        if at not in ranked
    )


def clusters(bouts: Bouts, rules: Rules) -> tuple[Places, Unit]:
    """Return the cluster of each vote, numbered from 0, and what the clusters are."""
    users, of_user = np.unique(bouts.user, return_inverse=True)
    if len(users) >= rules.least_users:
        return of_user, Unit.USERS
    return np.unique(bouts.comparison, return_inverse=True)[1], Unit.COMPARISONS


@dataclass(frozen=True, slots=True)
class _Again:
    """Parameters of the resamples (B, parameters), and the share of them beyond either end of an interval."""

    parameters: Floats
    tail: float

    def figure(self, value: float, of_resamples: Floats) -> Figure:
        """Return a value with its interval."""
        low, high = np.quantile(of_resamples, [self.tail, 1.0 - self.tail])
        return Figure(float(value), float(low), float(high))


def _tail(clusters: int, rules: Rules) -> float:
    """Return the share of resamples beyond either end: alpha / 2 for many clusters, less for few."""
    degrees = max(clusters - 1, 1)
    return float(ndtr(-math.sqrt(clusters / degrees) * stdtrit(degrees, 1.0 - rules.alpha / 2.0)))


def _strengths(
    versions: tuple[str, ...], baseline: str, ranked: Places, found: Floats, again: _Again
) -> tuple[Strength, ...]:
    base = next((at for at in ranked if versions[at] == baseline), None)
    drawn = again.parameters
    told = []
    for at in sorted(ranked, key=lambda each: (-found[each], versions[each])):
        chance = None
        if base is not None:
            chance = again.figure(expit(found[at] - found[base]), expit(drawn[:, at] - drawn[:, base]))
        told.append(Strength(versions[at], again.figure(found[at], drawn[:, at]), chance))
    return tuple(told)


def _effect(held: Held, found: Floats, again: _Again) -> Figure | None:
    if held is Held.NOTHING:
        return None
    unit = math.log(2.0) if held is Held.LENGTH else 1.0
    return again.figure(math.exp(unit * found[-1]), np.exp(unit * again.parameters[:, -1]))


def _why(bouts: Bouts, version: int, ranked: set[int]) -> str:
    left, right = bouts.left == version, bouts.right == version
    won = bool(np.any(bouts.score[left] > 0.0) or np.any(bouts.score[right] < 1.0))
    lost = bool(np.any(bouts.score[left] < 1.0) or np.any(bouts.score[right] > 0.0))
    rivals = {*bouts.right[left].tolist(), *bouts.left[right].tolist()}
    if ranked and not rivals & ranked:
        return "never met the ranked versions"
    if not lost:
        return "never lost, so that its strength has no bound"
    if not won:
        return "never won, so that its strength has no bound"
    return "only won against the ranked versions, or only lost to them"
