"""Signals, gates and conditions: that what a rule names is measured, and on data that fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from runner.errors import Diagnostic, Location
from runner.spec.cadence import CadencePolicy
from runner.spec.checks.versions import unknown
from runner.spec.condition import Condition
from runner.spec.dataset import Role
from runner.spec.evaluation import Arbiter, EvaluationPolicy, Judge, Suite, SuiteKind
from runner.spec.explain import listing, suggestion
from runner.spec.files import Files
from runner.spec.metric import METRICS
from runner.spec.parse import Parsed
from runner.spec.rollout import RolloutPolicy
from runner.spec.signals import (
    Drift,
    EmbeddingShift,
    Factual,
    Paired,
    Quantile,
    Signal,
    SignalPolicy,
    Similarity,
)
from runner.spec.source import Document, KeyPath

MEASURED_BY: Mapping[SuiteKind, frozenset[str]] = {
    SuiteKind.REGRESSION: frozenset({"accuracy", "over_refusal_rate", "answer_tokens"}),
    SuiteKind.OOD: frozenset({"accuracy", "refusal_accuracy", "refusal_rate"}),
    SuiteKind.ADVERSARIAL: frozenset({"accuracy", "refusal_accuracy", "refusal_rate"}),
    SuiteKind.FORGETTING: frozenset({"forgetting", "forgetting_parent", "forgetting_base"}),
    SuiteKind.WIN_RATE: frozenset({"win_rate", "win_rate_length_controlled"}),
    SuiteKind.PARITY: frozenset({"parity"}),
    SuiteKind.LOAD: frozenset({"error_rate"}) | {name for name in METRICS if re.search(r"_p\d+$", name)},
    SuiteKind.HARNESS: frozenset({"accuracy"}),
}
"""Which metrics a suite of each kind yields."""

_ROLES = {
    SuiteKind.REGRESSION: (Role.REGRESSION,),
    SuiteKind.OOD: (Role.OOD,),
    SuiteKind.ADVERSARIAL: (Role.ADVERSARIAL,),
}


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield everything that is wrong between rules, measures and data."""
    del files
    signals = parsed.policy(SignalPolicy)
    if signals is not None:
        yield from _signals(parsed, signals)
        yield from _kpis(parsed, signals)
        yield from _conditions(parsed, signals)
    evaluation = parsed.policy(EvaluationPolicy)
    if evaluation is not None:
        yield from _suites(parsed, evaluation)
        yield from _gates(parsed, evaluation)
        yield from _judge(parsed, evaluation)


def _signals(parsed: Parsed, policy: SignalPolicy) -> Iterator[Diagnostic]:
    document = parsed.document("policies/signals")
    for name, signal in policy.signals.items():
        path = ("signals", name)
        if name not in METRICS:
            yield _unknown_metric(name, METRICS, document.key(*path))
        elif isinstance(signal.detector, Quantile) and not re.search(r"_p\d+$", name):
            fix = "measure it with another detector, or name a percentile such as 'latency_p99'"
            where = document.at(*path, "detector", "kind")
            yield Diagnostic(f"the metric '{name}' is no percentile", where, (), fix)
        for consequence in ("warn", "hold", "retrain"):
            condition = getattr(signal.thresholds, consequence)
            yield from _measured(condition, policy, document, (*path, "thresholds", consequence))
        yield from _detector(parsed, signal, document, (*path, "detector"))


def _unknown_metric(name: str, known: Iterable[str], where: Location) -> Diagnostic:
    known = list(known)
    return Diagnostic(f"unknown metric '{name}'", where, (listing(known),), suggestion(name, known))


