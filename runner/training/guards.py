"""What stops a run: each guard's value, its limit, and what to try once it has tripped.

Called by `run` and `watch`, which measure; here it is decided, from the run's history as the trainer logs it, so that
an interrupted run decides as an uninterrupted one. Limits are those of the recipe (`runner/spec/training.py`). Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Any

from runner.spec.training import DpoRecipe, Guards, KtoRecipe, Recipe

LN2 = math.log(2)
RECENT = 5
"""Logged steps over which the fall of chosen answers is averaged: one batch is mostly chance."""
WINDOW = 20
"""Logged steps over which pairs told apart are counted: in fewer, every pair of a good run is told apart by chance."""
EXACT, ROUNDED = 1e-3, 0.02
"""Most that a token's log-probability may differ from the parent's, on average, in nats: where both sides compute in 32
bits, and where one rounds to bfloat16 (as between this stack and the engine: 0.0006 to 0.0087 were measured)."""
LENGTH_RATIO = "length_ratio"
"""Key under which the growth of answers stands in the history."""


class Guard(StrEnum):
    """Each thing that is watched."""

    TRUNCATED = "max_truncated"
    STEP0 = "max_step0_deviation"
    REFERENCE = "reference"
    SERVED = "served_parent"
    FINITE = "finite"
    CHOSEN = "max_chosen_drop"
    ACCURACY = "max_accuracy"
    LENGTH = "max_length_ratio"


MEANING = {
    Guard.TRUNCATED: "share of examples that are longer than max_length",
    Guard.STEP0: "distance of the first loss, rewards and divergence from those of a policy that is its reference",
    Guard.REFERENCE: "mean difference of log-probabilities between policy or reference and the parent's record, nats",
    Guard.SERVED: "mean difference of log-probabilities between the policy and the served parent, nats",
    Guard.FINITE: "loss and gradient are numbers; the largest",
    Guard.CHOSEN: "fall of the log-probability of chosen answers from the parent's, nats",
    Guard.ACCURACY: f"share of pairs told apart, over {WINDOW} logged steps",
    Guard.LENGTH: "length of greedy answers to held-out prompts, over the parent's",
}
_ADVICE = {
    Guard.TRUNCATED: "raise max_length of the recipe, or leave long examples out of the data set",
    Guard.STEP0: "the reference is not the parent: fetch the parent again with `dvc pull`, and compare its digest",
    Guard.REFERENCE: "the parent's weights are not those it was recorded with: fetch them again with `dvc pull`",
    Guard.SERVED: "the engine serves other weights than the parent's: `loop status`, then load it again",
    Guard.FINITE: "lower learning_rate of the recipe, or beta where it is large",
    Guard.CHOSEN: "lower learning_rate, raise beta, or add {kind: sft} to the loss of the recipe",
    Guard.ACCURACY: "train for fewer epochs, or with label_smoothing; more pairs help most",
    Guard.LENGTH: "set length_normalised, lower learning_rate, or raise max_length_ratio where long answers are wanted",
}
_RUNAWAY = (
    "lower learning_rate of the recipe by a factor of 10; where that does not help, set length_normalised"
)
"""What to try where answers grow as they do only when the weights are destroyed: far, or at once."""
FAR, AT_ONCE = 3.0, 0.1
"""How many times the limit is far, and up to which share of the run is at once."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a guard saw at a step; it trips above its limit, and where the value is no number.

    `done` is the share of the run that lay behind it then.
    """

    guard: Guard
    value: float
    limit: float
    step: int
    done: float = 1.0

    @property
    def tripped(self) -> bool:
        """Whether the run has to stop."""
        return not math.isfinite(self.value) or self.value > self.limit

    @property
    def advice(self) -> str:
        """What to try."""
        if self.guard is Guard.LENGTH and (self.value > FAR * self.limit or self.done <= AT_ONCE):
            return _RUNAWAY
        return _ADVICE[self.guard]

    def to_json(self) -> dict[str, Any]:
        """Return it for files and for the process that started the run; what is no number becomes null."""
        return {
            "guard": self.guard.value,
            "meaning": MEANING[self.guard],
            "value": round(self.value, 6) if math.isfinite(self.value) else None,
            "limit": self.limit if math.isfinite(self.limit) else None,
            "step": self.step,
            "verdict": "FAIL" if self.tripped else "PASS",
        }


class Tripped(Exception):
    """A guard stopped the run."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(f"{reading.guard.value}: {reading.value:.6g}, limit {reading.limit:.6g}")
        self.reading = reading


def hold(readings: Sequence[Reading]) -> None:
    """Raise Tripped with the first reading that has to stop the run."""
    for reading in readings:
        if reading.tripped:
            raise Tripped(reading)


def look(history: Sequence[Mapping[str, Any]], recipe: Recipe) -> tuple[Reading, ...]:
    """Return what the guards see at the end of a history of logged steps; a guard without data has no reading."""
    return tuple(_readings(history, recipe)) if history else ()


def worst(history: Sequence[Mapping[str, Any]], recipe: Recipe) -> tuple[Reading, ...]:
    """Return for each guard its highest reading over the whole history."""
    found: dict[Guard, Reading] = {}
    for end in range(1, len(history) + 1):
        for reading in look(history[max(0, end - WINDOW) : end], recipe):
            held = found.get(reading.guard)
            if held is None or not reading.value <= held.value:
                found[reading.guard] = reading
    return tuple(found.values())


def _readings(history: Sequence[Mapping[str, Any]], recipe: Recipe) -> Iterator[Reading]:
    last = history[-1]
    step, guards = int(last["step"]), recipe.guards
    for key in ("loss", "grad_norm"):
        if key in last:
            yield Reading(Guard.FINITE, float(last[key]), math.inf, step)
    if LENGTH_RATIO in last:
        done = _epoch(history) / recipe.optimiser.epochs
        yield Reading(Guard.LENGTH, float(last[LENGTH_RATIO]), guards.max_length_ratio, step, done)
    if isinstance(recipe, DpoRecipe | KtoRecipe):
        yield from _preferences(history, recipe.beta, guards, step)


def _epoch(history: Sequence[Mapping[str, Any]]) -> float:
    """Return how many passes over the data were done when the trainer logged last; 0 before it did."""
    return max(_values(history, "epoch"), default=0.0)


def _preferences(
    history: Sequence[Mapping[str, Any]], beta: float, guards: Guards, step: int
) -> Iterator[Reading]:
    rewards = _values(history, "rewards/chosen")[-RECENT:]
    if len(rewards) == RECENT:
        # A reward is beta times how far the log-probability of that very answer moved from the parent's.
        yield Reading(Guard.CHOSEN, -fmean(rewards) / beta, guards.max_chosen_drop, step)
    accuracies = _values(history, "rewards/accuracies")[-WINDOW:]
    if len(accuracies) == WINDOW:
        yield Reading(Guard.ACCURACY, fmean(accuracies), guards.max_accuracy, step)


def _values(history: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [float(entry[key]) for entry in history if key in entry]
