"""Alert rules made from the policy, on the real promtool: each fires when it must, and is silent when not."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import Metric

from runner.report import alerts
from runner.report.alerts import Rule
from runner.report.exposition import Exposition
from runner.signals.reading import Holds, Reading, Snapshot
from runner.signals.readings.estimates import Estimate
from runner.signals.readings.holds import holds
from runner.spec.condition import parse
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.signals import SignalPolicy, Thresholds
from tests.cli.workbench import CHECKOUT
from tests.report import snapshots
from tests.report.prometheus import needs_prometheus, promtool

WHERE = {"arm": snapshots.reading("x", 1.0).arm, "environment": "production"}


@pytest.fixture(scope="module")
def policy() -> SignalPolicy:
    return load_or_raise(DirectoryFiles(CHECKOUT)).policies.signals


def series(snapshot: Snapshot, minutes: int = 5) -> list[dict[str, str]]:
    """Return a snapshot as promtool's input: what the monitor exports, unchanged for some minutes."""
    return [
        {"series": f"{sample.name}{_labels(sample.labels)}", "values": f"{float(sample.value)}x{minutes}"}
        for family in Exposition(snapshot).collect()
        for sample in _samples(family)
    ]


def _samples(family: Metric) -> list[Any]:
    return [sample for sample in family.samples if sample.name.startswith("loop_")]


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items() if value) + "}"


def world(readings: list[Reading], expected: dict[str, list[dict[str, str]]], **more: Any) -> dict[str, Any]:
    """Return one of promtool's tests: what is exported, and for each alert the labels with which it fires."""
    snapshot = replace(snapshots.quiet("production"), readings=tuple(readings), at=0.0)
    checks = [
        {"eval_time": "2m", "alertname": name, "exp_alerts": [{"exp_labels": labels} for labels in found]}
        for name, found in expected.items()
    ]
    return {"interval": "1m", "input_series": series(snapshot), "alert_rule_test": checks, **more}


def run(folder: Path, rules: str, tests: list[dict[str, Any]]) -> None:
    """Let promtool test rules. Annotations are left out here: the running Prometheus shows them."""
    document = yaml.safe_load(rules)
    for group in document["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(document))
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(content))
    promtool("test", "rules", str(folder / "tests.yaml"))


def labels(rule: Rule, **place: str) -> dict[str, str]:
    found = {"severity": rule.severity, "metric": rule.metric, "condition": rule.condition, "kpi": rule.kpi}
    return {name: value for name, value in (found | WHERE | place).items() if value}


def signal_rules(policy: SignalPolicy) -> list[Rule]:
    return [rule for rule in alerts.rules(policy) if rule.metric and not rule.kpi]


def test_every_threshold_and_every_alert_of_a_kpi_has_a_rule(policy: SignalPolicy) -> None:
    written = {
        (metric, name)
        for metric, signal in policy.signals.items()
        for name in Thresholds.model_fields
        if getattr(signal.thresholds, name) is not None
    }
    assert {(rule.metric, rule.condition) for rule in signal_rules(policy)} == written
    kpis = {name for name, kpi in policy.kpis.items() if kpi.alert is not None}
    assert {rule.kpi for rule in alerts.rules(policy) if rule.kpi} == kpis


def test_the_same_policy_gives_the_same_bytes_and_no_two_alerts_share_a_name(policy: SignalPolicy) -> None:
    again = SignalPolicy.model_validate(policy.model_dump())
    assert alerts.render(policy) == alerts.render(again)
    names = [rule.name for rule in alerts.rules(policy)]
    assert len(set(names)) == len(names)


