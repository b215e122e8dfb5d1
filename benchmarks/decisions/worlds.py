"""Simulated traffic: what a rule gets to see at every look, in many independent replicates at once.

A world knows the truth and draws outcomes; it knows no rule. All counts have shape (looks, replicates). Drawing
depends only on the generator and the number of the first look, so a world needs no state of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BATCH = 20
"""Requests between two looks where two arms serve: one of them the candidate's at 5%."""

ERROR, CRASH, DISSATISFIED, SLOW = "error", "crash", "dissatisfied", "slow"


@dataclass(frozen=True, slots=True)
class Requests:
    """A stretch of looks. `pi` (looks, 1) is the candidate's share; `events` holds (candidate, baseline) counts."""

    pi: Floats
    n_c: Counts
    n_b: Counts
    events: Mapping[str, tuple[Counts, Counts]]

    @property
    def looks(self) -> int:
        """How many looks the stretch holds."""
        return len(self.n_c)


class World(Protocol):
    """A truth from which requests are drawn."""

    def draw(self, rng: np.random.Generator, first: int, looks: int, replicates: int) -> Requests:
        """Return the looks `first` to `first + looks - 1` in every replicate."""
        ...


@dataclass(frozen=True, slots=True)
class OneArm:
    """The candidate alone, one request a look; `rate` of them go wrong, from look `change` on `late` of them."""

    rate: float
    change: int = 2**62
    late: float = 0.0

    def draw(self, rng: np.random.Generator, first: int, looks: int, replicates: int) -> Requests:
        """See `World`."""
        at = np.arange(first, first + looks)[:, None]
        rate = np.where(at < self.change, self.rate, self.late)
        k = (rng.random((looks, replicates), dtype=np.float32) < rate).astype(np.int64)
        none = np.zeros_like(k)
        return Requests(np.ones((looks, 1)), np.ones_like(k), none, {ERROR: (k, none)})


class Course(Enum):
    """How the share of bad outcomes, common to both arms, moves in the course of time."""

    CONSTANT = "constant"
    RHYTHM = "daily rhythm"
    """Between a fifth and nine fifths of the mean, a day in `DAY` looks."""
    OUTAGES = "shared outages"
    """In one of `OUTAGE_EVERY` stretches of `OUTAGE` looks a third of all requests fail, in both arms."""
    DOUBLING = "doubling"
    """Twice as high at every stage as at the one before."""


