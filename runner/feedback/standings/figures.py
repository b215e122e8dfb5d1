"""Shares with intervals, the words of verdicts, and the rules by which all of the standings are computed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner.stats.intervals import mean_interval

EVEN = 0.5


class Verdict(StrEnum):
    """What is certain of a version beside the baseline, or why nothing is."""

    BETTER = "better"
    WORSE = "worse"
    NOT_TOLD_APART = "not told apart"
    HANGS = "hangs on one rater"
    """The votes tell, and would not without the votes of one person."""
    ONE_RATER = "one rater only"
    """All votes are of one person."""
    FEW_RATERS = "too few raters"
    """The votes tell, and too few people gave them to know whether others agree."""

    @property
    def is_certain(self) -> bool:
        """Whether it says which of two is better."""
        return self in (Verdict.BETTER, Verdict.WORSE)


@dataclass(frozen=True, slots=True)
class Rules:
    """How standings are computed."""

    baseline: str
    """The version that the others are compared with."""
    certainty: float = 0.95
    """Of every interval and verdict."""
    resamples: int = 1000
    """Of the bootstrap."""
    least_users: int = 5
    """From so many raters on whole raters are resampled; with fewer, comparisons are."""

    @property
    def alpha(self) -> float:
        """How often an interval may miss."""
        return 1.0 - self.certainty


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """The mean of `n` outcomes from 0 to 1 with sum `k`, and an interval that holds however often one looks."""

    k: float
    n: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The mean; None without outcomes."""
        return self.k / self.n if self.n else None


def rate(k: float, n: int, rules: Rules) -> Rate:
    """Return a rate whose interval takes outcomes as independent of each other, [0, 1] without outcomes."""
    low, high = mean_interval(k, n, rules.alpha)
    return Rate(float(k), int(n), float(low), float(high))
