"""Which steps are due in which environment: what `loop promote --due` asks for, and why nothing is elsewhere.

A version is considered in one environment at a time and only forward: from training to the environments that wait for
none, from there to those that wait for them, and from the last stage to the baseline. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.promotion.readiness import Step
from runner.registry import naming
from runner.registry.places import quarantine_of
from runner.spec.load import Spec
from runner.spec.model import GateVerdict


@dataclass(frozen=True, slots=True)
class Considered:
    """One environment: the step that may be due for a version, or why none is (then both are None)."""

    environment: str
    version: str | None = None
    step: Step | None = None
    why_not: str = ""


def consider(spec: Spec) -> tuple[Considered, ...]:
    """Return for each environment which step would be next, by what Git says. Whether it may be taken is not asked."""
    return tuple(_next(spec, name) for name in spec.loop.environments)


def _next(spec: Spec, name: str) -> Considered:
    declared = spec.loop.environments[name]
    if declared.rollout is not None:
        return _under_way(spec, name, declared.rollout.candidate, declared.rollout.stage)
    if declared.promote_after is not None:
        return _from_before(spec, name, declared.promote_after.environment)
    fresh = naming.by_age(version for version in spec.models if _is_newer(version, declared.baseline))
    ready = [version for version in fresh if _may(spec, version)]
    if ready:
        return Considered(name, ready[-1], Step.TRIAL)
    if fresh:
        found = ", ".join(fresh)
        return Considered(
            name, why_not=f"newer than {declared.baseline}: {found}; none may be promoted by its gates"
        )
    return Considered(name, why_not=f"no version is newer than {declared.baseline}")


def _from_before(spec: Spec, name: str, before: str) -> Considered:
    """Consider what the environment before this one trusts."""
    baseline, trusted = spec.loop.environments[name].baseline, spec.loop.environments[before].baseline
    if trusted == baseline:
        return Considered(name, why_not=f"{trusted} is the baseline here and in {before}")
    if _is_newer(baseline, trusted):
        return Considered(name, why_not=f"{trusted}, the baseline of {before}, is older than {baseline}")
    return Considered(name, trusted, Step.TRIAL)


def _under_way(spec: Spec, name: str, candidate: str, stage: str) -> Considered:
    last = spec.policies.rollout.stages[-1].name
    if stage != last:
        return Considered(name, why_not=f"{candidate} is on trial, in stage '{stage}'")
    return Considered(name, candidate, Step.BASELINE)


def _may(spec: Spec, version: str) -> bool:
    evaluation = spec.models[version].evaluation
    if evaluation is None or quarantine_of(spec, version) is not None:
        return False
    return all(evaluation.gates.get(gate) is GateVerdict.PASS for gate in spec.policies.evaluation.gates)


def _is_newer(version: str, baseline: str) -> bool:
    one, other = naming.parse(version), naming.parse(baseline)
    return one is not None and other is not None and one.artifact == other.artifact and one > other
