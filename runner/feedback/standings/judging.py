"""Whether votes are certain to fall on one side of one half, where they come from people who differ.

No verdict hangs on one person. It takes two kinds of evidence, each of which holds however often one looks: that of
the votes as if they were independent, and that of the raters, each of whom is one draw from all who might vote. Both
must say the same of everybody, and without any one rater.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.feedback.standings.bouts import Flags, Floats, Places
from runner.feedback.standings.figures import EVEN, Rate, Rules, Verdict, rate
from runner.stats.clusters import Clusters
from runner.stats.intervals import mean_evidence


@dataclass(frozen=True, slots=True)
class Without:
    """The rater without whom the verdict falls, of several the one who moves the mean most; and what is left then."""

    user: str
    votes: int
    value: float
    """The mean without them."""


@dataclass(frozen=True, slots=True)
class Judged(Rate):
    """A mean against one half. The interval is wide enough for the votes and for the raters."""

    raters: int
    verdict: Verdict
    evidence: float
    """E-value against one half, the least of everybody's and of those without one rater: 1/alpha where certain."""
    hangs_on: Without | None
    """None where no verdict hangs on anybody."""
    turns: tuple[tuple[str, Verdict], ...]
    """Raters without whom the others' votes say something else, and what: a side, or nothing."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of everybody (place 0) and without each rater in turn: means, and which side is told.

    A side is 1 above one half, -1 below it, and 0 where none is told.
    """

    mean: Floats
    by_votes: Floats
    by_both: Floats
    bounded: Flags
    """Whether so many raters can tell anything of others."""
    evidence: float

    @property
    def verdict(self) -> Verdict:
        """What follows from all of it."""
        if len(self.mean) == 1:
            return Verdict.ONE_RATER
        if not self.by_votes[0]:
            return Verdict.NOT_TOLD_APART
        if np.any(falls := self.by_votes[1:] != self.by_votes[0]):
            return Verdict.NOT_TOLD_APART if np.all(falls) else Verdict.HANGS
        return self._verdict_of_raters()

    @property
    def least(self) -> int:
        """The place of the rater without whom the verdict falls and least is left of it, where it hangs on one."""
        falls = self.by_votes[1:] != self.by_votes[0]
        if not np.any(falls):
            falls = self.by_both[1:] != self.by_both[0]
        return int(np.argmin(np.where(falls, self.by_votes[0] * self.mean[1:], np.inf)))

    def _verdict_of_raters(self) -> Verdict:
        """Return what follows where the votes are certain, with everybody and without any one rater."""
        if not np.all(self.bounded):
            return Verdict.FEW_RATERS
        if not self.by_both[0]:
            return Verdict.NOT_TOLD_APART
        if np.any(falls := self.by_both[1:] != self.by_both[0]):
            return Verdict.FEW_RATERS if np.all(falls) else Verdict.HANGS
        return _word(self.by_both[0])

    @property
    def turns(self) -> list[tuple[int, Verdict]]:
        """The places of raters without whom something else is told, and what."""
        changed = np.flatnonzero(self.by_both[1:] != self.by_both[0])
        return [(int(at), _word(self.by_both[1 + at])) for at in changed]


def judged(scores: Floats, raters: Places, users: Sequence[str], rules: Rules) -> Judged:
    """Return what scores from 0 to 1 come to; `raters` are the places in `users` of those who gave them."""
    whole = rate(float(scores.sum()), len(scores), rules)
    if not len(scores):
        return Judged(whole.k, whole.n, whole.low, whole.high, 0, Verdict.NOT_TOLD_APART, 1.0, None, ())
    votes = np.bincount(raters, minlength=len(users))
    who = np.flatnonzero(votes)
    n = votes[who].astype(np.float64)
    k = np.bincount(raters, weights=scores, minlength=len(users))[who].astype(np.float64)
    told = _told(k, n, rules)
    low, high = (float(end) for end in Clusters.of(*_capped(k, n)).interval(rules.alpha))
    least = told.least if told.verdict is Verdict.HANGS else None
    return Judged(
        whole.k,
        whole.n,
        min(whole.low, max(low, 0.0)),
        max(whole.high, min(high, 1.0)),
        len(who),
        told.verdict,
        told.evidence,
        None if least is None else Without(users[who[least]], int(n[least]), float(told.mean[1 + least])),
        tuple((users[who[at]], side) for at, side in told.turns),
    )


def _told(k: Floats, n: Floats, rules: Rules) -> _Told:
    """Return what raters tell of whose votes `k` of `n` are wins, each of shape (raters,)."""
    sums, votes = (np.concatenate([[each.sum()], each.sum() - each]) for each in (k, n))
    looks = [Clusters.of(*_capped(k, n)), Clusters.without_each(*_capped(k, n))]
    if len(n) == 1:
        sums, votes, looks = sums[:1], votes[:1], looks[:1]
    mean, of_votes = sums / votes, mean_evidence(sums, votes, EVEN)
    sides = np.sign(mean - EVEN)
    # the raters' own mean, in which nobody weighs much, may lie on the other side than that of the votes
    same = np.concatenate([np.atleast_1d(np.sign(each.mean - EVEN)) for each in looks]) == sides
    of_raters = np.where(same, np.concatenate([np.atleast_1d(each.evidence(EVEN)) for each in looks]), 1.0)
    both = np.minimum(of_votes, of_raters)
    least = float(both.min())
    return _Told(
        mean,
        np.where(of_votes >= 1.0 / rules.alpha, sides, 0.0),
        np.where(both >= 1.0 / rules.alpha, sides, 0.0),
        np.concatenate([np.atleast_1d(each.is_bounded(rules.alpha)) for each in looks]),
        least if np.all(sides == sides[0]) else min(least, 1.0),
    )


def _capped(k: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Return wins and weights of raters; one's votes beyond the mean number of votes weigh nothing more."""
    weight = np.minimum(n, n.mean())
    return k / n * weight, weight


def _word(side: float) -> Verdict:
    return {1.0: Verdict.BETTER, -1.0: Verdict.WORSE}.get(float(side), Verdict.NOT_TOLD_APART)
