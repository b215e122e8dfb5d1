"""Each version straight against the baseline: win rate with ties half, overall and by segment of the questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from runner.feedback.records import Ballot, Choice
from runner.feedback.standings.bouts import Bouts, Floats, Places
from runner.feedback.standings.figures import Rate, Rules, Verdict, rate
from runner.feedback.standings.judging import Judged, judged
from runner.stats.multiple import e_bh

SEGMENTED = ("category", "language", "group")


@dataclass(frozen=True, slots=True)
class Duel:
    """A version against the baseline. The interval holds for this one, however often one looks."""

    version: str
    wins: Judged
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SegmentDuel:
    """The same in one segment. The verdict counts in that many segments were looked at, the interval does not."""

    by: str
    """category, language or group."""
    segment: str
    duel: Duel


@dataclass(frozen=True, slots=True)
class Liked:
    """How a version fared in all of its votes: on how many it won, and on how many both answers were bad."""

    version: str
    votes: int
    wins: float
    """Ties half."""
    both_bad: Rate


def duels(bouts: Bouts, rules: Rules) -> tuple[Duel, ...]:
    """Return every version that met the baseline, by name."""
    found = []
    for version in bouts.versions:
        scores, raters = meetings(bouts, version, rules.baseline)
        if len(scores):
            wins = judged(scores, raters, bouts.users, rules)
            found.append(Duel(version, wins, wins.verdict))
    return tuple(found)


def segment_duels(bouts: Bouts, rules: Rules) -> tuple[SegmentDuel, ...]:
    """Return the duels of every segment.

    Of all "better" and "worse" a share of at most alpha is wrong, on average, whatever the number of segments
    (Benjamini and Hochberg's procedure for e-values).
    """
    found = list(_segments(bouts, rules))
    certain = set(e_bh([each.duel.wins.evidence for each in found], rules.alpha))
    return tuple(
        replace(each, duel=replace(each.duel, verdict=Verdict.NOT_TOLD_APART))
        if each.duel.verdict.is_certain and at not in certain
        else each
        for at, each in enumerate(found)
    )


def liked(bouts: Bouts, rules: Rules) -> tuple[Liked, ...]:
    """Return every version with votes, by name."""
    bad = np.array([ballot.choice is Choice.NEITHER for ballot in bouts.ballots], dtype=bool)
    found = []
    for at, version in enumerate(bouts.versions):
        left, right = bouts.left == at, bouts.right == at
        votes = int(left.sum() + right.sum())
        wins = float(bouts.score[left].sum() + (1.0 - bouts.score[right]).sum())
        found.append(Liked(version, votes, wins, rate(float(bad[left | right].sum()), votes, rules)))
    return tuple(found)


def meetings(bouts: Bouts, version: str, other: str) -> tuple[Floats, Places]:
    """Return 1, a half or 0 for each vote on a version and another, and who gave it; none for it and itself."""
    if other not in bouts.versions or version == other:
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    one, base = bouts.versions.index(version), bouts.versions.index(other)
    left = (bouts.left == one) & (bouts.right == base)
    right = (bouts.right == one) & (bouts.left == base)
    scores = np.concatenate([bouts.score[left], 1.0 - bouts.score[right]])
    return scores, np.concatenate([bouts.user[left], bouts.user[right]])


def _segments(bouts: Bouts, rules: Rules) -> Iterator[SegmentDuel]:
    for by in SEGMENTED:
        names = [_segment(ballot, by) for ballot in bouts.ballots]
        for segment in sorted(set(names) - {""}):
            inside = np.array([name == segment for name in names])
            for duel in duels(bouts.only(inside), rules):
                yield SegmentDuel(by, segment, duel)


def _segment(ballot: Ballot, by: str) -> str:
    return str(getattr(ballot, by))
