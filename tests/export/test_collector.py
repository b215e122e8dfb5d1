"""Everything that is exported, through a real OpenTelemetry collector: what it passes on is what was sent."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from runner.export import otlp
from runner.export.outlet import Outlet
from runner.export.receiver import Receiver, Signal
from runner.report.usage import Usage
from tests.export import collector
from tests.export.requests import failed, streamed
from tests.export.sink import Sink, receiving
from tests.report import snapshots
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(bool(collector.reason_to_skip()), reason=collector.reason_to_skip())


@pytest.fixture(scope="module")
def behind() -> Iterator[Sink]:
    """The receiver behind the collector: what arrives here the collector has read and written again."""
    with receiving() as found:
        yield found


@pytest.fixture(scope="module")
def receiver(behind: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    log = tmp_path_factory.mktemp("collector") / "collector.log"
    with collector.passing_on(behind.url, log) as url:
        found = Receiver.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
        assert found is not None
        yield found


def sent(receiver: Receiver, signal: Signal, message: Any) -> None:
    outlet = Outlet(receiver, signal)
    assert outlet.offer(message)
    assert outlet.close(PATIENCE_S), outlet.trouble
    assert outlet.refused == (0, "")


def arrived(behind: Sink, kind: type, count: int, items: Any) -> list[Any]:
    """Return the items that came behind the collector, which may cut and join messages as it likes."""
    deadline = time.monotonic() + PATIENCE_S
    with behind.changed:
        while True:
            found = [item for message in behind.got if isinstance(message, kind) for item in items(message)]
            if len(found) >= count or not behind.changed.wait(max(0.0, deadline - time.monotonic())):
                return found


def spans(message: ExportTraceServiceRequest) -> list[Any]:
    return [span for each in message.resource_spans for scope in each.scope_spans for span in scope.spans]


def records(message: ExportLogsServiceRequest) -> list[Any]:
    return [
        record for each in message.resource_logs for scope in each.scope_logs for record in scope.log_records
    ]


def gauges(message: ExportMetricsServiceRequest) -> list[Any]:
    return [
        metric
        for each in message.resource_metrics
        for scope in each.scope_metrics
        for metric in scope.metrics
    ]


def test_requests_pass_a_real_collector_unchanged(receiver: Receiver, behind: Sink) -> None:
    message = otlp.spans([*(streamed(number) for number in range(700)), failed(701)], {})
    sent(receiver, Signal.TRACES, message)
    found = arrived(behind, ExportTraceServiceRequest, 701, spans)
    assert found == spans(message)


def test_signals_and_judgements_pass_it_as_evaluation_results(receiver: Receiver, behind: Sink) -> None:
    message = otlp.evaluations(snapshots.busy(), {})
    sent(receiver, Signal.LOGS, message)
    found = arrived(behind, ExportLogsServiceRequest, len(records(message)), records)
    assert found == records(message)
    assert {record.event_name for record in found} == {"gen_ai.evaluation.result"}


def test_metrics_pass_it_unchanged(receiver: Receiver, behind: Sink) -> None:
    usage = Usage(snapshots.AT - 60)
    usage.add([streamed(1), failed(2)])
    message = otlp.metrics(snapshots.busy(), {}, usage)
    sent(receiver, Signal.METRICS, message)
    assert arrived(behind, ExportMetricsServiceRequest, len(gauges(message)), gauges) == gauges(message)


def test_the_collector_knows_who_speaks(receiver: Receiver, behind: Sink) -> None:
    sent(receiver, Signal.TRACES, otlp.spans([streamed(9001)], {"OTEL_SERVICE_NAME": "bookshop"}))
    wanted = otlp.span_id("event-9001")

    def found(message: ExportTraceServiceRequest) -> list[Any]:
        return [
            each.resource
            for each in message.resource_spans
            for scope in each.scope_spans
            for span in scope.spans
            if span.span_id == wanted
        ]

    (resource,) = arrived(behind, ExportTraceServiceRequest, 1, found)
    named = {each.key: each.value.string_value for each in resource.attributes}
    assert named == {"service.name": "bookshop", "deployment.environment.name": "staging"}


def test_it_refuses_what_is_not_otlp_so_that_the_others_prove_something(receiver: Receiver) -> None:
    request = urllib.request.Request(receiver.urls[Signal.TRACES], b"\xff\xfe\x00rubbish", method="POST")
    request.add_header("content-type", "application/x-protobuf")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=PATIENCE_S)
