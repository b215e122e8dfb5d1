"""Everything that is known about one comparison: evidence against the candidate, for it, and the figures shown.

The ledger keeps one for each leaf. Against the candidate two processes run, on each session's first value and on
each whole session, and their e-values are averaged: the first is quick, the second sees what goes wrong late in a
conversation. Certainty and figures gather from the start of the rollout; evidence against the candidate only while
a condition with this leaf is in force. Pure computation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.rollout.compile import Leaf, Test
from runner.rollout.processes import Certainty, Process, level, limit_of
from runner.signals.outcomes import CANDIDATE, Count, Outcome
from runner.stats import logic
from runner.stats.mixture import Mixture
from runner.stats.quantiles import Sketch

WHO = ("candidate", "drawn", "baseline")
"""Whose figures are kept: all of the candidate's sessions, its drawn ones, the baseline's drawn ones."""


@dataclass(slots=True)
class Sum:
    """Sessions, and the sum of their levels from 0 to 1 (see `processes.level`)."""

    k: float = 0.0
    n: float = 0.0

    @property
    def mean(self) -> float | None:
        """The mean level; None without sessions."""
        return self.k / self.n if self.n else None


class Evidence:
    """The state of one leaf."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self.processes = {how: Process.start(leaf, how) for how in Count}
        self.certainty = Certainty(leaf) if leaf.test is Test.LIMIT else None
        self.sums = {how: {who: Sum() for who in WHO} for how in Count}
        self.sketches = {who: Sketch() for who in WHO}

    @property
    def log_e(self) -> float:
        """The logarithm of the e-value against the candidate; -inf where it is never measured."""
        if self.leaf.test is Test.UNMEASURED:
            return -np.inf
        return float(logic.either([process.log_e for process in self.processes.values()]))

    def take(self, how: Count, outcomes: Sequence[Outcome], *, in_force: bool) -> None:
        """Take a batch of outcomes of the leaf's source that were counted in one way."""
        if self.leaf.test is Test.UNMEASURED:
            return
        if in_force:
            self.processes[how].take(outcomes)
        if self.certainty is not None and how is Count.FIRST:
            self.certainty.take(outcomes)
        for who, own in _by_whom(outcomes).items():
            self._note(how, who, own)

    def _note(self, how: Count, who: str, outcomes: Sequence[Outcome]) -> None:
        if self.leaf.level is not None and how is Count.FIRST:
            self.sketches[who].add([each.value for each in outcomes])
        bound = limit_of(self.leaf)[0] if self.leaf.test is Test.LIMIT else None
        if self.leaf.level is not None and bound is None:
            return
        sums = self.sums[how][who]
        sums.k += sum(level(self.leaf, each, bound) for each in outcomes)
        sums.n += len(outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return its state."""
        return {
            "processes": {how.value: process.to_json() for how, process in self.processes.items()},
            "certainty": self.certainty.mixture.to_json() if self.certainty else None,
            "sums": {
                how.value: {who: [each.k, each.n] for who, each in sums.items()}
                for how, sums in self.sums.items()
            },
            "sketches": {who: sketch.to_json() for who, sketch in self.sketches.items()},
        }

    @classmethod
    def from_json(cls, leaf: Leaf, value: Any) -> Evidence:
        """Read it back."""
        evidence = cls(leaf)
        for how in Count:
            evidence.processes[how] = Process.from_json(leaf, how, value["processes"][how.value])
            evidence.sums[how] = {who: Sum(*value["sums"][how.value][who]) for who in WHO}
        if value["certainty"] is not None:
            evidence.certainty = Certainty(leaf, Mixture.from_json(value["certainty"]))
        evidence.sketches = {who: Sketch.from_json(value["sketches"][who]) for who in WHO}
        return evidence


def _by_whom(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    candidate = [each for each in outcomes if each.arm == CANDIDATE]
    drawn = [each for each in outcomes if each.pi is not None]
    return {
        "candidate": candidate,
        "drawn": [each for each in drawn if each.arm == CANDIDATE],
        "baseline": [each for each in drawn if each.arm != CANDIDATE],
    }
