"""Whether a version may take its next step: everything that is in the way, with its evidence and what to do about it.

Called by `loop promote`. Nothing is waived here: what is not known is in the way too, for no data is never PASS. Pure:
facts in, diagnostics out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from runner.errors import Diagnostic, Severity, Unknown
from runner.evaluation.results import Report
from runner.promotion.today import objections
from runner.registry.places import quarantine_of
from runner.report import figures
from runner.spec.environment import Environment, Soak
from runner.spec.load import Spec
from runner.spec.model import GateVerdict, ModelFile


class Step(StrEnum):
    """What a promotion does in an environment."""

    TRIAL = "trial"
    """The version goes on trial, in the first stage."""
    BASELINE = "baseline"
    """The candidate of the last stage becomes the baseline."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one step of one version. `spec` is the base branch's with the version in it.

    `report` holds the values of evaluation.json, None where there is none. `lacking` is what DVC's remote lacks of the
    weights. `closed` says why nothing may be promoted now, empty where it may. `since` is when the version became the
    baseline of the environment that comes before. `certified` says whether the runner has found the last stage proven,
    None where no runner has said anything of it.
    """

    spec: Spec
    name: str
    environment: str
    report: Mapping[str, Any] | None
    lacking: tuple[str, ...] | Unknown
    closed: str
    since: datetime | None
    certified: bool | None
    now: datetime

    @property
    def model(self) -> ModelFile:
        """The version's file."""
        return self.spec.models[self.name]

    @property
    def declared(self) -> Environment:
        """The environment as the base branch declares it."""
        return self.spec.loop.environments[self.environment]


def settled(step: Step, facts: Facts) -> str | None:
    """Return why nothing is left to be done, None where something is."""
    declared, name, where = facts.declared, facts.name, facts.environment
    if declared.baseline == name:
        return f"{name} is the baseline of {where} already"
    rollout = declared.rollout
    if step is Step.TRIAL and rollout is not None and rollout.candidate == name:
        return f"{name} is on trial in {where} already, in stage '{rollout.stage}'"
    return None


def obstacles(step: Step, facts: Facts) -> tuple[Diagnostic, ...]:
    """Return everything that is in the way (errors), and what a reviewer has to weigh (warnings)."""
    match step:
        case Step.TRIAL:
            found = (
                *_free(facts),
                *_evaluated(facts),
                *_fetchable(facts),
                *_soaked(facts),
                *_compared(facts),
            )
        case Step.BASELINE:
            found = tuple(_concluded(facts))
    return (*_closed(facts), *_quarantined(facts), *found)


def _closed(facts: Facts) -> Iterator[Diagnostic]:
    if facts.closed:
        yield Diagnostic(
            f"nothing is promoted in '{facts.environment}' now",
            evidence=(facts.closed,),
            fix="try again when it is over, or have a reviewed change of loop.yaml end it",
        )


def _quarantined(facts: Facts) -> Iterator[Diagnostic]:
    entry = quarantine_of(facts.spec, facts.name)
    if entry is not None:
        yield Diagnostic(
            f"the bytes of '{facts.name}' are quarantined",
            evidence=(
                f"{entry.served} was rolled back in '{entry.environment}' at {entry.at.isoformat()}",
                f"condition: {entry.condition}",
            ),
            fix=f"train a better version; or, where it was not the version's fault: `loop lift {entry.served}`",
        )


def _free(facts: Facts) -> Iterator[Diagnostic]:
    rollout = facts.declared.rollout
    if rollout is not None:
        yield Diagnostic(
            f"a rollout is under way in '{facts.environment}'",
            evidence=(f"{rollout.candidate} stands in stage '{rollout.stage}'",),
            fix="wait until it is the baseline or was rolled back; one version is on trial at a time",
        )


def _evaluated(facts: Facts) -> Iterator[Diagnostic]:
    name, evaluation, again = facts.name, facts.model.evaluation, f"`loop evaluate {facts.name}`"
    if evaluation is None:
        yield Diagnostic(f"'{name}' was never evaluated", fix=again)
        return
    yield from _of_these_bytes(facts, evaluation.report)
    evidence = {each["gate"]: each["evidence"] for each in facts.report["gates"]} if facts.report else {}
    for gate in _required(facts):
        verdict = evaluation.gates.get(gate)
        if verdict is GateVerdict.PASS:
            continue
        if verdict is None:
            yield Diagnostic(f"gate '{gate}' was not decided for '{name}'", fix=again)
            continue
        fix = "train a better version" if verdict is GateVerdict.FAIL else f"have it decided: {again}"
        said = (evidence[gate],) if gate in evidence else ()
        yield Diagnostic(f"gate '{gate}' is {verdict.value}, and only PASS promotes", evidence=said, fix=fix)