def _detector(parsed: Parsed, signal: Signal, document: Document, path: KeyPath) -> Iterator[Diagnostic]:
    detector = signal.detector
    evaluation = parsed.policy(EvaluationPolicy)
    if isinstance(detector, Factual | Drift | EmbeddingShift):
        yield from _dataset(parsed, detector.reference, (Role.REFERENCE,), document.at(*path, "reference"))
    if isinstance(detector, Paired) and evaluation is not None and detector.suite not in evaluation.suites:
        yield unknown("suite", detector.suite, frozenset(evaluation.suites), document.at(*path, "suite"))
    wants_judge = getattr(detector, "similarity", None) is Similarity.JUDGE
    if wants_judge and evaluation is not None and not isinstance(evaluation.judge, Judge):
        where = document.at(*path, "similarity")  # simulated customers compare for liking, not for sameness
        fix = "add 'judge' with a 'base_url' to policies/evaluation.yaml, or compare in another way"
        yield Diagnostic("there is no judge to ask", where, (), fix)


def _dataset(parsed: Parsed, name: str, roles: tuple[Role, ...], where: Location) -> Iterator[Diagnostic]:
    if name not in parsed.names["datasets"]:
        yield unknown("dataset", name, parsed.names["datasets"], where)
    elif (dataset := parsed.datasets.get(name)) is not None and roles and dataset.role not in roles:
        fitting = frozenset(key for key, other in parsed.datasets.items() if other.role in roles)
        summary = f"data set '{name}' has the role {dataset.role.value}, and this needs {roles[0].value}"
        yield Diagnostic(
            summary, where, (f"fitting: {', '.join(sorted(fitting)) or 'none'}",), "name a fitting one"
        )


def _kpis(parsed: Parsed, policy: SignalPolicy) -> Iterator[Diagnostic]:
    document = parsed.document("policies/signals")
    for name, kpi in policy.kpis.items():
        path: KeyPath = ("kpis", name)
        if kpi.metric not in policy.signals:
            yield _unknown_metric(kpi.metric, policy.signals, document.at(*path, "metric"))
        if kpi.target is None and kpi.trend is None:
            where = document.key(*path)
            yield Diagnostic(f"KPI '{name}' has neither a target nor a trend", where, (), "add one of them")
        for key in ("target", "alert"):
            condition: Condition | None = getattr(kpi, key)
            yield from _measured(condition, policy, document, (*path, key))
            if condition is not None and any(leaf.metric != kpi.metric for leaf in condition.comparisons()):
                where = document.at(*path, key)
                yield Diagnostic(
                    f"this speaks of another metric than '{kpi.metric}'", where, (condition.text,), None
                )


def _conditions(parsed: Parsed, policy: SignalPolicy) -> Iterator[Diagnostic]:
    """Conditions of other policies: what they name must be measured, or they could never be decided."""
    rollout, cadence = parsed.policy(RolloutPolicy), parsed.policy(CadencePolicy)
    if rollout is not None:
        document = parsed.document("policies/rollout")
        for name, condition in rollout.always.items():
            yield from _decidable(condition, policy, document, ("always", name))
        for i, stage in enumerate(rollout.stages):
            yield from _decidable(stage.rollback_if, policy, document, ("stages", i, "rollback_if"))
    if cadence is not None:
        document = parsed.document("policies/cadence")
        yield from _measured(cadence.skip.unneeded_if, policy, document, ("skip", "unneeded_if"))


def _decidable(
    condition: Condition | None, policy: SignalPolicy, document: Document, path: KeyPath
) -> Iterator[Diagnostic]:
    """Conditions of a rollout: single answers must show what they name, or they could never be proven in time."""
    named = condition.comparisons() if condition is not None else ()
    late = [leaf.metric for leaf in named if not METRICS[leaf.metric].in_rollout]
    if condition is None or not late:
        yield from _measured(condition, policy, document, path)
        return
    fix = "name one of these, or ask for it in a gate of policies/evaluation.yaml"
    evidence = (condition.text, f"these can: {', '.join(sorted(_IN_ROLLOUT))}")
    for metric in dict.fromkeys(late):
        summary = f"no rollout can be decided on '{metric}': it is not measured on single answers"
        yield Diagnostic(summary, document.at(*path), evidence, fix)


_IN_ROLLOUT = tuple(name for name, metric in METRICS.items() if metric.in_rollout)


