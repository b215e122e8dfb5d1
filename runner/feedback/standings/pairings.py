"""Each two versions that were compared with each other, and which one people preferred: the weekly report's win rates.

Beside `duels`, which hold every version against one baseline. Computation only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from runner.feedback.records import Ballot
from runner.feedback.standings.bouts import bouts
from runner.feedback.standings.duels import meetings
from runner.feedback.standings.figures import Rules
from runner.feedback.standings.judging import Judged, judged


@dataclass(frozen=True, slots=True)
class Pairing:
    """A version against another one: the baseline where it is one of the two, else the one first by name."""

    version: str
    against: str
    wins: Judged
    """Of `version`, ties half."""
    lengths: tuple[float, float] | None
    """Characters of their answers, on average; None where the texts are not kept."""


def pairings(ballots: Sequence[Ballot], rules: Rules) -> tuple[Pairing, ...]:
    """Return all pairs of versions with votes; those with the baseline first."""
    found, _ = bouts(ballots)
    order = sorted(found.versions, key=lambda name: (name != rules.baseline, name))
    made = []
    for against, version in combinations(order, 2):
        scores, raters = meetings(found, version, against)
        if len(scores):
            lengths = _lengths(list(found.ballots), version, against)
            made.append(Pairing(version, against, judged(scores, raters, found.users, rules), lengths))
    return tuple(made)


def _lengths(ballots: Sequence[Ballot], version: str, against: str) -> tuple[float, float] | None:
    texts: dict[str, list[int]] = {version: [], against: []}
    for ballot in ballots:
        if {ballot.left.version, ballot.right.version} == texts.keys():
            for side in (ballot.left, ballot.right):
                if side.text:
                    texts[side.version].append(len(side.text))
    if not all(texts.values()):
        return None
    return fmean(texts[version]), fmean(texts[against])
