"""The rollout's part of a plan: what is to be written to Git, who is to be told, and why it waits otherwise.

The evidence was judged before (`runner.rollout`); here it is decided whether acting on it is allowed now: an
outage, a freeze window, a suspension or a newer runner keeps a stage where it is, a rollback waits for none of
them. Called by `plan`. Computation only.
"""

from __future__ import annotations

from runner.errors import Unknown
from runner.reconcile.actions import (
    Action,
    AdvanceStage,
    ConcludeRollout,
    Hold,
    HoldReason,
    NoteLanded,
    NotifyRollback,
    Reason,
    WriteRollback,
)
from runner.reconcile.adapters import waiting
from runner.reconcile.desired import Desired, Trial
from runner.reconcile.intent import Mark, heard, shown, stopped
from runner.reconcile.observed import BASELINE, Memory, Observed, Rollback, step_of
from runner.reconcile.routing import rollout_id
from runner.rollout import explain
from runner.rollout.verdict import Assessment, Because, Step

LOST_AFTER_S = 60.0
COMMIT = (40, 64)
"""Lengths of a commit's name; anything else that was written is a pull request or a branch."""

_ANOTHERS = "a commit of another runner"

Steps = tuple[list[Action], list[Hold]]


def progress(desired: Desired, observed: Observed, now: float) -> Steps:
    """Return what the rollouts before and the present one ask for."""
    actions, holds = _rollbacks(desired, observed, now)
    steps, waits = _stage(desired, observed, now)
    return [*actions, *steps], [*holds, *waits]


def _rollbacks(desired: Desired, observed: Observed, now: float) -> Steps:
    memory = observed.memory
    actions: list[Action] = []
    for served, rollback in sorted(memory.rollbacks.items()):
        if served in desired.quarantine or served in observed.landed:
            actions.append(NoteLanded(served, Reason.IN_GIT))
        elif not rollback.written or _got_lost(rollback, now):
            protected = desired.trial is not None and desired.trial.protected
            actions.append(
                WriteRollback(
                    served, rollback, protected, Reason.NOT_IN_GIT, f"{desired.revision} {protected}"
                )
            )
    actions += [_told_by_routes(desired, mark) for mark in _orphans(desired, observed, now)]
    if desired.tells:
        actions += [NotifyRollback(each.served, each, Reason.NOT_TOLD) for each in _untold(memory)]
    holds = [hold for action in actions if (hold := waiting(observed, action, now))]
    held = {hold.subject for hold in holds}
    return [action for action in actions if f"{action.kind} {action.served}" not in _subjects(held)], holds


def _orphans(desired: Desired, observed: Observed, now: float) -> list[Mark]:
    """Return the rollbacks that the routes tell of and that nobody has written for long: their runner is lost."""
    known = observed.memory.rollbacks.keys() | desired.quarantine
    due = now - LOST_AFTER_S
    return sorted(mark for mark in heard(observed) if mark.served not in known and mark.at_us / 1e6 < due)


def _told_by_routes(desired: Desired, mark: Mark) -> WriteRollback:
    trial = desired.trial
    rollback = Rollback(
        served=mark.served,
        rollout_id=rollout_id(trial.candidate, desired.baseline) if trial else "",
        baseline=desired.baseline.served,
        stage=trial.stage if trial else "",
        weight=trial.weight if trial else 0.0,
        condition="told by the routes; the runner that rolled it back is gone, and its evidence with it",
        evidence=(),
        at=mark.at_us / 1e6,
    )
    protected = trial is not None and trial.protected
    return WriteRollback(
        mark.served, rollback, protected, Reason.NOT_IN_GIT, f"{desired.revision} {protected}"
    )


def _got_lost(rollback: Rollback, now: float) -> bool:
    """Return whether a commit that landed has been nowhere since: a push that was undone. Writing it again is safe."""
    return len(rollback.written) in COMMIT and now - rollback.written_at > LOST_AFTER_S


def _untold(memory: Memory) -> list[Rollback]:
    """Return the rollbacks that nobody outside knows of: once Git has them, or once writing them has failed."""
    failed = {name.split(" ")[1] for name in memory.failures if name.startswith("write_rollback ")}
    known = [each for each in memory.rollbacks.values() if each.written or each.served in failed]
    return [each for each in (*known, *memory.past) if not each.notified]


def _subjects(targets: set[str]) -> set[str]:
    """Return kind and served name of targets, which also name the place."""
    return {" ".join(target.split(" ")[:2]) for target in targets}


