"""Whether the standings hang on single people: what changes without each of them, and who votes unlike all others.

Users are keyed hashes; a report shortens them. Nobody's votes are taken away by this: people decide about that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp

from runner.feedback.standings.bouts import Bouts, Flags, Floats, Places
from runner.feedback.standings.duels import duels
from runner.feedback.standings.figures import Rules, Verdict
from runner.feedback.standings.fit import among, design, fit, fit_once
from runner.stats.multiple import e_bh

MOST = 200
"""Raters that are left out in turn, those with most votes: the others weigh less."""
LEAST_VOTES = 8
"""Of a rater about whom something is said."""
LEFT, RIGHT = "the left side", "the right side"
_TILTS = np.array([0.5, 1.0, 2.0, 4.0])
"""Log odds by which a rater may prefer something more than others do."""


@dataclass(frozen=True, slots=True)
class Influence:
    """What changes when one rater's votes are left out."""

    user: str
    votes: int
    shift: float
    """The largest change of a strength."""
    order: tuple[str, ...]
    """Versions without this rater, the strongest first; empty where the order stays."""
    verdicts: tuple[tuple[str, Verdict], ...]
    """Versions of which the others' votes say something else beside the baseline, and what."""
    silent: tuple[str, ...]
    """Ranked versions on which nobody else voted."""

    @property
    def matters(self) -> bool:
        """Whether something hangs on this rater."""
        return bool(self.order or self.verdicts or self.silent)


@dataclass(frozen=True, slots=True)
class Leaning:
    """A rater who prefers a version or a side much more often than the other raters' votes let one expect."""

    user: str
    towards: str
    wins: float
    """Ties half."""
    expected: float
    votes: int
    evidence: float
    """E-value."""


@dataclass(frozen=True, slots=True)
class Raters:
    """All raters together."""

    number: int
    largest_share: float
    """Of votes from one person; 0 without votes."""
    largest: str
    influences: tuple[Influence, ...]
    """The strongest first."""
    leanings: tuple[Leaning, ...]
    """The strongest first; of those named a share of at most alpha is there by chance, on average."""


def raters(bouts: Bouts, ranked: Places, rules: Rules) -> Raters:
    """Return what the standings owe to whom; `ranked` are the places of the ranked versions."""
    if not len(bouts):
        return Raters(0, 0.0, "", (), ())
    votes = np.bincount(bouts.user, minlength=len(bouts.users))
    most = np.argsort(-votes, kind="stable")[:MOST]
    most = most[votes[most] > 0]
    inside = bouts.only(among(bouts, ranked))
    without = np.ones((len(most), len(bouts.users)))
    without[np.arange(len(most)), most] = 0.0
    of = design(inside)
    all_ = fit_once(of)
    fits = fit(of, without, inside.user, all_)
    return Raters(
        int((votes > 0).sum()),
        float(votes.max() / votes.sum()),
        bouts.users[int(most[0])],
        _influences(bouts, most, all_, fits, ranked, rules),
        _leanings(inside, most, fits, rules) if len(most) > 1 else (),
    )


def _influences(  # noqa: PLR0913, PLR0917 - the votes, and what was found with and without each rater
    bouts: Bouts, most: Places, all_: Floats, fits: Floats, ranked: Places, rules: Rules
) -> tuple[Influence, ...]:
    turns = [(duel.version, dict(duel.wins.turns)) for duel in duels(bouts, rules)]
    found = []
    for user, found_without in zip(most, fits, strict=True):
        name = bouts.users[user]
        rest = bouts.only(bouts.user != user)
        heard = ranked[np.isin(ranked, np.concatenate([rest.left, rest.right]))]
        order, new = (_order(bouts, strengths, heard) for strengths in (all_, found_without))
        found.append(
            Influence(
                name,
                len(bouts) - len(rest),
                float(np.abs(found_without - all_).max(initial=0.0)),
                new if new != order else (),
                tuple((version, own[name]) for version, own in turns if name in own),
                tuple(bouts.versions[at] for at in ranked if at not in heard),
            )
        )
    return tuple(sorted(found, key=lambda each: (not each.matters, -each.shift, each.user)))


def _order(bouts: Bouts, strengths: Floats, ranked: Places) -> tuple[str, ...]:
    return tuple(
        bouts.versions[at] for at in sorted(ranked, key=lambda each: (-strengths[each], bouts.versions[each]))
    )


def _leanings(inside: Bouts, most: Places, fits: Floats, rules: Rules) -> tuple[Leaning, ...]:
    found = []
    for user, strengths in zip(most, fits, strict=True):
        own = inside.only(inside.user == user)
        chance = expit(strengths[own.left] - strengths[own.right])
        for towards, score, expected in _directions(own, chance):
            if len(score) >= LEAST_VOTES:
                told = inside.users[user], towards, float(score.sum()), float(expected.sum()), len(score)
                found.append(Leaning(*told, _evidence(score, expected)))
    certain = e_bh([each.evidence for each in found], rules.alpha)
    return tuple(sorted((found[at] for at in certain), key=lambda each: -each.evidence))


def _directions(own: Bouts, chance: Floats) -> Iterator[tuple[str, Floats, Floats]]:
    """Yield what a rater may lean towards, the scores of it, and what the others' votes let one expect of them."""
    yield LEFT, own.score, chance
    yield RIGHT, 1.0 - own.score, 1.0 - chance
    for at, version in enumerate(own.versions):
        left, right = own.left == at, own.right == at
        yield version, _of(own.score, left, right), _of(chance, left, right)


def _of(values: Floats, left: Flags, right: Flags) -> Floats:
    return np.concatenate([values[left], 1.0 - values[right]])


def _evidence(score: Floats, expected: Floats) -> float:
    """Return the e-value against "this rater is as the others": the mean of exponentially tilted likelihood ratios.

    Of each tilt t it is the product of exp(t x) / (1 - p + p exp(t)), whose mean is at most 1 for scores x in [0, 1]
    with mean p.
    """
    tilts = _TILTS[:, None]
    logs = (tilts * score - np.log1p(expected * np.expm1(tilts))).sum(axis=1)
    return float(np.exp(min(logsumexp(logs) - np.log(len(_TILTS)), 700.0)))
