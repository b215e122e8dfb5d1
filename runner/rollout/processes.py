"""The e-processes behind one comparison: how outcomes of sessions become evidence.

`evidence` runs two of them for each leaf, one on first values and one on whole sessions. A process is given
batches; what a bet is aimed with (the baseline's rate, its quantiles) comes from EARLIER batches only, so that it
stays valid. Badness is always a number from 0 to 1, and an event is badness. Pure computation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp, sqrt
from typing import Any, Final

import numpy as np

from runner.rollout.compile import Leaf, Side, Test
from runner.signals.outcomes import BASELINE, CANDIDATE, Count, Outcome
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension
from runner.stats import label, logic, mean
from runner.stats.grid import FRACTIONS, ODDS_RATIOS, Floats
from runner.stats.mean import Direction
from runner.stats.mixture import Mixture
from runner.stats.quantiles import Sketch

LEAST_BASELINE: Final = 50
"""Values of the baseline before its quantiles are compared with."""
HALF_LIFE: Final = 300.0
"""Sessions of an arm after which one counts half in the recent ratio, which shows a late change."""
PLAINLY: Final = 2.0
"""Standard deviations by which the recent ratio has to show a factor, since it is of few sessions."""
SETTLED: Final = 20
"""Bad sessions of both arms at a stage before its ratio is believed, where evidence of other stages came along."""
AGAINST_LIMIT, AGAINST_RARE = 3, 2
"""A user's sessions within his window that are held against a constant, and against a rare one."""
RARE: Final = 0.02
"""A share below which three failures may be proof, so that one user alone would send a candidate back."""
VOTES = "thumbs_down_rate"
"""The metric of which events are also counted per exposure: a bad answer makes more people vote."""
_QUANTILES: Final = {0.5: (0.35, 0.5, 0.65), 0.95: (0.9, 0.95, 0.99), 0.99: (0.9, 0.95, 0.99)}
"""Quantiles of the baseline that stand for one that a condition names."""


def unit(leaf: Leaf, value: float) -> float:
    """Return a value (not a time or a count) on a scale from 0 to 1.

    Ratings go from 1 to 5; where a factor is meant for the rating itself they keep their zero.
    """
    metric = METRICS[leaf.metric]
    if metric.dimension is Dimension.RATIO:
        return min(1.0, max(0.0, value))
    low = 0.0 if leaf.factor not in (None, 1.0) else metric.low
    return min(1.0, max(0.0, (value - low) / (metric.high - low)))


def native(leaf: Leaf, value: float) -> float:
    """Return a value on that scale in the metric's own unit."""
    metric = METRICS[leaf.metric]
    if metric.dimension is Dimension.RATIO:
        return value
    low = 0.0 if leaf.factor not in (None, 1.0) else metric.low
    return low + value * (metric.high - low)


def level(leaf: Leaf, outcome: Outcome, limit: float | None = None) -> float:
    """Return an outcome from 0 to 1, high values high: the share of its values above `limit`, or their mean."""
    if limit is None:
        return unit(leaf, outcome.value)
    return sum(value > limit for value in outcome.values) / len(outcome.values)


def limit_of(leaf: Leaf) -> tuple[float | None, float]:
    """Return what values are compared with (None: their mean is meant), and the mean that the claim denies."""
    assert leaf.limit is not None  # noqa: S101 - a leaf of a constant
    if leaf.level is not None:
        return leaf.limit, 1.0 - leaf.level
    return None, unit(leaf, leaf.limit)


def most_visits(leaf: Leaf, how: Count) -> int:
    """Return how many sessions of one user within his window count.

    Comparisons rest on each user's arm, which is drawn once, so there he counts once. So he does where a bet against
    a constant may multiply by 1/limit (ratings, whole sessions): few failures of one user would be proof.
    """
    if leaf.test is not Test.LIMIT or not _binary(leaf, how):
        return 1
    m0 = limit_of(leaf)[1]
    allowed = m0 if leaf.side is Side.ABOVE else 1.0 - m0
    return AGAINST_RARE if allowed < RARE else AGAINST_LIMIT


