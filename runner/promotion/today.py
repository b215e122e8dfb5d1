"""What today's policy makes of an evaluation: a PASS must not outlive the gate and the questions it was measured on.

Called by `readiness`. Gates are decided again from the report's own figures, so that a report whose gates say more than
its figures promotes nothing either. That a suite asks less, or that another arbiter decides, is not in a report and
cannot be told here. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import Diagnostic
from runner.evaluation.gates import alpha_of, decide
from runner.evaluation.results import GateResult, Report, SuiteResult, worst
from runner.spec.load import Spec


def objections(spec: Spec, report: Report) -> Iterator[Diagnostic]:
    """Yield everything in which a report is not what today's policy would make of its figures."""
    again = f"`loop evaluate {report.version}`"
    yield from _other_questions(spec, report, again)
    changed = set()
    for suite in report.suites:
        if (otherwise := _measured_otherwise(spec, suite, again)) is not None:
            changed.add(suite.suite)
            yield otherwise
    yield from _other_gates(spec, report, changed, again)
    if report.verdict is not (verdict := worst(each.verdict for each in report.gates)):
        yield Diagnostic(
            f"the report's verdict is {report.verdict.value}, and that of its gates is {verdict.value}",
            evidence=("the report was edited, or is damaged",),
            fix=f"make it again: {again}",
        )


def _other_questions(spec: Spec, report: Report, again: str) -> Iterator[Diagnostic]:
    """Hold the data sets that were asked to those that today's suites ask."""
    suites = spec.policies.evaluation.suites
    asked = {suites[each.suite].dataset for each in report.suites if each.suite in suites}
    for name in sorted(each for each in asked if each is not None):
        then, now = report.dataset_hashes.get(name), spec.datasets[name].hash or ""
        if then != now:
            yield Diagnostic(
                f"'{report.version}' was evaluated on other questions than '{name}' has today",
                evidence=(f"evaluated: {_hash(then)}", f"today:     {_hash(now)}"),
                fix=f"put it to today's questions: {again}",
            )


def _hash(value: str | None) -> str:
    return value or ("not asked" if value is None else "no hash")


def _measured_otherwise(spec: Spec, result: SuiteResult, again: str) -> Diagnostic | None:
    policy = spec.policies.evaluation
    suite = policy.suites.get(result.suite)
    if suite is None:
        return None  # its gates are told of
    alpha = alpha_of(policy, result.suite)
    if (result.kind, result.alpha) == (suite.kind, alpha):
        return None
    return Diagnostic(
        f"suite '{result.suite}' is measured otherwise today",
        evidence=(
            f"in the report: {result.kind.value}, each end of an interval wrong with a chance of {result.alpha:g}",
            f"today:         {suite.kind.value}, each end of an interval wrong with a chance of {alpha:g}",
        ),
        fix=f"measure it so: {again}",
    )


def _other_gates(spec: Spec, report: Report, changed: set[str], again: str) -> Iterator[Diagnostic]:
    """Yield the gates that end otherwise; `changed` are suites that the policy measures otherwise now."""
    then = {each.gate: each for each in report.gates}
    now = {each.gate: each for each in decide(spec.policies.evaluation, report.suites)}
    for gate in dict.fromkeys((*then, *now)):
        one, other = then.get(gate), now.get(gate)
        if one == other:
            continue
        asks_the_same = one is not None and other is not None and one.condition == other.condition
        if asks_the_same and other is not None and other.suite not in changed:
            summary = f"gate '{gate}' does not follow from the figures of its own report"
        else:
            summary = f"gate '{gate}' is not today's gate any more"
        yield Diagnostic(
            summary,
            evidence=(f"in the report:  {_told(one)}", f"today's policy: {_told(other)}"),
            fix=f"have today's gates decided: {again}",
        )


def _told(gate: GateResult | None) -> str:
    return "no such gate" if gate is None else f"{gate.verdict.value}: {gate.condition}; {gate.evidence}"
