"""A Grafana dashboard from `policies/signals.yaml`, for `loop signals dashboard`.

The four quality signals stand first (refusal, re-ask, hallucination, satisfaction), then the rollout, drift, latency
and tokens, cost, decisions, every other signal of the policy, and the monitor itself. Lines of thresholds are the
policy's. Names of series come from `exposition`, `usage` and the gateway's own `/metrics`. Values in, text out; the
same policy gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from runner.report import exposition, grafana, limits
from runner.report.exposition import bound_family, distribution_family, family, unit
from runner.report.grafana import Format, Kind, Panel, Query, Row
from runner.spec.metric import METRICS
from runner.spec.signals import SignalPolicy, Thresholds

QUALITY = ("refusal_rate", "over_refusal_rate", "reask_rate", "consistency", "factuality", "satisfaction")
DRIFT = ("input_drift", "input_shift", "output_drift", "answer_diversity")
SPEED = ("latency_p50", "latency_p95", "latency_p99", "first_token_p95", "prompt_tokens", "answer_tokens")
ONE_SIDED = ("input_drift",)
"""Only how much there is at least is known."""
HERE = 'environment="$environment"'
TOGETHER = f'{HERE},arm="",segment=""'
ARMS = f'{HERE},arm!="",segment=""'
_COLOURS = {"warn": "yellow", "hold": "orange", "retrain": "red"}
_UNITS = {
    "ratio": "percentunit",
    "seconds": "s",
    "dollars": "currencyUSD",
    "tokens": "short",
    "requests": "short",
}


def rows(policy: SignalPolicy) -> tuple[Row, ...]:
    """Return the rows and panels for a policy; signals that it does not measure have none."""
    placed = {*QUALITY, *DRIFT, *SPEED, "error_rate", "win_rate", "cost_per_1000", "data_quality"}
    rest = tuple(_signal(policy, metric, 8) for metric in policy.signals if metric not in placed)
    found = (
        Row("Quality", _quality(policy)),
        Row("Rollout", _rollout(policy)),
        Row("Drift", (*_panels(policy, DRIFT, 6), *_drift(policy))),
        Row("Latency and tokens", (*_panels(policy, SPEED, 8), *_distributions(), *_usage())),
        Row("Cost", _panels(policy, ("cost_per_1000",), 12) + _tokens_per_second()),
        Row("Decisions", _decisions()),
        Row("Other signals", rest),
        Row("The monitor", (*_panels(policy, ("data_quality",), 6), *_monitor())),
    )
    return tuple(row for row in found if row.panels)


def render(policy: SignalPolicy) -> str:
    """Return the dashboard as JSON, to import into Grafana or to provision."""
    found = grafana.document(
        rows(policy),
        "Loop: signals",
        "Generated from policies/signals.yaml by `loop signals dashboard`",
        exposition.MEASURED,
    )
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


# --- what is shown ---------------------------------------------------------------------------------------------------


def _panels(policy: SignalPolicy, metrics: Sequence[str], width: int) -> tuple[Panel, ...]:
    return tuple(_signal(policy, metric, width) for metric in metrics if metric in policy.signals)


def _signal(policy: SignalPolicy, metric: str, width: int) -> Panel:
    """Return the panel of one signal: all arms together with the interval, and each arm."""
    thresholds = policy.signals[metric].thresholds
    written = [
        f"{name}: `{condition}`"
        for name in Thresholds.model_fields
        if (condition := getattr(thresholds, name)) is not None
    ]
    meaning = METRICS[metric].meaning
    return Panel(
        title=metric,
        queries=tuple(_values(metric)),
        width=width,
        unit=_UNITS.get(unit(metric), "short"),
        steps=_steps(thresholds, metric),
        description="; ".join((f"{meaning[0].upper()}{meaning[1:]}", *written)),
    )


def _values(metric: str) -> Iterator[Query]:
    yield Query(f"{family(metric)}{{{TOGETHER}}}", "all")
    for end in ("lower",) if metric in ONE_SIDED else ("lower", "upper"):
        yield Query(f'{bound_family(metric)}{{{TOGETHER},bound="{end}"}}', end)
    if METRICS[metric].per_arm or metric == "win_rate":
        yield Query(f"{family(metric)}{{{ARMS}}}", "{{arm}} {{version}}")


def _steps(thresholds: Thresholds, metric: str) -> tuple[tuple[float | None, str], ...]:
    """Return from which value on which colour stands. Only constants have a place on the axis."""
    found: list[tuple[float, str, bool]] = []
    for name, colour in _COLOURS.items():
        condition = getattr(thresholds, name)
        marks = () if condition is None else limits.marks(condition.expression, metric)
        found += [(value, colour, limits.downward(condition.expression, metric)) for value in marks]
    downwards = [(value, colour) for value, colour, low in found if low]
    upwards = {value: colour for value, colour, low in found if not low}
    if not downwards:
        return ((None, "green"), *sorted(upwards.items()))
    ordered = sorted(downwards)  # below the first value its colour, from the last on all is well
    ends = [value for value, _ in ordered]
    colours = [colour for _, colour in ordered[1:]] + ["green"]
    return ((None, ordered[0][1]), *zip(ends, colours, strict=True))


def _quality(policy: SignalPolicy) -> tuple[Panel, ...]:
    by_segment = tuple(
        Panel(
            f"{metric} by segment",
            (Query(f'{family(metric)}{{{HERE},arm="",segment!=""}}', "{{segment}}"),),
            width=12,
            unit=_UNITS.get(unit(metric), "short"),
        )
        for metric in ("refusal_rate", "satisfaction")
        if metric in policy.signals
    )
    wide = {"factuality": 8, "satisfaction": 16}
    shown = [metric for metric in QUALITY if metric in policy.signals]
    return (*(_signal(policy, metric, wide.get(metric, 6)) for metric in shown), *by_segment)


def _rollout(policy: SignalPolicy) -> tuple[Panel, ...]:
    requests = 'sum by (arm, version) (rate(loop_gateway_requests_total{arm!=""}[$__rate_interval]))'
    return (
        Panel("Requests per second by arm", (Query(requests, "{{arm}} {{version}}"),), width=8, unit="reqps"),
        *_panels(policy, ("error_rate", "win_rate"), 8),
        Panel(
            "Fallbacks per second",
            (
                Query(
                    "sum by (version) (rate(loop_gateway_fallbacks_total[$__rate_interval]))", "{{version}}"
                ),
            ),
            width=8,
            unit="reqps",
            description="The candidate failed before its first byte, the baseline answered",
        ),
        Panel(
            "What follows from the candidate's signals",
            (
                Query(
                    f'{exposition.LEVEL}{{{HERE},arm="candidate",segment=""}} == 1',
                    format=Format.TABLE,
                    instant=True,
                ),
            ),
            Kind.TABLE,
            width=16,
        ),
    )


def _drift(policy: SignalPolicy) -> tuple[Panel, ...]:
    steps = (
        _steps(policy.signals["input_drift"].thresholds, "input_drift")
        if "input_drift" in policy.signals
        else ((None, "green"),)
    )
    return (
        Panel(
            "Divergence of topics",
            (Query(f"loop_drift_divergence_nats{{{HERE}}}", "{{topics}}"),),
            width=8,
            steps=steps,
        ),
        Panel(
            "Evidence of drift",
            (Query(f"loop_drift_evidence{{{HERE}}}", "e-value"),),
            width=8,
            logarithmic=True,
            description="Stays near 1 while questions are like those of the reference set; valid at every look",
        ),
        Panel(
            "Topics that changed most",
            (Query(f"loop_drift_topic_ratio{{{HERE}}}", "topic {{topic}}, {{set}}", instant=True),),
            Kind.BARS,
            width=8,
            unit="percentunit",
        ),
    )


def _distributions() -> Iterator[Panel]:
    for metric in ("latency", "first_token", "prompt_tokens", "answer_tokens"):
        name, its_unit = distribution_family(metric), _UNITS[unit(metric)]
        yield Panel(
            f"Distribution of {metric}",
            (Query(f"sum by (le) ({name}_bucket{{{HERE}}})", "{{le}}", Format.HEATMAP),),
            Kind.HEATMAP,
            width=12,
            unit=its_unit,
            description="Over the last window: no rate is to be taken of it",
        )
        yield Panel(
            f"Percentiles of {metric} by arm",
            tuple(
                Query(
                    f"histogram_quantile({q}, sum by (le, arm) ({name}_bucket{{{HERE}}}))",
                    f"p{100 * q:.0f} {{{{arm}}}}",
                )
                for q in (0.5, 0.95, 0.99)
            ),
            width=12,
            unit=its_unit,
        )


def _usage() -> Iterator[Panel]:
    for title, name in (
        ("Request duration, p95", "gen_ai_server_request_duration_seconds"),
        ("Time to first token, p95", "gen_ai_server_time_to_first_token_seconds"),
    ):
        buckets = f'{name}_bucket{{loop_environment="$environment"}}[$__rate_interval]'
        rate = f"sum by (le, gen_ai_response_model) (rate({buckets}))"
        yield Panel(
            title,
            (Query(f"histogram_quantile(0.95, {rate})", "{{gen_ai_response_model}}"),),
            width=12,
            unit="s",
        )


def _tokens_per_second() -> tuple[Panel, ...]:
    rate = (
        "sum by (gen_ai_token_type, loop_arm) "
        '(rate(gen_ai_client_token_usage_sum{loop_environment="$environment"}[$__rate_interval]))'
    )
    return (Panel("Tokens per second", (Query(rate, "{{gen_ai_token_type}} {{loop_arm}}"),), width=12),)


def _decisions() -> tuple[Panel, ...]:
    truth = f'max by (metric, condition, arm) ({exposition.CONDITION}{{{HERE},segment="",condition=~"hold|retrain"}})'
    unsure = f'sum by (condition) ({exposition.UNSURE}{{{HERE},segment=""}})'
    return (
        Panel(
            "Holds and reasons to train",
            (Query(truth, "{{metric}} {{condition}} {{arm}}"),),
            Kind.STATES,
            width=12,
            steps=((None, "green"), (1.0, "red")),
        ),
        Panel(
            "Alerts that fire",
            (Query('ALERTS{alertname=~"Loop.*",alertstate="firing"}', format=Format.TABLE, instant=True),),
            Kind.TABLE,
            width=12,
        ),
        Panel(
            "Generation of the route table",
            (Query("max by (instance) (loop_gateway_generation)", "{{instance}}"),),
            width=12,
            description="Each step is a decision that reached a gateway: an advance, a rollback",
        ),
        Panel("Conditions without enough data", (Query(unsure, "{{condition}}"),), width=12),
    )


def _monitor() -> tuple[Panel, ...]:
    age = f"time() - {exposition.MEASURED}{{{HERE}}}"
    return (
        Panel(
            "Age of the measurement",
            (Query(age, "age"),),
            Kind.NUMBER,
            unit="s",
            steps=((None, "green"), (60.0, "yellow"), (300.0, "red")),
        ),
        Panel("Length of a pass", (Query(f"{exposition.TOOK}{{{HERE}}}", "pass"),), unit="s"),
        Panel("Events read in a pass", (Query(f"{exposition.READ}{{{HERE}}}", "events"),)),
    )