def direction(leaf: Leaf) -> Direction:
    """Return on which side the claim puts the mean."""
    return Direction.ABOVE if leaf.side is Side.ABOVE else Direction.BELOW


def opposite(way: Direction) -> Direction:
    """Return the other side."""
    return Direction.BELOW if way is Direction.ABOVE else Direction.ABOVE


@dataclass(slots=True)
class Arms:
    """Sums over sessions of both drawn arms: badness `k` and sessions `n`."""

    k_c: float = 0.0
    n_c: float = 0.0
    k_b: float = 0.0
    n_b: float = 0.0

    def add(self, arm: str, k: float, n: float) -> None:
        """Add sessions of an arm."""
        if arm == CANDIDATE:
            self.k_c, self.n_c = self.k_c + k, self.n_c + n
        else:
            self.k_b, self.n_b = self.k_b + k, self.n_b + n

    def fade(self, arm: str, n: float) -> None:
        """Let an arm's past count less, as `n` sessions of it come."""
        kept = 0.5 ** (n / HALF_LIFE)
        if arm == CANDIDATE:
            self.k_c, self.n_c = self.k_c * kept, self.n_c * kept
        else:
            self.k_b, self.n_b = self.k_b * kept, self.n_b * kept

    def shows(self, factor: float, deviations: float = 0.0) -> bool:
        """Whether the candidate has at least so many times the baseline's, by that many standard deviations."""
        if not self.n_c or not self.n_b or not self.k_c:
            return False
        if not deviations:
            return self.k_c * self.n_b >= factor * self.k_b * self.n_c
        k_c, k_b = self.k_c + 0.5, self.k_b + 0.5
        spread = deviations * sqrt(1 / k_c + 1 / k_b)  # of the logarithm of the ratio
        return self.k_c * self.n_b >= factor * exp(spread) * k_b * self.n_c

    def to_json(self) -> list[float]:
        """Return the four sums."""
        return [self.k_c, self.n_c, self.k_b, self.n_b]