def _stage(desired: Desired, observed: Observed, now: float) -> Steps:
    trial, found = desired.trial, observed.assessment
    if trial is None or found is None or trial.candidate.served in observed.memory.rollbacks:
        return [], []
    name = f"rollout {trial.candidate.name}"
    if isinstance(found, Unknown):
        hold = Hold(name, HoldReason.UNKNOWN, found.reason, next="nothing advances until it can be read")
        return [], [hold]
    if not _concerns(desired, trial, found):
        return [], []
    if found.step is not (Step.CONCLUDE if trial.next_stage is None else Step.ADVANCE):
        doubted = found.because is Because.MISMATCH
        reason = HoldReason.MISMATCH if doubted else HoldReason.EVIDENCE
        return [], [Hold(name, reason, explain.standing(found), next=explain.next_step(found))]
    return _step(desired, observed, trial, found, now)


def _stopped(desired: Desired, observed: Observed, now: float) -> tuple[HoldReason, str] | None:
    """Return why a stage that is certified may not advance now: a person's word, an outage, or a signal."""
    silent = [name for name, _ in observed.unknowns()]
    outage = (HoldReason.UNKNOWN, f"{', '.join(silent)} did not answer") if silent else None
    told = (HoldReason.SIGNAL, "; ".join(observed.holding)) if observed.holding else None
    return stopped(desired, now) or outage or told


def _concerns(desired: Desired, trial: Trial, found: Assessment) -> bool:
    """Return whether the evidence is about this rollout in this stage."""
    expected = rollout_id(trial.candidate, desired.baseline)
    return found.rollout_id == expected and found.stage == trial.stage


def _step(desired: Desired, observed: Observed, trial: Trial, found: Assessment, now: float) -> Steps:
    """Return the step that the evidence allows, or why it is not taken (again) now."""
    if written := _written(desired, observed, trial, found):
        return [], [_asked_before(trial, written)]
    name = f"rollout {trial.candidate.name}"
    if stop := _stopped(desired, observed, now):
        waits = "is not proposed as the baseline" if trial.next_stage is None else "does not advance"
        return [], [Hold(name, stop[0], f"{_shown(trial)}, and {waits}: {stop[1]}")]
    given = shown(observed.live(), desired.alias)
    if given is None or given.candidate != trial.candidate or given.weight != trial.weight:
        text = f"the routes do not give '{trial.stage}' yet"
        return [], [Hold(name, HoldReason.UNVERIFIED, text)]
    action = _next_step(desired, trial, found)
    held = waiting(observed, action, now)
    return ([], [held]) if held else ([action], [])


def _next_step(desired: Desired, trial: Trial, found: Assessment) -> AdvanceStage | ConcludeRollout:
    served, evidence = trial.candidate.served, explain.lines(found)
    if trial.next_stage is None:
        return ConcludeRollout(
            served=served,
            rollout_id=found.rollout_id,
            baseline=desired.baseline.served,
            stage=trial.stage,
            evidence=evidence,
            by_pull_request=trial.by_person,
            reason=Reason.PROVEN,
            config=desired.revision,
        )
    return AdvanceStage(
        served=served,
        rollout_id=found.rollout_id,
        before=trial.stage,
        stage=trial.next_stage,
        evidence=evidence,
        by_pull_request=trial.by_person,
        reason=Reason.CERTIFIED,
        config=desired.revision,
    )


def _written(desired: Desired, observed: Observed, trial: Trial, found: Assessment) -> str | None:
    """Return what became of the step where it was taken or asked for before: by us, or as the history has it."""
    towards = trial.next_stage or BASELINE
    written = observed.memory.proposed.get(step_of(found.rollout_id, towards))
    return written or (_ANOTHERS if towards in desired.taken else None)


def _asked_before(trial: Trial, written: str) -> Hold:
    """The runner asks for a step once: where a person goes back, it is the person's to go forward again."""
    name, text = f"rollout {trial.candidate.name}", _shown(trial)
    landed = len(written) in COMMIT
    if not landed and written != _ANOTHERS:
        text += "" if trial.next_stage else f"; {written} makes it the baseline"
        return Hold(name, HoldReason.PROPOSED, text, next=f"a person merges {written}")
    text += f", and {written[:12] if landed else written} took that step before"
    return Hold(name, HoldReason.PROPOSED, text, next="where somebody went back, a person advances again")


def _shown(trial: Trial) -> str:
    """Return what the evidence has shown of a trial, in the words of its stage."""
    return "proven" if trial.next_stage is None else f"certified for '{trial.next_stage}'"