DAY = 2_000
OUTAGE, OUTAGE_EVERY, OUTAGE_RATE = 20, 50, 1 / 3
STAGE = 2_000
"""Looks of a stage of the ramp; the last one stays."""
RAMP = (0.05, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of bad outcome: its share among the baseline's requests, and how much worse the candidate is.

    The candidate's share is `candidate` from look `change` on, before that the baseline's.
    """

    baseline: float
    candidate: float
    change: int = 0
    course: Course = Course.CONSTANT


@dataclass(frozen=True, slots=True)
class TwoArms:
    """`BATCH` requests a look, each to the candidate with probability `ramp[stage]`."""

    signals: Mapping[str, Signal]
    ramp: Sequence[float] = (0.05,)

    def draw(self, rng: np.random.Generator, first: int, looks: int, replicates: int) -> Requests:
        """See `World`."""
        at = np.arange(first, first + looks)
        stage = np.minimum(at // STAGE, len(self.ramp) - 1)
        pi = np.asarray(self.ramp, dtype=np.float64)[stage][:, None]
        n_c = rng.binomial(BATCH, pi, (looks, replicates))
        n_b = BATCH - n_c
        events = {}
        for name, signal in self.signals.items():
            factor = _course(signal, rng, at, replicates)
            late = np.where(at < signal.change, signal.baseline, signal.candidate)[:, None]
            events[name] = (
                rng.binomial(n_c, np.minimum(late * factor, 1.0)),
                rng.binomial(n_b, np.minimum(signal.baseline * factor, 1.0)),
            )
        return Requests(pi, n_c, n_b, events)


def _course(signal: Signal, rng: np.random.Generator, at: NDArray[Any], replicates: int) -> Floats:
    """Return the factor on both arms' shares, shape (looks, 1) or (looks, replicates)."""
    match signal.course:
        case Course.CONSTANT:
            return np.ones((len(at), 1))
        case Course.RHYTHM:
            return np.asarray(1.0 + 0.8 * np.sin(2.0 * np.pi * at / DAY))[:, None]
        case Course.DOUBLING:
            return np.asarray(2.0 ** np.minimum(at // STAGE, len(RAMP) - 1))[:, None]
        case Course.OUTAGES:
            return np.where(_down(rng, at, replicates), OUTAGE_RATE / signal.baseline, 1.0)


def _down(rng: np.random.Generator, at: NDArray[Any], replicates: int) -> Flags:
    stretch = at // OUTAGE - at[0] // OUTAGE
    struck = rng.random((int(stretch[-1]) + 1, replicates)) < 1.0 / OUTAGE_EVERY
    return np.asarray(struck[stretch])


@dataclass(frozen=True, slots=True)
class NoTraffic:
    """Nobody asks anything."""

    signals: Sequence[str]

    def draw(self, rng: np.random.Generator, first: int, looks: int, replicates: int) -> Requests:  # noqa: ARG002
        """See `World`."""
        none = np.zeros((looks, replicates), dtype=np.int64)
        return Requests(np.full((looks, 1), 0.05), none, none, dict.fromkeys(self.signals, (none, none)))


@dataclass(frozen=True, slots=True)
class Sessions:
    """The candidate alone, one session of `SESSION` requests a look, alike within a session (beta-binomial)."""

    rate: float
    icc: float

    def draw(self, rng: np.random.Generator, first: int, looks: int, replicates: int) -> Requests:  # noqa: ARG002
        """See `World`."""
        weight = 1.0 / self.icc - 1.0
        k = rng.binomial(SESSION, rng.beta(self.rate * weight, (1 - self.rate) * weight, (looks, replicates)))
        n = np.full_like(k, SESSION)
        none = np.zeros_like(k)
        return Requests(np.ones((looks, 1)), n, none, {ERROR: (k, none)})


SESSION = 10

SPREAD = 0.6
"""Standard deviation of the logarithm of latencies: the 99th percentile is four times the median."""
LEVELS = (0.9, 0.95, 0.99)


def share_above(factor: float, level: float) -> float:
    """Return what share exceeds the baseline's quantile `level` when every latency is `factor` times as long."""
    from scipy.special import ndtr, ndtri  # here, so that a worker that needs none does not wait for it

    return float(ndtr(np.log(factor) / SPREAD - ndtri(level)))


@dataclass(frozen=True, slots=True)
class Latencies:
    """Two arms, log-normal latencies, the candidate's `factor` times as long; counted above `limits`.

    `limits`, one for each of `LEVELS`, are the baseline's quantiles from before the rollout in units of the
    median, so they carry the error of an estimate.
    """

    factor: float
    limits: tuple[float, ...]
    pi: float = 0.05
    names: tuple[str, ...] = field(default=tuple(f"above p{100 * level:.0f}" for level in LEVELS))

    def draw(self, rng: np.random.Generator, first: int, looks: int, replicates: int) -> Requests:  # noqa: ARG002
        """See `World`."""
        n_c = rng.binomial(BATCH, self.pi, (looks, replicates))
        n_b = BATCH - n_c
        candidate, baseline = (self._above(rng, n, by) for n, by in ((n_c, self.factor), (n_b, 1.0)))
        events = dict(zip(self.names, zip(candidate, baseline, strict=True), strict=True))
        return Requests(np.full((looks, 1), self.pi), n_c, n_b, events)

    def _above(self, rng: np.random.Generator, n: Counts, factor: float) -> list[Counts]:
        """Count above every limit; what is above a higher one is drawn from what is above a lower one."""
        from scipy.special import ndtr

        counts, above, share = [], n, 1.0
        for limit in self.limits:
            beyond = float(ndtr((np.log(factor) - np.log(limit)) / SPREAD))
            above = rng.binomial(above, beyond / share)
            share = beyond
            counts.append(above)
        return counts