@dataclass(slots=True)
class Process:
    """The evidence of one leaf from one way of counting sessions: the average of a few mixtures."""

    leaf: Leaf
    how: Count
    mixtures: list[Mixture]
    past: list[Arms]
    """What each mixture's earlier batches held; it aims the next bet."""
    stage: Arms = field(default_factory=Arms)
    """Of the stage in force: stages differ in what they show of both arms, so a ratio over several would mislead."""
    recent: Arms = field(default_factory=Arms)
    baseline: Sketch = field(default_factory=Sketch)
    carried: bool = False
    """Whether evidence of an earlier stage came along."""

    @classmethod
    def start(cls, leaf: Leaf, how: Count) -> Process:
        """Return a process that has seen nothing."""
        count = _mixtures(leaf)
        size = len(FRACTIONS) if leaf.test is Test.LIMIT and not _binary(leaf, how) else len(ODDS_RATIOS)
        return cls(leaf, how, [Mixture.start(size) for _ in range(count)], [Arms() for _ in range(count)])

    @property
    def log_e(self) -> float:
        """The logarithm of the e-value; -inf while no estimate of this stage shows the factor."""
        factor = self.leaf.factor
        guarded = self.leaf.test is Test.WORSE and factor is not None and factor > 1.0
        if guarded and not self._shows(factor or 1.0):
            return -np.inf
        if len(self.mixtures) == 1:
            return float(self.mixtures[0].log_e)
        return float(logic.either([mixture.log_e for mixture in self.mixtures]))

    def _shows(self, factor: float) -> bool:
        settled = not self.carried or self.stage.k_c + self.stage.k_b >= SETTLED
        return (settled and self.stage.shows(factor)) or self.recent.shows(factor, PLAINLY)

    def enter(self) -> None:
        """Begin another stage: the evidence stays, its ratio starts anew."""
        self.carried = self.carried or self.stage.n_c > 0.0
        self.stage, self.recent = Arms(), Arms()

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Take a batch of outcomes of the leaf's source, counted this process's way."""
        match self.leaf.test:
            case Test.LIMIT:
                self._limit([each for each in outcomes if each.arm == CANDIDATE])
            case Test.WORSE | Test.RATIO | Test.THINNED:
                self._label([each for each in outcomes if each.pi is not None])
            case Test.QUANTILE:
                self._quantiles([each for each in outcomes if each.pi is not None])
            case Test.UNMEASURED:
                return

    def _limit(self, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        bound, m0 = limit_of(self.leaf)
        levels = [level(self.leaf, each, bound) for each in outcomes]
        worth = _worth_of_limit(levels, m0, direction(self.leaf), binary=_binary(self.leaf, self.how))
        self.mixtures[0] = self.mixtures[0].bet(worth, len(levels))

    def _label(self, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        below = self.leaf.side is Side.BELOW and self.leaf.test is not Test.RATIO
        batch = _Batch()
        for each in outcomes:
            high = level(self.leaf, each)
            batch.add(each, 1.0 - high if below else high)
        tests: list[_Worth] = [self._full]
        if self.leaf.test is Test.RATIO:
            tests = [self._events]
        elif self.leaf.test is Test.THINNED:
            tests = [self._thinned]
        elif self.leaf.metric == VOTES:
            tests.append(self._events)
        for at, test in enumerate(tests):
            self._bet(at, batch, test)
        for arm in (CANDIDATE, BASELINE):
            k, n = batch.sums(arm)
            self.stage.add(arm, k, n)
            self.recent.fade(arm, n)
            self.recent.add(arm, k, n)

    def _quantiles(self, outcomes: Sequence[Outcome]) -> None:
        """Compare with the baseline's quantiles as they were before this batch."""
        factor = self.leaf.factor or 1.0
        if self.baseline.n >= LEAST_BASELINE:
            for at, q in enumerate(_QUANTILES[self.leaf.level or 0.5]):
                limit = self.baseline.quantile(q) or 0.0
                batch = _Batch()
                for each in outcomes:
                    own = limit * factor if each.arm == CANDIDATE else limit
                    batch.add(each, level(self.leaf, each, own))
                self._bet(at, batch, self._full)
        self.baseline.add([value for each in outcomes if each.arm == BASELINE for value in each.values])

    def _bet(self, at: int, batch: _Batch, test: _Worth) -> None:
        """Place one mixture's bet on a batch, and let the batch aim the next."""
        worth = sum(
            (test(at, pi, part) for pi, part in batch.by_pi.items()), start=np.zeros(len(ODDS_RATIOS))
        )
        expected = sum(pi * part.n for pi, part in batch.by_pi.items())
        if batch.by_pi:
            self.mixtures[at] = self.mixtures[at].bet(worth, expected)
        for arm in (CANDIDATE, BASELINE):
            self.past[at].add(arm, *batch.sums(arm))

    def _rate(self, at: int) -> Floats:
        """Return the rate that is expected of the arm which the claim says is the better one."""
        past = self.past[at]
        if self.leaf.swapped:
            return label.baseline_rate(past.k_c, past.n_c)
        return label.baseline_rate(past.k_b, past.n_b)

    def _full(self, at: int, pi: float, part: _Part) -> Floats:
        better, worse = (CANDIDATE, BASELINE) if self.leaf.swapped else (BASELINE, CANDIDATE)
        pi = 1.0 - pi if self.leaf.swapped else pi
        if part.binary:
            return label.increments(pi, part.tally(worse), part.tally(better), self._rate(at))
        values, of_worse, of_better = part.scores(worse, better)
        return label.increments_scores(pi, values, of_worse, of_better, self._rate(at))

    def _events(self, at: int, pi: float, part: _Part) -> Floats:
        del at
        factor = self.leaf.factor or 1.0
        k_c, k_b = part.tally(CANDIDATE)[0], part.tally(BASELINE)[0]
        if self.leaf.swapped:
            return label.increments_events(1.0 - pi, k_b, k_c, 1.0 / factor)
        ratio = factor if self.leaf.test is Test.RATIO else 1.0
        return label.increments_events(pi, k_c, k_b, ratio)

    def _thinned(self, at: int, pi: float, part: _Part) -> Floats:
        values, candidate, baseline = part.scores(CANDIDATE, BASELINE)
        factor = self.leaf.factor or 1.0
        return label.increments_thinned_scores(pi, factor, values, candidate, baseline, self._rate(at))

    def to_json(self) -> dict[str, Any]:
        """Return its state."""
        return {
            "mixtures": [mixture.to_json() for mixture in self.mixtures],
            "past": [arms.to_json() for arms in self.past],
            "stage": self.stage.to_json(),
            "recent": self.recent.to_json(),
            "baseline": self.baseline.to_json(),
            "carried": self.carried,
        }

    @classmethod
    def from_json(cls, leaf: Leaf, how: Count, value: Any) -> Process:
        """Read it back."""
        return cls(
            leaf,
            how,
            [Mixture.from_json(each) for each in value["mixtures"]],
            [Arms(*each) for each in value["past"]],
            Arms(*value["stage"]),
            Arms(*value["recent"]),
            Sketch.from_json(value["baseline"]),
            bool(value["carried"]),
        )


