"""All of the standings in one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.feedback.records import Ballot, Choice
from runner.feedback.standings.bouts import Bouts, LeftOut, bouts
from runner.feedback.standings.duels import Duel, Liked, SegmentDuel, duels, liked, segment_duels
from runner.feedback.standings.figures import Rate, Rules, rate
from runner.feedback.standings.judging import Judged, judged
from runner.feedback.standings.rankings import Apart, Held, Ranking, apart, ranked_group, ranking
from runner.feedback.standings.raters import Raters, raters
from runner.feedback.standings.repeats import Repeats, repeats


@dataclass(frozen=True, slots=True)
class Shares:
    """How votes ended: the share of ties, of "both bad", and of the left side among those that name one."""

    ties: Rate
    neither: Rate
    left: Judged


@dataclass(frozen=True, slots=True)
class Standings:
    """What the votes say."""

    rules: Rules
    votes: int
    """That compare two versions and count."""
    left_out: LeftOut
    plain: Ranking
    length: Ranking
    side: Ranking
    apart: tuple[Apart, ...]
    versions: tuple[Liked, ...]
    duels: tuple[Duel, ...]
    segments: tuple[SegmentDuel, ...]
    shares: Shares
    raters: Raters
    repeats: Repeats


def compute(ballots: Sequence[Ballot], rules: Rules, generator: np.random.Generator) -> Standings:
    """Return the standings of ballots, of which each person's latest on each comparison is there (`ballots.read`)."""
    found, left_out = bouts(ballots)
    plain = ranking(found, Held.NOTHING, rules, generator)
    return Standings(
        rules,
        len(found),
        left_out,
        plain,
        ranking(found, Held.LENGTH, rules, generator),
        ranking(found, Held.SIDE, rules, generator),
        apart(found, plain),
        liked(found, rules),
        duels(found, rules),
        segment_duels(found, rules),
        _shares(found, rules),
        raters(found, ranked_group(found, rules.baseline), rules),
        repeats([ballot for ballot in ballots if ballot.counted], generator),
    )


def _shares(found: Bouts, rules: Rules) -> Shares:
    choices = [ballot.choice for ballot in found.ballots]
    return Shares(
        rate(choices.count(Choice.TIE), len(found), rules),
        rate(choices.count(Choice.NEITHER), len(found), rules),
        judged(found.score[found.decided], found.user[found.decided], found.users, rules),
    )
