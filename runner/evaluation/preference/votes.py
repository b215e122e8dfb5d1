"""The win rate that people's votes tell: blind comparisons of the two versions in the arena.

Called by the suites of kind `win_rate` with `arbiter: votes`. Figures and rules are those of the standings, which hold
however often one looks: votes come in day by day. No verdict hangs on one person; where it would, there is no value,
so that no gate passes or fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from runner import digest
from runner.evaluation.preference.figures import (
    CANDIDATE,
    PARENT,
    WIN_RATE,
    characters,
    controlled,
    share,
    withheld,
)
from runner.evaluation.preference_port import PreferenceJob
from runner.evaluation.results import Measured, Row, SuiteResult
from runner.feedback.records import Answer, Ballot, Choice, question
from runner.feedback.standings.bouts import Bouts, bouts
from runner.feedback.standings.figures import Rules, Verdict
from runner.feedback.standings.judging import judged

_SIDES = ("category", "language")
_HANGING = frozenset({Verdict.HANGS, Verdict.ONE_RATER, Verdict.FEW_RATERS})


def by_votes(job: PreferenceJob) -> SuiteResult:
    """Return what the votes on exactly these two versions say; of others, and of other bytes, none counts."""
    found = [each for each in (_own(ballot, job) for ballot in job.ballots()) if each is not None]
    columns, _ = bouts(found)
    kept: Sequence[Ballot] = list(columns.ballots)
    told, length = win_rate(WIN_RATE, columns, job.alpha), controlled(columns, job.alpha)
    return SuiteResult(
        suite=job.name,
        kind=job.suite.kind,
        measured=(
            told,
            withheld(length, told.about) if told.value is None else length,
            share("ties", [each.choice is Choice.TIE for each in kept], "share of ties"),
            share("neither", [each.choice is Choice.NEITHER for each in kept], "share on which both are bad"),
            *_segments(columns, job.alpha),
            characters([_of(each, CANDIDATE).text for each in kept]),
        ),
        baseline=(characters([_of(each, PARENT).text for each in kept]),),
        rows=tuple(map(_row, kept)),
        seconds=0.0,
        alpha=job.alpha,
    )


def win_rate(metric: str, columns: Bouts, alpha: float) -> Measured:
    """Return the win rate of votes."""
    if not len(columns):
        return Measured(metric, None, None, None, 0, "nobody voted on these two versions")
    own = columns.versions.index(CANDIDATE)
    scores = np.where(columns.left == own, columns.score, 1.0 - columns.score)
    rules = Rules(PARENT, certainty=1.0 - 2.0 * alpha)
    found = judged(scores, columns.user, columns.users, rules)
    about = f"{found.n} votes of {found.raters} people"
    measured = Measured(metric, found.value, found.low, found.high, found.n, about)
    return withheld(measured, found.verdict.value) if found.verdict in _HANGING else measured


def _own(ballot: Ballot, job: PreferenceJob) -> Ballot | None:
    """Return a ballot with its two sides named, None where it is about others."""
    names = {job.candidate: CANDIDATE, job.parent: PARENT}
    left, right = (_named(side, names) for side in (ballot.left, ballot.right))
    return None if left is None or right is None else replace(ballot, left=left, right=right)


def _named(side: Answer, names: dict[str, str]) -> Answer | None:
    name = names.get(digest.served_name(side.version, side.digest))
    return None if name is None else replace(side, version=name)


def _segments(columns: Bouts, alpha: float) -> list[Measured]:
    found = []
    for by in _SIDES:
        names = [str(getattr(ballot, by)) for ballot in columns.ballots]
        for name in sorted(set(names) - {""}):
            inside = np.array([each == name for each in names])
            found.append(win_rate(f"{WIN_RATE}.{by}.{name}", columns.only(inside), alpha))
    return found


def _of(ballot: Ballot, version: str) -> Answer:
    return ballot.left if ballot.left.version == version else ballot.right


def _row(ballot: Ballot) -> Row:
    own = ballot.left.version == CANDIDATE
    won = {Choice.LEFT: own, Choice.RIGHT: not own}.get(ballot.choice)
    note = {None: "both bad" if ballot.choice is Choice.NEITHER else "tied", True: "won", False: "lost"}[won]
    answers = _of(ballot, CANDIDATE).text, _of(ballot, PARENT).text
    return Row(ballot.id, question(ballot.prompt), *answers, right=None, note=note)
