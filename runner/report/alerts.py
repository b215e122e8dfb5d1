"""Prometheus alert rules from `policies/signals.yaml`, for `loop signals rules`.

The monitor decides whether a condition holds for the whole interval and exports that (`exposition.CONDITION`); a rule
fires on it, so that an alert and `loop signals` never disagree; `for:` only keeps a verdict at the very edge, which
comes and goes from pass to pass, from paging. Segments fire none: one cause is one alert, not one for each. A KPI's
condition is no signal's, so it is written out over the exported intervals by the same three-valued logic. Values in,
text out; the same policy gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, assert_never

import yaml

from runner.report import exposition
from runner.spec import quantity
from runner.spec.expression import And, Baseline, Comparison, Constant, Expression, Not, Operator, Or
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension
from runner.spec.signals import SignalPolicy, Thresholds

RUNBOOK = "docs/guides/oncall.md#a-signal-alerts"
HOLD_S = 120.0
"""How long a condition must hold before its alert fires: many passes of the monitor."""
STALE_S = 300.0
"""Age of a measurement from which nobody should trust it; the monitor measures every few seconds."""
SEVERITIES = {"warn": "warning", "hold": "warning", "retrain": "info", "alert": "critical"}
CONSEQUENCES = {
    "warn": "nothing else follows: somebody should look",
    "hold": "the rollout keeps its stage",
    "retrain": "it counts as a reason to train",
    "alert": "the team is steered by this figure",
}
HEAD = """\
# Generated from policies/signals.yaml by `loop signals rules --write`; do not edit. Load it under `rule_files:`.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert: when it fires (`expression`, PromQL), and what it says. `metric` is "" for those about the monitor."""

    name: str
    expression: str
    severity: str
    summary: str
    description: str
    metric: str = ""
    condition: str = ""
    kpi: str = ""
    hold_s: float = 0.0
    """How long it must be so before the alert fires."""


def rules(policy: SignalPolicy) -> tuple[Rule, ...]:
    """Return the alerts of a policy: of its signals in their order, its KPIs, and the monitor itself."""
    return (*_signals(policy), *_kpis(policy), *_monitor())


def render(policy: SignalPolicy, runbook: str = RUNBOOK) -> str:
    """Return the file for Prometheus's `rule_files`; `runbook` is where every alert says to read on.

    It becomes a link (`runbook_url`) where it is a full address; a path within this repository stays words.
    """
    groups: dict[str, list[dict[str, Any]]] = {"loop-signals": [], "loop-kpis": [], "loop-monitor": []}
    for rule in rules(policy):
        group = "loop-monitor" if not rule.metric else "loop-kpis" if rule.kpi else "loop-signals"
        groups[group].append(_document(rule, runbook))
    document = {"groups": [{"name": name, "rules": found} for name, found in groups.items() if found]}
    return HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)


def condition_query(metric: str, condition: str) -> str:
    """Return the PromQL whose series are where a condition of a signal certainly holds: all together, or an arm."""
    return f'{exposition.CONDITION}{{metric="{metric}",condition="{condition}",segment=""}} == 1'


def _document(rule: Rule, runbook: str) -> dict[str, Any]:
    labels = {
        "severity": rule.severity,
        "metric": rule.metric,
        "condition": rule.condition,
        "kpi": rule.kpi,
    }
    found: dict[str, Any] = {"alert": rule.name, "expr": rule.expression}
    if rule.hold_s:
        found["for"] = f"{rule.hold_s:.0f}s"
    found["labels"] = {name: value for name, value in labels.items() if value}
    found["annotations"] = {
        "summary": rule.summary,
        "description": rule.description,
        "runbook_url" if "://" in runbook else "runbook": runbook,
    }
    return found


def _signals(policy: SignalPolicy) -> Iterator[Rule]:
    for metric, signal in policy.signals.items():
        for name in Thresholds.model_fields:
            condition = getattr(signal.thresholds, name)
            if condition is not None:
                yield Rule(
                    name=f"Loop{_camel(metric)}{name.capitalize()}",
                    expression=condition_query(metric, name),
                    severity=SEVERITIES[name],
                    summary=f"{metric} of {_WHERE}: {_query(exposition.family(metric), metric)}",
                    description=_says(metric, name, str(condition)),
                    metric=metric,
                    condition=name,
                    hold_s=HOLD_S,
                )


def _kpis(policy: SignalPolicy) -> Iterator[Rule]:
    for name, kpi in policy.kpis.items():
        if kpi.alert is not None:
            value = _query(exposition.family(kpi.metric), kpi.metric, alone=True)
            yield Rule(
                name=f"Loop{_camel(name)}Kpi",
                expression=certain(kpi.alert.expression),
                severity=SEVERITIES["alert"],
                summary=f"KPI {name} of {{{{ $labels.environment }}}}: {value}",
                description=_says(kpi.metric, "alert", str(kpi.alert), alone=True),
                metric=kpi.metric,
                condition="alert",
                kpi=name,
                hold_s=HOLD_S,
            )


