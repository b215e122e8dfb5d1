"""The decisions under test: `runner.stats` itself, looked at after every batch in many replicates at once.

Only the loop is here. What a batch is worth, how capital is placed and how evidence is joined is the code that a
runner decides with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import Protocol

import numpy as np

from benchmarks.decisions.worlds import ERROR, SESSION, Counts, Flags, Floats, Requests
from runner.stats import label, logic, mean
from runner.stats.mixture import Mixture

ALPHA = 0.01
NEVER = np.iinfo(np.int64).max


class EProcess(Protocol):
    """Evidence that grows from look to look."""

    def prepare(self, requests: Requests) -> None:
        """Take the next stretch of looks."""
        ...

    def step(self, look: int) -> None:
        """Bet on one look of the stretch."""
        ...

    @property
    def highest(self) -> float:
        """A bound on the greatest log E among the replicates, cheaper than `log_e`."""
        ...

    @property
    def log_e(self) -> Floats:
        """The evidence, shape (replicates,)."""
        ...

    def keep(self, index: Counts) -> None:
        """Go on with these replicates alone."""
        ...


@dataclass
class _Bets:
    """A mixture of bets; subclasses say what a stretch is worth and how many observations a look has."""

    restart: bool = True
    mixture: Mixture = field(init=False, repr=False)
    worth: Floats = field(init=False, repr=False)
    n: Floats = field(init=False, repr=False)

    def step(self, look: int) -> None:
        self.mixture = self.mixture.bet(self.worth[look], self.n[look])

    @property
    def highest(self) -> float:
        return float(self.mixture.logs.max()) + log(self.mixture.logs.shape[-1] + 1)

    @property
    def log_e(self) -> Floats:
        return self.mixture.log_e

    def keep(self, index: Counts) -> None:
        if self.mixture.logs.ndim > 1:
            self.mixture = Mixture(self.mixture.logs[index], self.mixture.free, self.mixture.seen)

    def _start(self, size: int) -> None:
        # One `seen` for all replicates: every look brings all of them the same number of observations.
        self.mixture = Mixture.start(size, self.restart)


@dataclass
class Absolute(_Bets):
    """P1 on a share: "the candidate's events are at most `limit` of its requests"."""

    limit: float = 0.01
    signal: str = ERROR

    def __post_init__(self) -> None:
        self._start(5)

    def prepare(self, requests: Requests) -> None:
        """See `EProcess`."""
        k = requests.events[self.signal][0]
        self.worth = mean.increments(self.limit, k, requests.n_c)
        self.n = _expected(requests)


@dataclass
class SessionMean(_Bets):
    """P1 on the mean of a session: the unit that is independent."""

    limit: float = 0.05

    def __post_init__(self) -> None:
        self._start(6)
        self._worth = mean.increments_of(
            self.limit, np.arange(SESSION + 1) / SESSION, np.eye(SESSION + 1, dtype=np.float64)
        )

    def prepare(self, requests: Requests) -> None:
        """See `EProcess`."""
        self.worth = self._worth[requests.events[ERROR][0]]
        self.n = np.ones(requests.looks)


@dataclass
class Relative(_Bets):
    """P2: "the candidate is not worse than the baseline", or, with `f`, "at least `f` times as good".

    With `ratio` it counts only while the candidate's share of events is at least so many times the baseline's:
    the default method, which proves "worse" and reports the size.
    """

    signal: str = ERROR
    f: float | None = None
    ratio: float = 0.0
    _past: tuple[Counts, ...] | None = field(init=False, repr=False, default=None)
    _large: Flags = field(init=False, repr=False)
    _look: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        self._start(5)

    def prepare(self, requests: Requests) -> None:
        """See `EProcess`."""
        k_c, k_b = requests.events[self.signal]
        tallies = (k_b, requests.n_b, k_c, requests.n_c)
        before = self._past or tuple(np.zeros(k_c.shape[1], dtype=np.int64) for _ in tallies)
        until = tuple(start + np.cumsum(tally, axis=0) for start, tally in zip(before, tallies, strict=True))
        rate = label.baseline_rate(until[0] - k_b, until[1] - requests.n_b)
        candidate, baseline = (k_c, requests.n_c), (k_b, requests.n_b)
        if self.f is None:
            self.worth = label.increments(requests.pi, candidate, baseline, rate)
        else:
            self.worth = label.increments_thinned(requests.pi, self.f, candidate, baseline, rate)
        if self.ratio:
            self._large = until[2] * until[1] >= self.ratio * until[0] * until[3]
        self._past = tuple(tally[-1] for tally in until)
        self.n = _expected(requests)

    def step(self, look: int) -> None:
        """See `EProcess`."""
        super().step(look)
        self._look = look

    @property
    def log_e(self) -> Floats:
        """See `EProcess`."""
        if not self.ratio:
            return self.mixture.log_e
        return np.where(self._large[self._look], self.mixture.log_e, -np.inf)

    def keep(self, index: Counts) -> None:
        """See `EProcess`."""
        super().keep(index)
        if self._past is not None:
            self._past = tuple(tally[index] for tally in self._past)


@dataclass
class AnyOf:
    """OR: the weighted average of the parts, evenly where no weights are given.

    What weights lack to 1 belongs to conditions that are not in force and earns nothing.
    """

    parts: Sequence[EProcess]
    weights: Sequence[float] | None = None

    def prepare(self, requests: Requests) -> None:
        """See `EProcess`."""
        for part in self.parts:
            part.prepare(requests)

    def step(self, look: int) -> None:
        """See `EProcess`."""
        for part in self.parts:
            part.step(look)

    @property
    def highest(self) -> float:
        """An average is at most its greatest part."""
        return max(part.highest for part in self.parts)

    @property
    def log_e(self) -> Floats:
        """See `EProcess`."""
        log_es = [part.log_e for part in self.parts]
        if self.weights is None:
            return logic.either(log_es)
        rest = max(0.0, 1.0 - sum(self.weights))
        return logic.either([*log_es, -np.inf], [*self.weights, rest])

    def keep(self, index: Counts) -> None:
        """See `EProcess`."""
        for part in self.parts:
            part.keep(index)


@dataclass
class Proof:
    """The rule of this project: roll back at the first look at which the evidence reaches 1/alpha."""

    test: EProcess
    alpha: float = ALPHA

    def absorb(self, requests: Requests) -> Counts:
        """Return the look of the stretch at which each replicate rolled back, or NEVER."""
        bound = log(1.0 / self.alpha)
        first = np.full(requests.n_c.shape[1], NEVER)
        self.test.prepare(requests)
        for look in range(requests.looks):
            self.test.step(look)
            if self.test.highest >= bound:
                first[(self.test.log_e >= bound) & (first == NEVER)] = look
        return first

    def keep(self, index: Counts) -> None:
        """Go on with these replicates alone."""
        self.test.keep(index)


def _expected(requests: Requests) -> Floats:
    """Return the candidate's expected requests of every look: unlike their number, no outcome of the draw."""
    total = requests.n_c[:, 0] + requests.n_b[:, 0]
    return total * requests.pi[:, 0]
