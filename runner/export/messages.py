"""Small pieces of OTLP messages that spans, evaluations and metrics share. Values in, protobuf out; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final, cast

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from runner.export.receiver import Message, Signal

Value = str | bool | int | float | tuple[str, ...]
SCOPE: Final = InstrumentationScope(name="loop", version=version("loop-runner"))
SERVICE: Final = "loop"
SECOND_NS: Final = 1_000_000_000


def attributes(values: Mapping[str, Value | None]) -> list[KeyValue]:
    """Return attributes in the order given; without those that have no value, or an empty text."""
    return [
        KeyValue(key=key, value=_value(value)) for key, value in values.items() if value not in (None, "", ())
    ]


def resource(environment: str, environ: Mapping[str, str]) -> Resource:
    """Return who speaks: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over what is known anyway."""
    found: dict[str, Value | None] = {"service.name": SERVICE, "deployment.environment.name": environment}
    for part in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, equals, value = part.partition("=")
        if equals and key.strip():
            found[key.strip()] = value.strip()
    if name := environ.get("OTEL_SERVICE_NAME"):
        found["service.name"] = name
    return Resource(attributes=attributes(found))


def nanoseconds(seconds: float) -> int:
    """Return a moment in seconds since 1970 as OTLP counts it, to the microsecond."""
    return round(seconds * 1_000_000) * 1000


def response(signal: Signal) -> Any:
    """Return an empty answer of a kind, to be read into."""
    return {
        Signal.TRACES: ExportTraceServiceResponse,
        Signal.METRICS: ExportMetricsServiceResponse,
        Signal.LOGS: ExportLogsServiceResponse,
    }[signal]()


def size(signal: Signal, message: Message) -> int:
    """Return how many spans, data points or log records a request carries."""
    match signal:
        case Signal.TRACES:
            spans = cast(ExportTraceServiceRequest, message).resource_spans
            return sum(len(scope.spans) for each in spans for scope in each.scope_spans)
        case Signal.LOGS:
            logs = cast(ExportLogsServiceRequest, message).resource_logs
            return sum(len(scope.log_records) for each in logs for scope in each.scope_logs)
        case Signal.METRICS:
            metrics = cast(ExportMetricsServiceRequest, message).resource_metrics
            return sum(
                len(getattr(one, one.WhichOneof("data")).data_points)
                for each in metrics
                for scope in each.scope_metrics
                for one in scope.metrics
            )


def _value(value: Value | None) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case tuple():
            return AnyValue(array_value=ArrayValue(values=map(_value, cast(Iterable[Value], value))))
        case _:
            return AnyValue(string_value=str(value))
