"""What follows for a rollout now: go back, hold, advance, become the baseline; with all that a person needs to see why.

`reconcile` calls it at every look, reports print what it returns. Pure: policy, evidence, the stage's facts and the
time in, an `Assessment` out. It changes nothing; that a candidate goes back is remembered by the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log

from runner.rollout import compile as compiled
from runner.rollout.findings import Look, findings, healthy
from runner.rollout.ledger import MOST, Ledger
from runner.rollout.verdict import Assessment, Because, Finding, Mismatch, Step, Verdict
from runner.spec.rollout import Advance, OnInconclusive, RolloutPolicy, Stage

LEAST_PACE = 3
"""Sessions of the candidate at a stage before its pace is told."""


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What Git and the journal say about the rollout: served names of both arms, and the stage in force.

    `since` (of the stage) and `started` (of the rollout) are seconds since 1970.
    """

    candidate: str
    baseline: str
    stage: str
    since: float
    started: float


def assess(policy: RolloutPolicy, ledger: Ledger, facts: StageFacts, now: float) -> Assessment:
    """Return what is known about a rollout at `now` and the step that follows.

    The ledger must have been told of the stage (`enter`). ValueError where the policy has no such stage.
    """
    names = [stage.name for stage in policy.stages]
    at = names.index(facts.stage)
    stage = policy.stages[at]
    share = min(stage.traffic, 1.0 - policy.holdback)
    mismatch = _mismatch(ledger, share)
    look = Look(ledger, policy.decision, bool(mismatch and mismatch.found), alone=share >= 1.0)
    found, certified = _findings(look, facts.stage)
    elapsed = max(0.0, now - facts.since)
    evidence, condition = _evidence(ledger)
    base = Assessment(
        rollout_id=ledger.rollout_id,
        candidate=facts.candidate,
        baseline=facts.baseline,
        stage=facts.stage,
        next_stage=names[at + 1] if at + 1 < len(names) else None,
        weight=share,
        step=Step.HOLD,
        because=Because.NO_PROOF,
        at=now,
        since=facts.since,
        elapsed=elapsed,
        remaining=max(0.0, policy.least(stage) - elapsed),
        evidence=evidence,
        threshold=1 / policy.decision.alpha,
        condition=condition,
        findings=found,
        mismatch=mismatch,
        sessions=ledger.sessions,
        needed=_needed(found),
        notes=_notes(ledger, facts),
    )
    base = replace(base, hours=_hours(ledger, base, now))
    return _decide(base, stage, certified=certified, crossed=_crossed(ledger))


def _crossed(ledger: Ledger) -> bool:
    return ledger.latched is not None or ledger.log_e() >= ledger.bound


def _decide(base: Assessment, stage: Stage, *, certified: bool, crossed: bool) -> Assessment:
    """Return the assessment with the step that follows. Proof comes before everything, doubt before an advance."""
    if crossed:
        return replace(base, step=Step.ROLL_BACK, because=Because.PROVEN)
    if base.mismatch is not None and base.mismatch.found:
        return replace(base, because=Because.MISMATCH)
    if base.remaining:
        return replace(base, because=Because.TOO_EARLY)
    return _onward(base, stage) if certified else _unproven(base, stage)


def _unproven(base: Assessment, stage: Stage) -> Assessment:
    """Return what the stage declares for the end of its time without proof; a stable one has no end."""
    duration = stage.duration
    match stage.on_inconclusive:
        case OnInconclusive.ROLL_BACK if duration is not None:
            return replace(base, step=Step.ROLL_BACK, because=Because.INCONCLUSIVE_END)
        case OnInconclusive.EXTEND if duration is not None and base.elapsed < 2 * duration:
            return replace(base, extended=True, remaining=2 * duration - base.elapsed)
        case _:
            return base


def _onward(base: Assessment, stage: Stage) -> Assessment:
    """Return the step that is certified: to the next stage, or from the last one to the baseline."""
    step = Step.CONCLUDE if base.next_stage is None else Step.ADVANCE
    by_person = stage.advance is Advance.PULL_REQUEST
    return replace(
        base, step=step, because=Because.PULL_REQUEST if by_person else Because.CERTIFIED, needed=None
    )


def _mismatch(ledger: Ledger, share: float) -> Mismatch | None:
    """Return how users were split at this stage's share; None where nobody was drawn."""
    counts = ledger.measures.assigned.get(share)
    if counts is None or not 0.0 < share < 1.0:
        return None
    evidence = ledger.mismatch(share)
    found = evidence >= log(1 / ledger.tests.mismatch_alpha)
    return Mismatch(*counts, expected=share, evidence=exp(min(MOST, evidence)), found=found)


def _findings(look: Look, stage: str) -> tuple[tuple[Finding, ...], bool]:
    """Return the findings of all conditions in force, and whether every condition is certified not to hold.

    Where a policy has no condition at all, something must have been seen of the candidate at this stage.
    """
    found: list[Finding] = []
    certified = look.ledger.sessions_here > 0
    for condition in look.ledger.tests.in_force(stage):
        own = findings(look, condition)
        found += own
        verdicts: dict[compiled.Leaf, Verdict] = {
            shown.leaf: finding.verdict for shown, finding in zip(condition.comparisons, own, strict=True)
        }
        certified = certified and all(healthy(term, verdicts) for term in condition.terms)
    return tuple(found), certified


def _evidence(ledger: Ledger) -> tuple[float, str]:
    """Return the e-value of the whole rollout and the condition that weighs most in it."""
    if ledger.latched is not None:
        return ledger.latched.evidence, ledger.latched.condition
    parts = ledger.parts()
    worst = max(parts, key=lambda name: parts[name]) if parts else ""
    return exp(min(MOST, ledger.log_e())), worst


def _needed(found: tuple[Finding, ...]) -> int | None:
    """Return what the slowest undecided finding wants; None where one of them cannot say."""
    open_ = [each.needed for each in found if each.verdict is Verdict.INCONCLUSIVE]
    known = [each for each in open_ if each is not None]
    return max(known) if known and len(known) == len(open_) else None


def _hours(ledger: Ledger, base: Assessment, now: float) -> float | None:
    """Return how long the needed sessions take at the pace of this stage."""
    pace = ledger.paces.get(base.stage)
    if base.needed is None or pace is None or pace.sessions < LEAST_PACE or now <= pace.first:
        return None
    return base.needed / (pace.sessions / (now - pace.first)) / 3600


def _notes(ledger: Ledger, facts: StageFacts) -> tuple[str, ...]:
    notes = []
    if ledger.stage != facts.stage:
        notes.append(f"evidence is still gathered for stage '{ledger.stage}'")
    if ledger.latched is not None and ledger.latched.stage != facts.stage:
        notes.append(f"it was proven at stage '{ledger.latched.stage}'")
    return tuple(notes)
