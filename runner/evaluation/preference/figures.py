"""What decided comparisons come to: the win rate with its interval, the same at equal length, and what lies behind.

Called by the suites of kind `win_rate`, whoever decides. A question without an outcome is never taken for a tie: the
lower end of an interval counts it as lost, the upper one as won. Computation only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from runner.evaluation.results import Measured
from runner.feedback.standings.bouts import Bouts
from runner.feedback.standings.figures import Rules
from runner.feedback.standings.rankings import Held, ranking
from runner.stats.wins import wins_interval

WIN_RATE, CONTROLLED = "win_rate", "win_rate_length_controlled"
CANDIDATE, PARENT = "candidate", "parent"
LEAST = 10
"""Questions with a winner, and questions on which the candidate's answer is longer, and shorter; fewer tell nothing of
equal length."""
_SEED = 2024


@dataclass(frozen=True, slots=True)
class Decided:
    """One question: both answers, and the candidate's points: 1, a half or 0; None where nobody could say."""

    answer: str
    parent_answer: str
    score: float | None
    segments: Mapping[str, str] = field(default_factory=dict)


def figures(found: Sequence[Decided], alpha: float) -> tuple[Measured, ...]:
    """Return everything that is measured; each end of an interval is wrong with a chance of at most `alpha`."""
    return (
        win_rate(WIN_RATE, found, alpha),
        _controlled(found, alpha),
        _ties(found),
        *_segments(found, alpha),
        characters([each.answer for each in found]),
    )


def win_rate(metric: str, found: Sequence[Decided], alpha: float) -> Measured:
    """Return the mean of the points."""
    points = [each.score for each in found if each.score is not None]
    wins, ties, losses = points.count(1.0), points.count(0.5), points.count(0.0)
    unsaid = len(found) - len(points)
    if not points:
        return Measured(metric, None, None, None, 0, "no question was decided")
    low, _ = wins_interval(wins, ties, losses + unsaid, alpha)
    _, high = wins_interval(wins + unsaid, ties, losses, alpha)
    about = f"{wins} won, {ties} tied, {losses} lost"
    if unsaid:
        about += f"; {unsaid} undecided, which the lower end counts as lost and the upper one as won"
    return Measured(metric, sum(points) / len(points), low, high, len(points), about)


def controlled(bouts: Bouts, alpha: float) -> Measured:
    """Return the candidate's chance to win where both answers are equally long.

    A logistic regression with a term for the logarithm of the ratio of lengths, in the spirit of length-controlled
    AlpacaEval (Dubois, Galambosi, Liang and Hashimoto, 2024), by the standings' own fit; ends by their bootstrap. None
    where the candidate's answers are nearly always longer, or shorter: what holds at equal length would be made up.
    """
    sign = np.where(bouts.left == _place(bouts, CANDIDATE), 1.0, -1.0)
    longer, shorter = (int((side * sign * bouts.longer > 0.0).sum()) for side in (1.0, -1.0))
    won = int(bouts.decided.sum())
    if min(longer, shorter, won) < LEAST:
        about = f"longer on {longer}, shorter on {shorter}, decided {won} of {len(bouts)}: too few for equal length"
        return Measured(CONTROLLED, None, None, None, len(bouts), about)
    rules = Rules(PARENT, certainty=1.0 - 2.0 * alpha)
    fitted = ranking(bouts, Held.LENGTH, rules, np.random.default_rng(_SEED))
    own = next((each.chance for each in fitted.strengths if each.version == CANDIDATE), None)
    if own is None:
        return Measured(CONTROLLED, None, None, None, len(bouts), fitted.why or "one of the two never won")
    effect = "" if fitted.effect is None else f"twice as long: odds times {fitted.effect.value:.2f}"
    return Measured(CONTROLLED, own.value, own.low, own.high, fitted.votes, effect)


def bouts_of(found: Sequence[Decided]) -> Bouts:
    """Return decided questions in the form of votes: the candidate left, each question a comparison of its own."""
    n = len(found)
    lengths = [(1 + len(each.answer), 1 + len(each.parent_answer)) for each in found]
    zeros, rows = np.zeros(n, dtype=np.int64), np.empty(n, dtype=object)
    rows[:] = found
    return Bouts(
        ballots=rows,
        versions=(CANDIDATE, PARENT),
        users=("",),
        left=zeros,
        right=zeros + 1,
        user=zeros,
        comparison=np.arange(n, dtype=np.int64),
        score=np.array([each.score for each in found], dtype=np.float64),
        longer=np.array([math.log(own / other) for own, other in lengths], dtype=np.float64),
    )


def characters(answers: Sequence[str]) -> Measured:
    """Return the mean length of answers."""
    mean = sum(map(len, answers)) / len(answers) if answers else None
    return Measured("answer_characters", mean, mean, mean, len(answers), "mean length of an answer")


def share(metric: str, hits: Sequence[bool], about: str) -> Measured:
    """Return a share that is shown and decides nothing."""
    value = sum(hits) / len(hits) if hits else None
    return Measured(metric, value, None, None, len(hits), about)


def withheld(measured: Measured, why: str) -> Measured:
    """Return a figure that may not be used: no value, and in words why, and what it would have been."""
    seen = [] if measured.value is None else [f"it would be {measured.value:.1%}"]
    about = "; ".join(filter(None, [why, *seen, measured.about]))
    return Measured(measured.metric, None, None, None, measured.n, about)


def _controlled(found: Sequence[Decided], alpha: float) -> Measured:
    """Return the win rate at equal length; what is undecided is lost for its lower end and won for the upper one."""
    told = controlled(bouts_of([each for each in found if each.score is not None]), alpha)
    if told.value is None or all(each.score is not None for each in found):
        return told
    worst, best = (
        controlled(
            bouts_of([replace(each, score=end) if each.score is None else each for each in found]), alpha
        )
        for end in (0.0, 1.0)
    )
    return replace(told, low=worst.low, high=best.high)


def _ties(found: Sequence[Decided]) -> Measured:
    return share("ties", [each.score == 0.5 for each in found if each.score is not None], "share of ties")


def _segments(found: Sequence[Decided], alpha: float) -> list[Measured]:
    """Return the win rate of each category and language; its interval holds for one of them, looked at alone."""
    kinds = sorted({(by, name) for each in found for by, name in each.segments.items()})
    return [
        win_rate(f"{WIN_RATE}.{by}.{name}", [each for each in found if each.segments.get(by) == name], alpha)
        for by, name in kinds
    ]


def _place(bouts: Bouts, version: str) -> int:
    return bouts.versions.index(version) if version in bouts.versions else -1
