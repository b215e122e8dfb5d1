"""OTLP: requests as GenAI spans, signals and judged answers as `gen_ai.evaluation.result`, and both as metrics.

Names follow OpenTelemetry's GenAI semantic conventions; what they lack is `loop.*`, as in the events themselves. What
people wrote and what they were answered never leaves: content has an event of its own that nothing here reads. Ids
are digests of the event's, so that a batch sent twice is the same spans twice. Values in, protobuf out; no I/O.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from runner.export.messages import SCOPE, Value, attributes, nanoseconds, resource
from runner.report.exposition import unit
from runner.report.usage import PROVIDER, Distribution, Usage
from runner.signals.reading import Holds, Level, Reading, Snapshot
from runner.spec.metric import METRICS

EVALUATION: Final = "gen_ai.evaluation.result"
METRIC_OF_DETECTOR: Final = {"self_consistency": "consistency", "factual": "factuality"}
_UNITS = {"ratio": "1", "seconds": "s", "dollars": "{USD}", "nats": "{nat}", "tokens": "{token}"}
_DERIVED = ("event.id", "event.time", "gen_ai.response.finish_reason", "loop.session")
_MICROSECOND_NS = 1000


def spans(events: Iterable[Mapping[str, Any]], environ: Mapping[str, str]) -> ExportTraceServiceRequest:
    """Return one span for each request event; start and end from `event.time` and the latency."""
    by_environment: dict[str, list[Span]] = {}
    for event in events:
        by_environment.setdefault(event["loop.environment"], []).append(_span(event))
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=resource(environment, environ), scope_spans=[ScopeSpans(scope=SCOPE, spans=found)]
            )
            for environment, found in by_environment.items()
        ]
    )


def evaluations(snapshot: Snapshot, environ: Mapping[str, str]) -> ExportLogsServiceRequest:
    """Return one `gen_ai.evaluation.result` for each reading that has a value: score, label, and why."""
    at = nanoseconds(snapshot.at)
    records = [_result(at, _judgement(each)) for each in snapshot.readings if each.value is not None]
    return _logs(snapshot.environment, records, environ)


def judgements(events: Iterable[Mapping[str, Any]], environ: Mapping[str, str]) -> ExportLogsServiceRequest:
    """Return one `gen_ai.evaluation.result` for each event of kind sample or feedback that judges a single answer.

    A sample belongs to its request's trace; feedback names the answer by `gen_ai.response.id`.
    """
    by_environment: dict[str, list[LogRecord]] = {}
    for event in events:
        found = _of_sample(event) if "loop.detector" in event else _of_feedback(event)
        if found is not None:
            by_environment.setdefault(event["loop.environment"], []).append(found)
    request = ExportLogsServiceRequest()
    for environment, records in by_environment.items():
        request.MergeFrom(_logs(environment, records, environ))
    return request


def metrics(
    snapshot: Snapshot, environ: Mapping[str, str], usage: Usage | None = None
) -> ExportMetricsServiceRequest:
    """Return every reading as gauges `loop.METRIC`, and what `usage` counted as the conventions' histograms."""
    found = [*_gauges(snapshot), *(_histograms(usage, snapshot.at) if usage else ())]
    return ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(
                resource=resource(snapshot.environment, environ),
                scope_metrics=[ScopeMetrics(scope=SCOPE, metrics=found)],
            )
        ]
    )


def trace_id(request_id: str) -> bytes:
    """Return the trace of a request: the same for everything that is known of it."""
    return hashlib.sha256(f"trace:{request_id}".encode()).digest()[:16]


def span_id(event_id: str) -> bytes:
    """Return the span of a request event: two requests that a client gave one id stay two spans."""
    return hashlib.sha256(f"span:{event_id}".encode()).digest()[:8]


# --- requests --------------------------------------------------------------------------------------------------------


def _span(event: Mapping[str, Any]) -> Span:
    start = event["event.time"] * _MICROSECOND_NS
    operation = event.get("gen_ai.operation.name") or "chat"
    return Span(
        trace_id=trace_id(event["loop.request.id"]),
        span_id=span_id(event["event.id"]),
        name=" ".join(filter(None, (operation, event.get("gen_ai.request.model")))),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + round((event.get("loop.latency_ms") or 0.0) * 1_000_000),
        attributes=attributes(_described(event, operation)),
        status=_status(event),
    )


def _described(event: Mapping[str, Any], operation: str) -> dict[str, Value | None]:
    """Return the event's fields as the conventions name them; fields of ours keep their names."""
    first, reason = event.get("loop.first_token_ms"), event.get("gen_ai.response.finish_reason")
    streamed = bool(event.get("gen_ai.request.stream")) and first is not None
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.conversation.id": event.get("loop.session"),
        "gen_ai.response.finish_reasons": (reason,) if reason else (),
        "gen_ai.response.time_to_first_chunk": first / 1000 if streamed and first is not None else None,
        **{name: value for name, value in event.items() if name not in _DERIVED},
    }


def _status(event: Mapping[str, Any]) -> Status:
    """Return an error where we or the engine failed; what a client got wrong or gave up is none of ours."""
    if event["loop.outcome"] != "error":
        return Status()
    return Status(code=Status.STATUS_CODE_ERROR, message=event.get("error.type") or "error")


# --- evaluations -----------------------------------------------------------------------------------------------------


