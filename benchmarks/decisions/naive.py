"""What is done elsewhere: rules on point estimates, a test of fixed size looked at again and again, Flagger's.

They are the baselines of this benchmark; the runner uses none of them. `should_rollback` is the rule that the
sources of this project name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.decisions.evidence import NEVER
from benchmarks.decisions.worlds import CRASH, DISSATISFIED, ERROR, SLOW, Counts, Flags, Floats, Requests

Judge = Callable[["Totals"], Flags]
"""Whether to roll back, from the totals after each look: shape (looks, replicates)."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything seen until each look."""

    n_c: Counts
    n_b: Counts
    events: dict[str, tuple[Counts, Counts]]

    def rates(self, signal: str) -> tuple[Floats, Floats]:
        """Return both arms' shares of events; 0 where nothing was seen."""
        k_c, k_b = self.events[signal]
        return k_c / np.maximum(self.n_c, 1), k_b / np.maximum(self.n_b, 1)


@dataclass
class Looking:
    """A rule on totals that is applied at every look, once the candidate has answered `least` requests."""

    judge: Judge
    least: int = 1
    _before: list[Counts] | None = field(init=False, default=None)

    def absorb(self, requests: Requests) -> Counts:
        """Return the look of the stretch at which each replicate rolled back, or NEVER."""
        names = list(requests.events)
        tallies = [requests.n_c, requests.n_b]
        for name in names:
            tallies += requests.events[name]
        before = self._before or [np.zeros(requests.n_c.shape[1], dtype=np.int64)] * len(tallies)
        until = [start + np.cumsum(tally, axis=0) for start, tally in zip(before, tallies, strict=True)]
        self._before = [tally[-1] for tally in until]
        events = {name: (until[2 + 2 * i], until[3 + 2 * i]) for i, name in enumerate(names)}
        totals = Totals(until[0], until[1], events)
        return _first(self.judge(totals) & (until[0] >= self.least))

    def keep(self, index: Counts) -> None:
        """Go on with these replicates alone."""
        if self._before is not None:
            self._before = [tally[index] for tally in self._before]


def _first(fires: Flags) -> Counts:
    return np.where(fires.any(axis=0), fires.argmax(axis=0), NEVER)


def above(limit: float, signal: str = ERROR) -> Judge:
    """The share of events exceeds a limit."""
    return lambda totals: totals.rates(signal)[0] > limit


def more_often(factor: float, signal: str = ERROR) -> Judge:
    """The share of events exceeds the baseline's times a factor."""

    def judge(totals: Totals) -> Flags:
        candidate, baseline = totals.rates(signal)
        return candidate > factor * baseline

    return judge


def less_satisfied(factor: float) -> Judge:
    """The mean satisfaction is below the baseline's times a factor."""

    def judge(totals: Totals) -> Flags:
        candidate, baseline = totals.rates(DISSATISFIED)
        return 1.0 - candidate < factor * (1.0 - baseline)

    return judge


def any_of(*judges: Judge) -> Judge:
    """At least one of them."""
    return lambda totals: np.logical_or.reduce([judge(totals) for judge in judges])


SHOULD_ROLLBACK: Judge = any_of(more_often(1.5), above(0.01, SLOW), less_satisfied(0.9), above(0.01, CRASH))
"""Errors 1.5 times the baseline's, p99 over its limit (more than 1% above it), satisfaction below nine tenths of
the baseline's, or more than 1% crashes."""


def binomial(limit: float, level: float, longest: int) -> Judge:
    """The one-sided binomial test of a share at every look, as if each look were the only one."""
    from scipy.stats import binom

    least = binom.isf(level, np.arange(longest + 1), limit) + 1  # P(K >= least) <= level

    def judge(totals: Totals) -> Flags:
        return np.asarray(totals.events[ERROR][0] >= least[np.minimum(totals.n_c, longest)])

    return judge


def pooled(level: float) -> Judge:
    """The two-sample test of shares over everything since the first stage, as if the stages were one."""
    from scipy.special import ndtri

    z = float(-ndtri(level))

    def judge(totals: Totals) -> Flags:
        (k_c, k_b), n_c, n_b = totals.events[ERROR], np.maximum(totals.n_c, 1), np.maximum(totals.n_b, 1)
        both = (k_c + k_b) / (n_c + n_b)
        error = np.sqrt(both * (1.0 - both) * (1.0 / n_c + 1.0 / n_b))
        return np.asarray((k_c + k_b >= 10) & (k_c / n_c - k_b / n_b > z * error))

    return judge


@dataclass
class Flagger:
    """Checks one window after another; so many failed checks in a row roll back. No data is a failed check.

    A window lasts `window` looks, the time in which 50 requests of the candidate are expected.
    """

    judge: Judge
    window: int
    patience: int = 5
    _sums: list[Counts] | None = field(init=False, default=None)
    _failed: Counts | None = field(init=False, default=None)
    _look: int = field(init=False, default=0)

    def absorb(self, requests: Requests) -> Counts:
        """Return the look of the stretch at which each replicate rolled back, or NEVER."""
        names = list(requests.events)
        tallies = [requests.n_c, requests.n_b]
        for name in names:
            tallies += requests.events[name]
        replicates = requests.n_c.shape[1]
        first = np.full(replicates, NEVER)
        if self._failed is None:
            self._failed = np.zeros(replicates, dtype=np.int64)
        begin = 0
        while begin < requests.looks:
            end = min(requests.looks, begin + self.window - self._look)
            self._add([tally[begin:end].sum(axis=0) for tally in tallies])
            self._look += end - begin
            begin = end
            if self._look == self.window:
                self._failed = np.where(self._fails(names), self._failed + 1, 0)
                self._look, self._sums = 0, None
                first[(self._failed >= self.patience) & (first == NEVER)] = end - 1
        return first

    def _add(self, sums: Sequence[Counts]) -> None:
        before = self._sums
        self._sums = list(sums) if before is None else [a + b for a, b in zip(before, sums, strict=True)]

    def _fails(self, names: Sequence[str]) -> Flags:
        sums = self._sums or []
        events = {name: (sums[2 + 2 * i], sums[3 + 2 * i]) for i, name in enumerate(names)}
        totals = Totals(sums[0], sums[1], events)
        return np.asarray(self.judge(totals) | (sums[0] == 0))

    def keep(self, index: Counts) -> None:
        """Go on with these replicates alone."""
        if self._sums is not None:
            self._sums = [tally[index] for tally in self._sums]
        if self._failed is not None:
            self._failed = self._failed[index]