def test_every_alert_says_what_is_wrong_and_where_to_read_on(policy: SignalPolicy) -> None:
    for group in yaml.safe_load(alerts.render(policy, "https://wiki.example/oncall"))["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("info", "warning", "critical")
            assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
            assert rule["annotations"]["runbook_url"] == "https://wiki.example/oncall"


def test_a_path_within_the_repository_is_told_in_words_and_never_as_a_link(policy: SignalPolicy) -> None:
    for group in yaml.safe_load(alerts.render(policy))["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "description", "runbook"}
            assert rule["annotations"]["runbook"] == alerts.RUNBOOK


def test_every_threshold_must_hold_for_a_while(policy: SignalPolicy) -> None:
    found = {
        one["alert"]: one
        for group in yaml.safe_load(alerts.render(policy))["groups"]
        for one in group["rules"]
    }
    for rule in alerts.rules(policy):
        assert rule.hold_s == alerts.HOLD_S or not rule.metric or rule.name == "LoopQualityUnknown"
        assert found[rule.name].get("for") == (f"{rule.hold_s:.0f}s" if rule.hold_s else None)


def test_an_alert_quotes_the_condition_as_the_policy_has_it(policy: SignalPolicy) -> None:
    said = {rule.name: rule.description for rule in alerts.rules(policy)}
    assert f"`{policy.signals['refusal_rate'].thresholds.warn}`" in said["LoopRefusalRateWarn"]
    assert f"`{policy.signals['proxy_reward'].thresholds.hold}`" in said["LoopProxyRewardHold"]


@needs_prometheus
def test_promtool_accepts_the_rules(policy: SignalPolicy, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(alerts.render(policy))
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "rules.yaml"))
    assert f"SUCCESS: {len(alerts.rules(policy))} rules found" in said


@needs_prometheus
def test_each_rule_of_a_signal_fires_for_its_own_condition_alone(
    policy: SignalPolicy, tmp_path: Path
) -> None:
    """One world for each rule: its condition certainly holds for the candidate; every other alert stays silent."""
    every = signal_rules(policy)
    tests = []
    for rule in every:
        yes, unsure = ((rule.condition, Holds.YES),), ((rule.condition, Holds.UNSURE),)
        readings = [
            snapshots.reading(rule.metric, 1.0, arm="candidate", version="v2", conditions=yes),
            snapshots.reading(rule.metric, 1.0, arm="baseline", version="v1", conditions=unsure),
            snapshots.reading(rule.metric, 1.0, conditions=((rule.condition, Holds.NO),)),
        ]
        expected: dict[str, list[dict[str, str]]] = {other.name: [] for other in every}
        expected[rule.name] = [labels(rule, arm="candidate", version="v2")]
        tests.append(world(readings, expected))
    run(tmp_path, alerts.render(policy), tests)


@needs_prometheus
def test_one_cause_in_many_segments_is_one_alert_and_only_once_it_lasted(
    policy: SignalPolicy, tmp_path: Path
) -> None:
    (rule,) = (one for one in alerts.rules(policy) if one.name == "LoopRefusalRateWarn")
    yes = (("warn", Holds.YES),)
    everywhere = [
        snapshots.reading(rule.metric, 1.0, segment=segment, conditions=yes)
        for segment in ("", "beta", "staff", "visitors")
    ]
    early = {"eval_time": "1m", "alertname": rule.name, "exp_alerts": []}
    found = world(everywhere, {rule.name: [labels(rule)]})
    found["alert_rule_test"].append(early)
    only_a_segment = world(everywhere[1:], {rule.name: []})
    run(tmp_path, alerts.render(policy), [found, only_a_segment])


@needs_prometheus
def test_no_rule_of_a_signal_fires_while_its_condition_is_unsure_or_nothing_is_measured(
    policy: SignalPolicy, tmp_path: Path
) -> None:
    every = signal_rules(policy)
    unsure = [
        snapshots.reading(metric, 0.5, conditions=tuple((n, Holds.UNSURE) for n in Thresholds.model_fields))
        for metric in policy.signals
    ]
    empty = [snapshots.empty(metric) for metric in policy.signals]
    silent: dict[str, list[dict[str, str]]] = {rule.name: [] for rule in every}
    run(tmp_path, alerts.render(policy), [world(unsure, silent), world(empty, silent)])


@needs_prometheus
def test_the_alert_of_a_kpi_fires_once_the_whole_interval_is_beyond_it(
    policy: SignalPolicy, tmp_path: Path
) -> None:
    rule = next(rule for rule in alerts.rules(policy) if rule.kpi == "error-rate")
    certain = snapshots.reading("error_rate", 0.03, 0.021, 0.04)
    touching = snapshots.reading("error_rate", 0.03, 0.02, 0.04)
    of_one_arm = snapshots.reading("error_rate", 0.03, 0.021, 0.04, arm="candidate", version="v2")
    tests = [
        world([certain], {rule.name: [labels(rule)]}),
        world([touching], {rule.name: []}),
        world([of_one_arm], {rule.name: []}),
        world([snapshots.reading("error_rate", 0.03)], {rule.name: []}),
        world([snapshots.empty("error_rate")], {rule.name: []}),
    ]
    run(tmp_path, alerts.render(policy), tests)


@needs_prometheus
def test_a_silent_or_stuck_monitor_calls_somebody(policy: SignalPolicy, tmp_path: Path) -> None:
    by_name = {rule.name: rule for rule in alerts.rules(policy)}
    gone, stale = by_name["LoopMonitorGone"], by_name["LoopMeasurementStale"]
    measured = 'loop_measured_timestamp_seconds{environment="production"}'

    def at(time: str, name: str, *found: dict[str, str]) -> dict[str, Any]:
        return {"eval_time": time, "alertname": name, "exp_alerts": [{"exp_labels": one} for one in found]}

    def of(values: str, *checks: dict[str, Any]) -> dict[str, Any]:
        inputs = [{"series": measured, "values": values}] if values else []
        return {"interval": "1m", "input_series": inputs, "alert_rule_test": list(checks)}

    critical = {"severity": "critical"}
    tests = [
        of("0+60x60", at("60m", gone.name), at("60m", stale.name)),
        of("", at("1m", gone.name), at("10m", gone.name, critical)),
        of("0x20", at("4m", stale.name), at("6m", stale.name, labels(stale)), at("6m", gone.name)),
        of("0+60x5 stale", at("5m", gone.name), at("30m", gone.name, labels(gone), critical)),
    ]
    run(tmp_path, alerts.render(policy), tests)


@needs_prometheus
def test_a_log_that_nothing_checks_is_told_only_while_requests_come(
    policy: SignalPolicy, tmp_path: Path
) -> None:
    (rule,) = (rule for rule in alerts.rules(policy) if rule.name == "LoopQualityUnknown")
    unchecked, checked = snapshots.empty("data_quality"), snapshots.reading("data_quality", 1.0, n=100)
    busy, idle = snapshots.reading("error_rate", 0.0, n=100), snapshots.empty("error_rate")

    def of(*readings: Reading, fires: bool) -> dict[str, Any]:
        its = {"metric": "data_quality", "level": "no data"}
        found = [{"severity": rule.severity, "environment": "production", **its}] if fires else []
        snapshot = replace(snapshots.quiet("production"), readings=readings, at=0.0)
        check = {
            "eval_time": "15m",
            "alertname": rule.name,
            "exp_alerts": [{"exp_labels": one} for one in found],
        }
        return {"interval": "1m", "input_series": series(snapshot, 20), "alert_rule_test": [check]}

    tests = [
        of(unchecked, busy, fires=True),
        of(checked, busy, fires=False),
        of(unchecked, idle, fires=False),
    ]
    run(tmp_path, alerts.render(policy), tests)


METRICS = ("error_rate", "refusal_rate", "reask_rate")
ENDS = (0.0, 0.1, 0.2, 0.4)
LEAVES = [
    f"{{metric}} {operator} {bound}"
    for operator in ("<", "<=", ">", ">=")
    for bound in ("10%", "20%", "baseline", "baseline * 0.5", "baseline * 2")
]


def tree(dice: random.Random, depth: int) -> str:
    """Return a random condition: comparisons under AND, OR and NOT."""
    shape = dice.choice(["leaf", "not", "and", "or"]) if depth else "leaf"
    match shape:
        case "leaf":
            return dice.choice(LEAVES).format(metric=dice.choice(METRICS))
        case "not":
            return f"NOT ({tree(dice, depth - 1)})"
        case _:
            return f"({tree(dice, depth - 1)}) {shape.upper()} ({tree(dice, depth - 1)})"


@needs_prometheus
def test_a_condition_written_as_promql_is_as_true_as_the_monitor_finds_it(tmp_path: Path) -> None:
    """In 60 worlds of intervals with common ends every comparison, its opposite and some trees are asked of both."""
    dice = random.Random(20261121)
    said: set[Holds] = set()
    tests = []
    for _ in range(60):
        ends = {
            (metric, arm): sorted(dice.choices(ENDS, k=2)) for metric in METRICS for arm in ("", "baseline")
        }
        of, baseline = (
            {metric: Estimate(0.1, *ends[metric, arm], 100) for metric in METRICS} for arm in ("", "baseline")
        )
        simple = [leaf.format(metric="error_rate") for leaf in LEAVES]
        checks = []
        for text in (*simple, *(f"NOT {leaf}" for leaf in simple), *(tree(dice, 3) for _ in range(10))):
            expression = parse(text).expression
            truth = holds(expression, of.__getitem__, baseline.__getitem__)
            said.add(truth)
            samples = [{"labels": '{environment="production"}', "value": 1}] if truth is Holds.YES else []
            query = f"count by (environment) ({alerts.certain(expression)})"
            checks.append({"expr": query, "eval_time": "2m", "exp_samples": samples})
        readings = [
            snapshots.reading(metric, 0.1, low, high, arm=arm, version="v1" if arm else "")
            for (metric, arm), (low, high) in ends.items()
        ]
        found = world(readings, {}, promql_expr_test=checks)
        bounds = [each for each in found["input_series"] if "_bound_" in each["series"]]
        tests.append({**found, "input_series": bounds})
    assert said == set(Holds)
    run(tmp_path, "groups: []", tests)
