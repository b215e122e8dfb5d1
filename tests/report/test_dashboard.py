"""The dashboard and the alerts on a real Prometheus that scraped what the monitor and a gateway export."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from runner.report import alerts, dashboard, exposition, grafana
from runner.report.usage import Usage
from runner.serving.gateway.metrics import Live
from runner.serving.gateway.metrics import Metrics as GatewayMetrics
from runner.signals.reading import Holds, Snapshot
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.signals import SignalPolicy
from tests.cli.workbench import CHECKOUT
from tests.doubles.event_files import request
from tests.report import snapshots
from tests.report.prometheus import Prometheus, needs_prometheus, running, serving
from tests.waiting import until

ASKED = (
    request(
        1, loop__environment="production", gen_ai__response__model="chat-v1.0", gen_ai__request__stream=True
    ),
    request(
        2,
        loop__environment="production",
        loop__arm="candidate",
        loop__version="chat-v1.1",
        loop__version__assigned="chat-v1.1",
        loop__overhead_ms=0.2,
        loop__fell_back=True,
        gen_ai__response__model="chat-v1.1",
    ),
)


@pytest.fixture(scope="module")
def policy() -> SignalPolicy:
    return load_or_raise(DirectoryFiles(CHECKOUT)).policies.signals


def measured(policy: SignalPolicy) -> Snapshot:
    return snapshots.with_condition(snapshots.complete(policy), "consistency", "hold", Holds.UNSURE)


def gateway_text() -> bytes:
    nothing = MappingProxyType({})
    live = Live(
        nothing, lambda: {}, nothing, lambda: {"http://127.0.0.1:1": True}, lambda: 7, lambda: 1, lambda: 2
    )
    metrics = GatewayMetrics(live)
    for event in ASKED:
        metrics.answered({"loop.overhead_ms": 0.1, **event})
    return metrics.text()


@pytest.fixture(scope="module")
def prometheus(policy: SignalPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    usage = Usage(time.time())
    usage.add(ASKED)
    pages = {
        "/metrics": lambda: exposition.text(replace(measured(policy), at=time.time())) + usage.text(),
        "/gateway": gateway_text,
    }
    with (
        serving(pages) as target,
        running(tmp_path_factory.mktemp("prometheus"), target, tuple(pages), at_once(policy)) as server,
    ):
        until(lambda: server.scraped(3), "three scrapes of each page")
        until(lambda: bool(server.series('ALERTS{alertstate="firing"}')), "an alert")
        yield server


def at_once(policy: SignalPolicy) -> str:
    """Return the rules without the time that they wait: that promtool tests, which need not wait for it."""
    document = yaml.safe_load(alerts.render(policy))
    for group in document["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return yaml.safe_dump(document)


def panels(policy: SignalPolicy) -> list[dict[str, Any]]:
    document = json.loads(dashboard.render(policy))
    return [panel for panel in document["panels"] if panel["type"] != "row"]


@needs_prometheus
def test_every_query_of_the_dashboard_is_answered_with_data(
    policy: SignalPolicy, prometheus: Prometheus
) -> None:
    dead = []
    for panel in panels(policy):
        for target in panel["targets"]:
            asked = target["expr"].replace("$environment", "production").replace("$__rate_interval", "1m")
            if not prometheus.series(asked):
                dead.append((panel["title"], asked))
    assert dead == []


@needs_prometheus
def test_every_label_that_a_legend_names_is_one_of_the_series(
    policy: SignalPolicy, prometheus: Prometheus
) -> None:
    for panel in panels(policy):
        for target in panel["targets"]:
            asked = target["expr"].replace("$environment", "production").replace("$__rate_interval", "1m")
            known = {label for series in prometheus.series(asked) for label in series["metric"]}
            named = {part.partition("}}")[0] for part in target["legendFormat"].split("{{")[1:]}
            assert named <= known | {"version"}, (panel["title"], named, known)


@needs_prometheus
def test_the_variable_finds_the_environment(policy: SignalPolicy, prometheus: Prometheus) -> None:
    (variable,) = (
        one
        for one in json.loads(dashboard.render(policy))["templating"]["list"]
        if one["name"] == "environment"
    )
    series, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
    assert prometheus.ask(f"label/{label}/values", **{"match[]": series}) == ["production"]


@needs_prometheus
def test_prometheus_loads_every_rule_and_evaluates_it(policy: SignalPolicy, prometheus: Prometheus) -> None:
    until(lambda: {rule["health"] for rule in _rules(prometheus)} == {"ok"}, "an evaluation of every rule")
    assert {rule["name"] for rule in _rules(prometheus)} == {rule.name for rule in alerts.rules(policy)}
    assert all(not rule.get("lastError") for rule in _rules(prometheus))


def _rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]


@needs_prometheus
def test_exactly_the_conditions_that_certainly_hold_fire(
    policy: SignalPolicy, prometheus: Prometheus
) -> None:
    expected = {
        (each.metric, name, each.arm)
        for each in measured(policy).readings
        for name, holds in each.conditions
        if holds is Holds.YES and not each.segment
    }
    fired = {
        (one["labels"]["metric"], one["labels"]["condition"], one["labels"].get("arm", ""))
        for one in prometheus.ask("alerts")["alerts"]
        if one["state"] == "firing" and "condition" in one["labels"]
    }
    assert fired == expected


@needs_prometheus
def test_an_alert_tells_the_value_its_interval_the_threshold_and_the_runbook(
    policy: SignalPolicy, prometheus: Prometheus
) -> None:
    said = {
        (one["labels"]["alertname"], one["labels"].get("arm")): one["annotations"]
        for one in prometheus.ask("alerts")["alerts"]
    }
    refusal = said["LoopRefusalRateWarn", "candidate"]
    assert refusal["summary"] == "refusal_rate of candidate (chat-v1.1) in production: 19.8%"
    assert "19.8% [16.6% to 23.3%]" in refusal["description"]
    assert f"`{policy.signals['refusal_rate'].thresholds.warn}`" in refusal["description"]
    assert refusal["runbook"] == alerts.RUNBOOK
    assert said["LoopLatencyP99Warn", None]["summary"] == "latency_p99 of all arms in production: 2.61s"
    assert said["LoopInputDriftHold", None]["description"].count("[0.118 to ") == 1


@needs_prometheus
def test_percentiles_over_arms_are_those_of_the_histograms_together(prometheus: Prometheus) -> None:
    (found,) = prometheus.series(
        "histogram_quantile(0.5, sum by (le) (loop_latency_distribution_seconds_bucket))"
    )
    assert 0.25 < float(found["value"][1]) <= 0.5


def test_the_four_quality_signals_come_first(policy: SignalPolicy) -> None:
    titles = [panel["title"] for panel in panels(policy)]
    first = ["refusal_rate", "over_refusal_rate", "reask_rate", "consistency", "factuality", "satisfaction"]
    assert titles[:6] == first


def test_every_signal_of_the_policy_has_exactly_one_panel_with_its_thresholds(policy: SignalPolicy) -> None:
    found = panels(policy)
    for metric, signal in policy.signals.items():
        (panel,) = (panel for panel in found if panel["title"] == metric)
        for condition in (signal.thresholds.warn, signal.thresholds.hold, signal.thresholds.retrain):
            assert condition is None or f"`{condition}`" in panel["description"]


@pytest.mark.parametrize(
    ("metric", "steps"),
    [
        ("refusal_rate", [(None, "green"), (0.15, "yellow"), (0.25, "red")]),
        ("consistency", [(None, "orange"), (0.4, "yellow"), (0.6, "green")]),
        ("answer_tokens", [(None, "green")]),
    ],
)
def test_colours_change_where_the_policy_says(
    policy: SignalPolicy, metric: str, steps: list[tuple[float | None, str]]
) -> None:
    (panel,) = (panel for panel in panels(policy) if panel["title"] == metric)
    found = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in found] == steps


def test_a_policy_with_fewer_signals_gives_a_dashboard_with_fewer_panels(policy: SignalPolicy) -> None:
    smaller = policy.model_copy(update={"signals": {"parity": policy.signals["parity"]}, "kpis": {}})
    titles = [panel["title"] for panel in panels(smaller)]
    assert "parity" in titles and "refusal_rate" not in titles


def test_panels_have_ids_of_their_own_and_do_not_overlap(policy: SignalPolicy) -> None:
    document = json.loads(dashboard.render(policy))
    assert document["schemaVersion"] == grafana.SCHEMA_VERSION
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def test_the_same_policy_gives_the_same_bytes(policy: SignalPolicy) -> None:
    assert dashboard.render(policy) == dashboard.render(SignalPolicy.model_validate(policy.model_dump()))