class Certainty:
    """Evidence that a constant limit is KEPT, from first values: the same test turned round, without restarts."""

    __slots__ = ("leaf", "mixture")

    def __init__(self, leaf: Leaf, mixture: Mixture | None = None) -> None:
        self.leaf = leaf
        size = len(ODDS_RATIOS) if _binary(leaf, Count.FIRST) else len(FRACTIONS)
        self.mixture = mixture or Mixture.start(size, restart=False)

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Take a batch of first values."""
        bound, m0 = limit_of(self.leaf)
        levels = [level(self.leaf, each, bound) for each in outcomes if each.arm == CANDIDATE]
        if not levels:
            return
        way = opposite(direction(self.leaf))
        worth = _worth_of_limit(levels, m0, way, binary=_binary(self.leaf, Count.FIRST))
        self.mixture = self.mixture.bet(worth, len(levels))


def _worth_of_limit(levels: Sequence[float], m0: float, way: Direction, *, binary: bool) -> Floats:
    if binary:
        return mean.increments(m0, sum(levels), len(levels), way)
    return mean.increments_of(m0, levels, None, way)


def _binary(leaf: Leaf, how: Count) -> bool:
    """Whether a leaf's outcomes are 0 or 1, rather than anything between."""
    return how is Count.FIRST and METRICS[leaf.metric].dimension is not Dimension.SCORE


def _mixtures(leaf: Leaf) -> int:
    if leaf.test is Test.QUANTILE:
        return 3
    return 2 if leaf.metric == VOTES and leaf.test is Test.WORSE else 1


class _Part:
    """The outcomes of one batch that were drawn with the same chance: how often each badness, by arm."""

    __slots__ = ("counts", "n")

    def __init__(self) -> None:
        self.counts: dict[str, dict[float, int]] = {
            CANDIDATE: defaultdict(int),
            BASELINE: defaultdict(int),
        }
        self.n = 0

    def add(self, arm: str, badness: float) -> None:
        self.counts[arm][badness] += 1
        self.n += 1

    @property
    def binary(self) -> bool:
        return all(value in (0.0, 1.0) for counts in self.counts.values() for value in counts)

    def tally(self, arm: str) -> tuple[float, float]:
        counts = self.counts[arm]
        return sum(value * count for value, count in sorted(counts.items())), sum(counts.values())

    def scores(self, *arms: str) -> tuple[Floats, Floats, Floats]:
        """Return the values that occur, and how often in each of two arms."""
        values = sorted({value for arm in arms for value in self.counts[arm]})
        one, other = (
            np.array([self.counts[arm].get(v, 0) for v in values], dtype=np.float64) for arm in arms
        )
        return np.array(values), one, other


class _Batch:
    """Outcomes of one batch by the chance with which they were drawn."""

    __slots__ = ("by_pi",)

    def __init__(self) -> None:
        self.by_pi: dict[float, _Part] = {}

    def add(self, outcome: Outcome, badness: float) -> None:
        assert outcome.pi is not None  # noqa: S101 - drawn outcomes alone come here
        self.by_pi.setdefault(outcome.pi, _Part()).add(outcome.arm, badness)

    def sums(self, arm: str) -> tuple[float, float]:
        tallies = [part.tally(arm) for part in self.by_pi.values()]
        return sum(k for k, _ in tallies), sum(n for _, n in tallies)


_Worth = Callable[[int, float, _Part], Floats]