def _of_these_bytes(facts: Facts, path: str) -> Iterator[Diagnostic]:
    """Gates speak of the bytes that were evaluated, which must be those that are promoted."""
    report, digest = facts.report, facts.model.adapter.digest
    fix = f"evaluate the bytes that are promoted: `loop evaluate {facts.name}`"
    if report is None:
        yield Diagnostic(f"'{path}' is no report that shows which bytes were evaluated", fix=fix)
        return
    if (report["version"], report["digest"]) != (facts.name, digest):
        evidence = (f"evaluated: {report['version']} {report['digest']}", f"promoted:  {facts.name} {digest}")
        yield Diagnostic(f"'{path}' speaks of other bytes", evidence=evidence, fix=fix)
        return
    told = {each["gate"]: each["verdict"] for each in report["gates"]}
    evaluation = facts.model.evaluation
    differing = [
        f"{gate}: {verdict.value} in the version's file, {told.get(gate, 'nothing')} in the report"
        for gate, verdict in (evaluation.gates.items() if evaluation else ())
        if told.get(gate) != verdict.value
    ]
    if differing:
        summary = f"the version's file and '{path}' say different things of its gates"
        yield Diagnostic(summary, evidence=tuple(differing), fix=fix)
    yield from objections(facts.spec, Report.from_json(report, path))


def _required(facts: Facts) -> tuple[str, ...]:
    """Return the gates that have to be PASS: those that the environment names, else every one of the policy."""
    after = facts.declared.promote_after
    return (after.gates if after else ()) or tuple(facts.spec.policies.evaluation.gates)


def _fetchable(facts: Facts) -> Iterator[Diagnostic]:
    name = facts.name
    match facts.lacking:
        case Unknown(reason):
            yield Diagnostic(
                f"it is not known whether DVC's remote has the weights of '{name}'",
                evidence=(reason,),
                fix="name a remote where there is none: `dvc remote add --default NAME URL`; then `dvc push`",
            )
        case ():
            return
        case lacking:
            yield Diagnostic(
                f"DVC's remote does not have the weights of '{name}', so no other machine could serve it",
                evidence=lacking[:5],
                fix=f"`dvc push {facts.model.adapter.path}`",
            )


def _soaked(facts: Facts) -> Iterator[Diagnostic]:
    after = facts.declared.promote_after
    if after is None:
        return
    before = facts.spec.loop.environments[after.environment]
    if before.baseline != facts.name:
        yield Diagnostic(
            f"'{facts.name}' is not the baseline of '{after.environment}', which comes before",
            evidence=(f"its baseline is {before.baseline}",),
            fix=f"`loop promote {facts.name} --to {after.environment}`, and its rollout there",
        )
    elif facts.since is None:
        yield Diagnostic(
            f"it is not known since when '{facts.name}' is the baseline of '{after.environment}'",
            fix="have the history of loop.yaml here: `git fetch --unshallow`",
        )
    else:
        yield from _long_enough(facts, after, facts.since)


def _long_enough(facts: Facts, after: Soak, since: datetime) -> Iterator[Diagnostic]:
    held = (facts.now - since).total_seconds()
    if held < after.soak:
        yield Diagnostic(
            f"'{facts.name}' has not been the baseline of '{after.environment}' for long enough",
            evidence=(
                f"since {since.isoformat(timespec='minutes')}: {figures.duration(max(0.0, held))} of "
                f"{figures.duration(after.soak)}",
            ),
            fix=f"try again in {figures.duration(after.soak - held)}",
        )


def _compared(facts: Facts) -> Iterator[Diagnostic]:
    """A version that was compared with another than it replaces may still be worse than that.

    Where that other one is its parent, a reviewer weighs it; to be better than anything else says nothing of use.
    """
    if facts.report is None:
        return
    baseline, parent = facts.declared.baseline, facts.model.parent
    against, digest = facts.report["against"]["name"], facts.report["against"]["digest"]
    fix = f"`loop evaluate {facts.name} --against {baseline}`"
    if against not in (baseline, parent):
        yield Diagnostic(
            f"it was compared with {against}, which is neither its parent nor the baseline of '{facts.environment}'",
            evidence=(f"its parent is {parent or 'the base model'}", f"the baseline is {baseline}"),
            fix=fix,
        )
    elif digest != facts.spec.models[against].adapter.digest:
        evidence = (f"compared: {digest}", f"declared: {facts.spec.models[against].adapter.digest}")
        yield Diagnostic(
            f"it was compared with other bytes than those of {against}", evidence=evidence, fix=fix
        )
    elif against != baseline:
        yield Diagnostic(
            f"it was compared with {against}, and the baseline of '{facts.environment}' is {baseline}",
            fix=fix,
            severity=Severity.WARNING,
        )


def _concluded(facts: Facts) -> Iterator[Diagnostic]:
    rollout, name, where = facts.declared.rollout, facts.name, facts.environment
    last = facts.spec.policies.rollout.stages[-1].name
    if rollout is None or rollout.candidate != name:
        stands = "no version is on trial" if rollout is None else f"{rollout.candidate} is on trial"
        yield Diagnostic(
            f"'{name}' is not on trial in '{where}'", evidence=(stands,), fix="name the version that is"
        )
    elif rollout.stage != last:
        yield Diagnostic(
            f"'{name}' has not come to the last stage in '{where}'",
            evidence=(f"it stands in '{rollout.stage}'; the last stage is '{last}'",),
            fix="let the rollout go on; `loop explain` says what it waits for",
        )
    elif facts.certified is None:
        yield Diagnostic(
            f"no runner here has said anything of '{name}' in stage '{last}'",
            fix=f"look at it where the runner is: `loop explain -e {where}`",
            severity=Severity.WARNING,
        )
    elif not facts.certified:
        yield Diagnostic(
            f"the runner has not found '{name}' proven in stage '{last}'",
            fix=f"`loop explain -e {where}` says what it waits for",
            severity=Severity.WARNING,
        )