def _judgement(reading: Reading) -> dict[str, Value | None]:
    return {
        "gen_ai.evaluation.name": reading.metric,
        "gen_ai.evaluation.score.value": reading.value,
        "gen_ai.evaluation.score.label": reading.level.value,
        "gen_ai.evaluation.explanation": _explained(reading),
        **_place(reading),
        "loop.signal.low": reading.low,
        "loop.signal.high": reading.high,
        "loop.signal.n": reading.n,
        "loop.signal.window": reading.window,
        "loop.signal.trend": reading.trend.direction.value,
    }


def _explained(reading: Reading) -> str:
    parts = [METRICS[reading.metric].meaning, f"n = {reading.n} in {reading.window / 3600:g} h"]
    if reading.low is not None or reading.high is not None:
        ends = ("?" if end is None else f"{end:.4g}" for end in (reading.low, reading.high))
        parts.append("interval " + " to ".join(ends))
    parts += [f"{name}: {holds.value}" for name, holds in reading.conditions]
    return "; ".join(filter(None, (*parts, reading.note)))


def _of_sample(event: Mapping[str, Any]) -> LogRecord | None:
    if (value := event.get("loop.sample.value")) is None:
        return None
    found: dict[str, Value | None] = {
        "gen_ai.evaluation.name": METRIC_OF_DETECTOR.get(event["loop.detector"], event["loop.detector"]),
        "gen_ai.evaluation.score.value": float(value),
        "gen_ai.response.id": event.get("gen_ai.response.id"),
        "loop.request.id": event["loop.request.id"],
        "loop.arm": event.get("loop.arm"),
        "loop.version": event.get("loop.version"),
    }
    record = _result(event["event.time"] * _MICROSECOND_NS, found)
    record.trace_id = trace_id(event["loop.request.id"])
    return record


def _of_feedback(event: Mapping[str, Any]) -> LogRecord | None:
    rating, thumbs = event.get("loop.rating"), event.get("loop.thumbs")
    if rating is None and thumbs is None:
        return None
    found: dict[str, Value | None] = {
        "gen_ai.evaluation.name": "satisfaction",
        "gen_ai.evaluation.score.value": float(rating) if rating is not None else 5.0 if thumbs == 1 else 1.0,
        "gen_ai.evaluation.score.label": None if thumbs is None else "up" if thumbs == 1 else "down",
        "gen_ai.response.id": event["gen_ai.response.id"],
    }
    return _result(event["event.time"] * _MICROSECOND_NS, found)


def _result(at: int, found: Mapping[str, Value | None]) -> LogRecord:
    return LogRecord(
        time_unix_nano=at,
        observed_time_unix_nano=at,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        event_name=EVALUATION,
        attributes=attributes(found),
    )


def _logs(environment: str, records: list[LogRecord], environ: Mapping[str, str]) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=resource(environment, environ),
                scope_logs=[ScopeLogs(scope=SCOPE, log_records=records)],
            )
        ]
    )


# --- metrics ---------------------------------------------------------------------------------------------------------


def _place(reading: Reading) -> dict[str, Value | None]:
    return {
        "loop.arm": reading.arm,
        "loop.version": reading.version,
        "loop.segment": reading.segment,
    }


def _gauges(snapshot: Snapshot) -> Iterator[Metric]:
    at = nanoseconds(snapshot.at)
    values: dict[str, list[NumberDataPoint]] = {}
    truths: list[NumberDataPoint] = []
    for each in snapshot.readings:
        place = _place(each)
        for suffix, number in (("", each.value), (".lower", each.low), (".upper", each.high)):
            if number is not None:
                point = NumberDataPoint(time_unix_nano=at, as_double=number, attributes=attributes(place))
                values.setdefault(each.metric, [])
                values.setdefault(f"{each.metric}{suffix}", []).append(point)
        for name, holds in (*each.conditions, *_unmeasured(each)):
            labels = {"loop.signal": each.metric, "loop.condition": name, **place}
            truths.append(
                NumberDataPoint(
                    time_unix_nano=at, as_int=int(holds is Holds.YES), attributes=attributes(labels)
                )
            )
    for name, points in values.items():
        metric = name.partition(".")[0]
        yield Metric(
            name=f"loop.{name}",
            unit=_UNITS.get(unit(metric), "1"),
            description=METRICS[metric].meaning,
            gauge=Gauge(data_points=points),
        )
    if truths:
        meaning = "1 where a condition of the policy holds for the whole interval, else 0"
        yield Metric(name="loop.condition", unit="1", description=meaning, gauge=Gauge(data_points=truths))


def _unmeasured(reading: Reading) -> tuple[tuple[str, Holds], ...]:
    """Say of every reading whether it has no data at all, so that silence is not taken for health."""
    return (("no data", Holds.YES if reading.level is Level.UNMEASURED else Holds.NO),)


def _histograms(usage: Usage, at: float) -> Iterator[Metric]:
    for distribution in usage.distributions():
        yield Metric(
            name=distribution.name,
            unit=distribution.unit,
            description=distribution.meaning,
            histogram=Histogram(
                data_points=list(_points(distribution, usage.since, at)),
                aggregation_temporality=AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
            ),
        )


def _points(distribution: Distribution, since: float, at: float) -> Iterator[HistogramDataPoint]:
    for series in distribution.series:
        yield HistogramDataPoint(
            start_time_unix_nano=nanoseconds(since),
            time_unix_nano=nanoseconds(max(at, since)),
            attributes=attributes(series.labels),
            count=sum(series.counts),
            sum=series.total,
            explicit_bounds=distribution.edges,
            bucket_counts=series.counts,
        )
