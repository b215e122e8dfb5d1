"""The rollout that the live routes give now: which one, in which stage, since when. Computation only.

`loop` writes a stage down the first time it sees it in force, and turns the evidence to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.reconcile.desired import Desired
from runner.reconcile.distil import Declared
from runner.reconcile.intent import shown
from runner.reconcile.observed import Entered, Memory, Observed
from runner.reconcile.routing import rollout_id
from runner.signals.detection import SHIPPED, Detection
from runner.spec.rollout import RolloutPolicy


@dataclass(frozen=True, slots=True)
class Subject:
    """A rollout in a stage, as evidence is gathered about it; times are seconds since 1970."""

    policy: RolloutPolicy
    rollout_id: str
    candidate: str
    baseline: str
    stage: str
    started: float
    since: float
    generation: int = 0
    """Of the first route table that gave it; what was answered by an older one is of another trial."""
    detection: Detection = SHIPPED
    """What counts as a refusal and as a question asked again."""


def stage_in_force(desired: Desired, observed: Observed, memory: Memory, now: float) -> Entered | None:
    """Return the stage that the live routes give, or None where they give none (yet) or not that of the spec."""
    trial, given = desired.trial, shown(observed.live(), desired.alias)
    if trial is None or given is None:
        return None
    if (given.baseline, given.candidate, given.weight) != (desired.baseline, trial.candidate, trial.weight):
        return None
    name, before = rollout_id(trial.candidate, desired.baseline), memory.entered
    if before is None or before.rollout_id != name:
        live = observed.live()
        return Entered(name, trial.stage, now, now, live.generation if live else 0)
    if before.stage != trial.stage:
        return Entered(name, trial.stage, before.started, now, before.generation)
    return before


def subject_of(declared: Declared, entered: Entered | None) -> Subject | None:
    """Return what evidence is to be gathered about, or None without a rollout in force."""
    desired = declared.desired
    trial = desired.trial
    if trial is None or entered is None:
        return None
    if entered.rollout_id != rollout_id(trial.candidate, desired.baseline):
        return None
    if entered.stage not in [stage.name for stage in declared.policy.stages]:
        return None  # it was renamed: the next pass sees the new one in force
    return Subject(
        policy=declared.policy,
        rollout_id=entered.rollout_id,
        candidate=trial.candidate.served,
        baseline=desired.baseline.served,
        stage=entered.stage,
        started=entered.started,
        since=entered.since,
        generation=entered.generation,
        detection=declared.detection,
    )