def _monitor() -> Iterator[Rule]:
    at = exposition.MEASURED
    yield Rule(
        name="LoopMonitorGone",
        expression=f"absent({at}) or (last_over_time({at}[1d]) unless {at})",
        severity="critical",
        summary="no signals arrive from the monitor{{ with $labels.environment }} of {{ . }}{{ end }}",
        description="Prometheus gets no measurements: the monitor is down, or is not scraped. No alert of a signal "
        "can fire meanwhile; rollbacks do not depend on it.",
        hold_s=120.0,
    )
    yield Rule(
        name="LoopMeasurementStale",
        expression=f"time() - {at} > {STALE_S:.0f}",
        severity="critical",
        summary="signals of {{ $labels.environment }} were last measured {{ $value | humanizeDuration }} ago",
        description=f"The monitor answers and measures nothing: it should every few seconds, and has not for over "
        f"{quantity.show(STALE_S, Dimension.DURATION)}. Look at its output and at the event log's disk.",
    )
    yield Rule(
        name="LoopQualityUnknown",
        expression=f'{exposition.LEVEL}{{metric="data_quality",arm="",segment="",level="no data"}} == 1 '
        f"and on (environment) sum by (environment) "
        f'({exposition.SAMPLES}{{metric="error_rate",arm="",segment=""}}) > 0',
        severity="warning",
        summary="nothing checks the request log of {{ $labels.environment }}",
        description="Requests are answered, and the quality of their log was not measured in its window: every "
        "other signal rests on that log.",
        hold_s=600.0,
    )


# --- texts -----------------------------------------------------------------------------------------------------------

_WHERE = (
    "{{ with $labels.arm }}{{ . }}{{ else }}all arms{{ end }}"
    "{{ with $labels.version }} ({{ . }}){{ end }}"
    " in {{ $labels.environment }}"
)
_PRINTED = {
    Dimension.RATIO: "humanizePercentage",
    Dimension.DURATION: "humanizeDuration",
}


def _query(series: str, metric: str, alone: bool = False, bound: str = "") -> str:
    """Return template code that prints the value of the alert's own series of a family; a dash where there is none."""
    labels = ["environment=%q"] if alone else [f"{name}=%q" for name in exposition.PLACE]
    if alone:
        labels += ['arm=\\"\\"', 'version=\\"\\"', 'segment=\\"\\"']
    if bound:
        labels.append(f'bound=\\"{bound}\\"')
    names = ("environment",) if alone else exposition.PLACE
    arguments = " ".join(f"$labels.{name}" for name in names)
    printed = _PRINTED.get(METRICS[metric].dimension, 'printf "%.4g"')
    return (
        f'{{{{ with printf "{series}{{{",".join(labels)}}}" {arguments} | query }}}}'
        f"{{{{ . | first | value | {printed} }}}}{{{{ else }}}}-{{{{ end }}}}"
    )


def _measured(metric: str, alone: bool = False) -> str:
    value = _query(exposition.family(metric), metric, alone)
    low, high = (_query(exposition.bound_family(metric), metric, alone, end) for end in ("lower", "upper"))
    return f"{value} [{low} to {high}]"


def _says(metric: str, name: str, condition: str, alone: bool = False) -> str:
    meaning = METRICS[metric].meaning
    return (
        f"{metric} ({meaning}): {_measured(metric, alone)}. "
        f"The whole interval fulfils `{condition}`; {CONSEQUENCES[name]}."
    )


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace("-", "_").split("_"))


# --- conditions as PromQL --------------------------------------------------------------------------------------------


def certain(expression: Expression) -> str:
    """Return PromQL with a series for each environment in which an expression holds for the whole interval.

    Of all arms and segments together; `baseline` is the arm of that name. What has no interval is not certain.
    """
    return _certain(expression, True)


def _certain(expression: Expression, wanted: bool) -> str:
    match expression:
        case Comparison():
            return _compared(expression, wanted)
        case Not(part):
            return _certain(part, not wanted)
        case And(parts) | Or(parts):
            every = isinstance(expression, And) is wanted
            joined = " and on (environment) " if every else " or on (environment) "
            return joined.join(f"({_certain(part, wanted)})" for part in parts)
        case _:
            assert_never(expression)


_OPPOSITE = {
    Operator.GREATER: Operator.AT_MOST,
    Operator.AT_LEAST: Operator.LESS,
    Operator.LESS: Operator.AT_LEAST,
    Operator.AT_MOST: Operator.GREATER,
}


def _compared(comparison: Comparison, wanted: bool) -> str:
    operator = comparison.operator if wanted else _OPPOSITE[comparison.operator]
    upwards = operator in (Operator.GREATER, Operator.AT_LEAST)
    nearer, farther = ("lower", "upper") if upwards else ("upper", "lower")
    mine = _bound(comparison.metric, "", nearer, "max" if upwards else "min")
    match comparison.bound:
        case Constant(value):
            return f"{mine} {operator.value} {value!r}"
        case Baseline(factor):
            other = _bound(comparison.metric, "baseline", farther, "max" if upwards else "min")
            scaled = other if factor == 1.0 else f"{factor!r} * {other}"
            return f"{mine} {operator.value} on (environment) {scaled}"
        case _:
            assert_never(comparison.bound)


def _bound(metric: str, arm: str, end: str, of: str) -> str:
    """Return one end of a metric's interval by environment; of several baseline versions the hardest to beat."""
    name = exposition.bound_family(metric)
    return f'{of} by (environment) ({name}{{arm="{arm}",segment="",bound="{end}"}})'
