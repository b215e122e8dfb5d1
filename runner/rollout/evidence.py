"""Everything that is known about one comparison: evidence against the candidate, for it, and the figures shown.

The ledger keeps one for each leaf. Against the candidate two processes run, on each session's first value and on
each whole session, and their e-values are averaged: the first is quick, the second sees what goes wrong late in a
conversation. Evidence against the candidate gathers over all stages while a condition with this leaf is in force;
certainty, and the figures it rests on, start anew with each stage, since a larger share is another question. Figures
for people gather from the start of the rollout. Of a user who comes often only the first sessions within a window
count (`Decision.user_window`). Pure computation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np

from runner.rollout.compile import Leaf, Test
from runner.rollout.processes import Certainty, Process, level, limit_of, most_visits
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


class Figures:
    """Sums and sketches of one leaf by whose they are; what intervals are made of."""

    __slots__ = ("leaf", "sketches", "sums")

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self.sums = {how: {who: Sum() for who in WHO} for how in Count}
        self.sketches = {who: Sketch() for who in WHO}

    def take(self, how: Count, by_whom: dict[str, list[Outcome]]) -> None:
        """Add outcomes that were counted in one way."""
        for who, outcomes in by_whom.items():
            if outcomes:
                self._note(how, who, outcomes)

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
        """Return them as JSON values."""
        return {
            "sums": {
                how.value: {who: [each.k, each.n] for who, each in sums.items()}
                for how, sums in self.sums.items()
            },
            "sketches": {who: sketch.to_json() for who, sketch in self.sketches.items()},
        }

    @classmethod
    def from_json(cls, leaf: Leaf, value: Any) -> Figures:
        """Read them back."""
        figures = cls(leaf)
        for how in Count:
            figures.sums[how] = {who: Sum(*value["sums"][how.value][who]) for who in WHO}
        figures.sketches = {who: Sketch.from_json(value["sketches"][who]) for who in WHO}
        return figures


class Evidence:
    """The state of one leaf. `whole` figures are shown to people, those of the `stage` certify it."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self.processes = {how: Process.start(leaf, how) for how in Count}
        self.whole = Figures(leaf)
        self._begun = -inf
        self._anew()

    def _anew(self) -> None:
        self.certainty = Certainty(self.leaf) if self.leaf.test is Test.LIMIT else None
        self.stage = Figures(self.leaf)

    def enter(self, at: float) -> None:
        """Begin another stage: what was asked up to `at`, in seconds since 1970, certifies nothing there."""
        self._begun = at
        self._anew()
        for process in self.processes.values():
            process.enter()

    @property
    def log_e(self) -> float:
        """The logarithm of the e-value against the candidate; -inf where it is never measured."""
        if self.leaf.test is Test.UNMEASURED:
            return -np.inf
        return float(logic.either([process.log_e for process in self.processes.values()]))

    def take(self, how: Count, outcomes: Sequence[Outcome], *, in_force: bool) -> None:
        """Take a batch of outcomes of the leaf's source that were counted in one way.

        Users who come too often are left out, and of what certifies a stage those who are no sample of all users.
        """
        most = most_visits(self.leaf, how)
        counted = [each for each in outcomes if each.visit <= most]
        if self.leaf.test is Test.UNMEASURED or not counted:
            return
        if in_force:
            self.processes[how].take(counted)
        self.whole.take(how, _by_whom(counted))
        own = [each for each in counted if each.asked > self._begun and not each.always]
        self.stage.take(how, _by_whom(own))
        if self.certainty is not None and how is Count.FIRST:
            self.certainty.take(own)

    def to_json(self) -> dict[str, Any]:
        """Return its state."""
        return {
            "processes": {how.value: process.to_json() for how, process in self.processes.items()},
            "certainty": self.certainty.mixture.to_json() if self.certainty else None,
            "whole": self.whole.to_json(),
            "stage": self.stage.to_json(),
            "begun": self._begun if isfinite(self._begun) else None,
        }

    @classmethod
    def from_json(cls, leaf: Leaf, value: Any) -> Evidence:
        """Read it back."""
        evidence = cls(leaf)
        for how in Count:
            evidence.processes[how] = Process.from_json(leaf, how, value["processes"][how.value])
        if value["certainty"] is not None:
            evidence.certainty = Certainty(leaf, Mixture.from_json(value["certainty"]))
        evidence.whole = Figures.from_json(leaf, value["whole"])
        evidence.stage = Figures.from_json(leaf, value["stage"])
        evidence._begun = -inf if value["begun"] is None else float(value["begun"])
        return evidence


def _by_whom(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    candidate = [each for each in outcomes if each.arm == CANDIDATE]
    drawn = [each for each in outcomes if each.pi is not None]
    return {
        "candidate": candidate,
        "drawn": [each for each in drawn if each.arm == CANDIDATE],
        "baseline": [each for each in drawn if each.arm != CANDIDATE],
    }