def _measured(
    condition: Condition | None, policy: SignalPolicy, document: Document, path: KeyPath
) -> Iterator[Diagnostic]:
    if condition is None:
        return
    for metric in dict.fromkeys(leaf.metric for leaf in condition.comparisons()):
        if metric not in policy.signals:
            fix = f"add the signal '{metric}' to policies/signals.yaml, or leave it out of the condition"
            yield Diagnostic(f"nothing measures '{metric}'", document.at(*path), (condition.text,), fix)


def _suites(parsed: Parsed, policy: EvaluationPolicy) -> Iterator[Diagnostic]:
    document = parsed.document("policies/evaluation")
    for name, suite in policy.suites.items():
        path = ("suites", name)
        yield from _parts(suite, name, document, path)
        yield from _arbiter(policy, suite, document, path)
        if suite.dataset is not None:
            where = document.at(*path, "dataset")
            yield from _dataset(parsed, suite.dataset, _ROLES.get(suite.kind, ()), where)


def _parts(suite: Suite, name: str, document: Document, path: KeyPath) -> Iterator[Diagnostic]:
    """Which keys a kind of suite needs, and which mean nothing to it."""
    harness, load = suite.kind is SuiteKind.HARNESS, suite.kind is SuiteKind.LOAD
    by_votes = suite.kind is SuiteKind.WIN_RATE and suite.arbiter is Arbiter.VOTES
    for key, present, wanted in (
        ("dataset", suite.dataset is not None, not harness and not by_votes),
        ("tasks", bool(suite.tasks), harness),
        ("load", suite.load is not None, load),
    ):
        if present and not wanted:
            decided = " that votes decide" if by_votes else ""
            summary = f"'{key}' means nothing to a suite of kind {suite.kind.value}{decided}"
            yield Diagnostic(summary, document.key(*path, key), (), f"remove '{key}'")
        elif wanted and not present:
            summary = f"suite '{name}' is of kind {suite.kind.value} and needs '{key}'"
            yield Diagnostic(summary, document.key(*path), (), f"add '{key}: ...'")


def _arbiter(
    policy: EvaluationPolicy, suite: Suite, document: Document, path: KeyPath
) -> Iterator[Diagnostic]:
    """Who decides which answer is better: only where that is asked, and somebody who is there."""
    if suite.kind is not SuiteKind.WIN_RATE:
        if "arbiter" in suite.model_fields_set:
            summary = f"'arbiter' means nothing to a suite of kind {suite.kind.value}"
            yield Diagnostic(summary, document.key(*path, "arbiter"), (), "remove 'arbiter'")
    elif suite.arbiter is Arbiter.JUDGE and policy.judge is None:
        said = "arbiter" in suite.model_fields_set
        where = document.at(*path, "arbiter") if said else document.key(*path)
        summary = f"suite '{path[-1]}' is decided by a judge, and the policy names none"
        fix = "add 'judge: ...', or write 'arbiter: votes' or 'arbiter: reference'"
        yield Diagnostic(summary, where, (), fix)


def _gates(parsed: Parsed, policy: EvaluationPolicy) -> Iterator[Diagnostic]:
    document = parsed.document("policies/evaluation")
    for name, gate in policy.gates.items():
        suite = policy.suites.get(gate.suite)
        if suite is None:
            where = document.at("gates", name, "suite")
            yield unknown("suite", gate.suite, frozenset(policy.suites), where)
            continue
        yielded = MEASURED_BY[suite.kind]
        for leaf in gate.require.comparisons():
            if leaf.metric not in yielded:
                where = document.at("gates", name, "require")
                summary = f"suite '{gate.suite}' does not measure '{leaf.metric}'"
                yield Diagnostic(
                    summary, where, (f"it measures: {', '.join(sorted(yielded))}",), "name one of these"
                )


def _judge(parsed: Parsed, policy: EvaluationPolicy) -> Iterator[Diagnostic]:
    if policy.judge is not None:
        where = parsed.document("policies/evaluation").at("judge", "calibration")
        yield from _dataset(parsed, policy.judge.calibration, (Role.PREFERENCES,), where)
