"""Many replicates of a world under a rule: how often it rolls back, and after how many requests.

A replicate that rolled back has ended: a rollback is latched, nothing after it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Protocol

import numpy as np

from benchmarks.decisions.evidence import NEVER
from benchmarks.decisions.worlds import Counts, Floats, Requests, World

CELLS = 20_000
"""Looks times replicates drawn at once: as large as fits the processor's cache after what is made of it."""

Progress = Callable[[int], None]
"""Told the number of looks done."""


class Rule(Protocol):
    """Decides at every look of every replicate."""

    def absorb(self, requests: Requests) -> Counts:
        """Return the look of the stretch at which each replicate rolled back, or NEVER."""
        ...

    def keep(self, index: Counts) -> None:
        """Go on with these replicates alone."""
        ...


@dataclass(frozen=True, slots=True)
class Phase:
    """So many replicates look until look number `until`."""

    until: int
    replicates: int


@dataclass(frozen=True, slots=True)
class Alarms:
    """How many of the replicates that entered a phase rolled back in it."""

    started: tuple[int, ...]
    fired: tuple[int, ...]
    looks: int

    @property
    def probability(self) -> float:
        """Of a rollback by the last look: one minus the chance to survive every phase."""
        return 1.0 - prod(1.0 - share for share in self._shares)

    @property
    def error(self) -> float:
        """Its standard error (delta method)."""
        pairs = zip(self._shares, self.started, strict=True)
        inner = sum(share / ((1.0 - share) * n) for share, n in pairs if share < 1.0)
        return (1.0 - self.probability) * sqrt(inner)

    @property
    def _shares(self) -> list[float]:
        return [fired / n if n else 0.0 for fired, n in zip(self.fired, self.started, strict=True)]


def _silent(_looks: int) -> None:
    return None


def alarms(
    world: World, rule: Rule, phases: Sequence[Phase], rng: np.random.Generator, progress: Progress = _silent
) -> Alarms:
    """Look until the last phase ends. Rollbacks come early, so each later phase follows fewer of the survivors."""
    alive, look = phases[0].replicates, 0
    started, fired = [], []
    for phase in phases:
        if alive > phase.replicates:
            alive = phase.replicates
            rule.keep(np.arange(alive))
        started.append(alive)
        while look < phase.until and alive:
            looks = min(phase.until - look, max(5, min(500, CELLS // alive)))
            stopped = rule.absorb(world.draw(rng, look, looks, alive)) != NEVER
            if stopped.any():
                alive -= int(stopped.sum())
                rule.keep(np.flatnonzero(~stopped))
            look += looks
            progress(look)
        fired.append(started[-1] - alive)
        if not alive:
            break
    return Alarms(tuple(started), tuple(fired), phases[-1].until)


@dataclass(frozen=True, slots=True)
class Delays:
    """Requests to the candidate until the rollback, one number for each replicate that did roll back."""

    requests: Floats
    missed: int
    """Replicates that had not rolled back when the trial ended."""
    early: int = 0
    """Replicates that rolled back before the change, and are not among the others."""

    @property
    def median(self) -> float | None:
        """None where fewer than half of the replicates rolled back."""
        return self._quantile(0.5)

    @property
    def late(self) -> float | None:
        """The 95th percentile; None where fewer rolled back."""
        return self._quantile(0.95)

    @property
    def mean(self) -> float | None:
        """None where some never rolled back: a mean of the others would flatter."""
        return None if self.missed or not self.requests.size else float(self.requests.mean())

    def _quantile(self, share: float) -> float | None:
        everyone = np.sort(np.concatenate((self.requests, np.full(self.missed, np.inf))))
        if not everyone.size:
            return None
        value = everyone[int(np.ceil(share * everyone.size)) - 1]
        return float(value) if np.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Extent:
    """How many replicates look, and until which look at most; delays count from look `change` on."""

    replicates: int
    longest: int
    change: int = 0


def delays(
    world: World, rule: Rule, extent: Extent, rng: np.random.Generator, progress: Progress = _silent
) -> Delays:
    """Look until every replicate rolled back or `longest` looks have passed."""
    served = np.zeros(extent.replicates, dtype=np.int64)
    found: list[Counts] = []
    look = early = 0
    while look < extent.longest and served.size:
        ends = extent.change if look < extent.change else extent.longest
        looks = min(ends - look, max(5, min(500, CELLS // served.size)))
        requests = world.draw(rng, look, looks, served.size)
        until = served + np.cumsum(requests.n_c, axis=0)
        first = rule.absorb(requests)
        stopped = np.flatnonzero(first != NEVER)
        if look < extent.change:
            early += stopped.size
            served = served * 0
        else:
            found.append(until[first[stopped], stopped])
            served = until[-1]
        if stopped.size:
            left = np.flatnonzero(first == NEVER)
            rule.keep(left)
            served = served[left]
        look += looks
        progress(look)
    values = np.concatenate(found) if found else np.zeros(0)
    return Delays(values.astype(np.float64), served.size, early)
