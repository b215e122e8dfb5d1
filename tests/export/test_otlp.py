"""What requests, signals and judgements are in OTLP: the names of the GenAI conventions, and no one's words."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from runner.events.schema import FIELDS, Kind, Type
from runner.export import otlp
from runner.export.messages import size
from runner.export.receiver import Signal
from runner.report.usage import Usage
from tests.doubles.event_files import START_US, request
from tests.export.requests import failed, streamed
from tests.report import snapshots

NOBODY: dict[str, str] = {}


def plain(attributes: Any) -> dict[str, Any]:
    """Return attributes as plain values."""
    found = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = [one.string_value for one in value.values] if kind == "array_value" else value
    return found


def span_of(event: dict[str, Any]) -> Any:
    ((scope,),) = [each.scope_spans for each in otlp.spans([event], NOBODY).resource_spans]
    (span,) = scope.spans
    return span


def test_a_request_is_a_client_span_from_its_arrival_to_its_last_byte() -> None:
    span = span_of(streamed(0))
    assert span.name == "chat chat"
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert span.start_time_unix_nano == START_US * 1000
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_234_500_000
    assert len(span.trace_id) == 16 and len(span.span_id) == 8


def test_its_attributes_carry_the_names_of_the_conventions() -> None:
    found = plain(span_of(streamed(0)).attributes)
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "vllm"
    assert found["gen_ai.conversation.id"] == "session-1"
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert found["gen_ai.response.time_to_first_chunk"] == 0.21025
    assert found["gen_ai.usage.input_tokens"] == 12
    assert found["gen_ai.request.temperature"] == 0.7
    assert found["gen_ai.request.stream"] is True
    assert found["loop.arm"] == "candidate"
    published = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    newer = {"gen_ai.request.stream", "gen_ai.response.time_to_first_chunk"}  # not in every published package
    assert {name for name in found if name.startswith("gen_ai.")} <= published | newer


def test_every_field_of_the_schema_has_an_attribute_and_none_is_lost() -> None:
    examples = {Type.TEXT: "text", Type.WHOLE: 7, Type.REAL: 0.5, Type.BOOL: True}
    event = {field.name: examples[field.type] for field in FIELDS[Kind.REQUEST]}
    found = plain(span_of(event).attributes)
    renamed = {"event.id", "event.time", "loop.session", "gen_ai.response.finish_reason"}
    assert set(event) - renamed <= set(found)
    assert {"gen_ai.conversation.id", "gen_ai.response.finish_reasons"} <= set(found)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("ok", Status.STATUS_CODE_UNSET),
        ("error", Status.STATUS_CODE_ERROR),
        ("refused", Status.STATUS_CODE_UNSET),
        ("cancelled", Status.STATUS_CODE_UNSET),
    ],
)
def test_only_our_own_failures_are_errors(outcome: str, code: int) -> None:
    assert span_of(streamed(1, loop__outcome=outcome)).status.code == code


def test_a_failure_says_what_it_was() -> None:
    span = span_of(failed(1))
    assert span.status.message == "timeout"
    assert plain(span.attributes)["error.type"] == "timeout"


def test_a_bare_event_is_a_span_without_invented_values() -> None:
    event = request(1)
    del event["loop.latency_ms"], event["loop.first_token_ms"]
    span = span_of(event)
    assert span.name == "chat"
    assert span.end_time_unix_nano == span.start_time_unix_nano
    assert "gen_ai.response.time_to_first_chunk" not in plain(span.attributes)


def test_the_same_event_is_the_same_span_and_two_of_one_request_id_stay_two() -> None:
    one, again = span_of(streamed(1)), span_of(streamed(1))
    other = span_of(streamed(2, loop__request__id="request-1"))
    assert one == again
    assert (one.trace_id, one.span_id) != (other.trace_id, other.span_id)
    assert one.trace_id == other.trace_id


def test_environments_are_resources_of_their_own_and_variables_win() -> None:
    events = [streamed(1), streamed(2, loop__environment="production")]
    environ = {"OTEL_SERVICE_NAME": "bookshop", "OTEL_RESOURCE_ATTRIBUTES": "team=shop, region=eu"}
    found = [plain(each.resource.attributes) for each in otlp.spans(events, environ).resource_spans]
    assert [each["deployment.environment.name"] for each in found] == ["staging", "production"]
    assert all(each["service.name"] == "bookshop" and each["region"] == "eu" for each in found)


def test_every_signal_with_a_value_is_an_evaluation_result() -> None:
    snapshot = snapshots.busy()
    ((scope,),) = [each.scope_logs for each in otlp.evaluations(snapshot, NOBODY).resource_logs]
    measured = [each for each in snapshot.readings if each.value is not None]
    assert len(scope.log_records) == len(measured)
    for record, reading in zip(scope.log_records, measured, strict=True):
        found = plain(record.attributes)
        assert record.event_name == "gen_ai.evaluation.result"
        assert record.time_unix_nano == int(snapshots.AT) * 10**9
        assert found["gen_ai.evaluation.name"] == reading.metric
        assert found["gen_ai.evaluation.score.value"] == reading.value
        assert found["gen_ai.evaluation.score.label"] == reading.level.value
        assert f"n = {reading.n}" in found["gen_ai.evaluation.explanation"]
        assert found.get("loop.arm", "") == reading.arm


def test_an_examined_answer_is_judged_in_its_requests_trace() -> None:
    sample = {
        **{
            "event.id": "s",
            "event.time": START_US,
            "loop.environment": "staging",
            "loop.request.id": "request-1",
        },
        **{"loop.version": "v", "loop.detector": "factual", "loop.sample.value": 0.25},
        "loop.sample.evidence": '["the shop opens at nine"]',
    }
    ((scope,),) = [each.scope_logs for each in otlp.judgements([sample], NOBODY).resource_logs]
    (record,) = scope.log_records
    found = plain(record.attributes)
    assert (found["gen_ai.evaluation.name"], found["gen_ai.evaluation.score.value"]) == ("factuality", 0.25)
    assert record.trace_id == span_of(streamed(1)).trace_id


@pytest.mark.parametrize(
    ("said", "score", "label"),
    [({"loop.rating": 2}, 2.0, None), ({"loop.thumbs": 1}, 5.0, "up"), ({"loop.thumbs": -1}, 1.0, "down")],
)
def test_feedback_judges_the_answer_that_it_names(
    said: dict[str, int], score: float, label: str | None
) -> None:
    event = {
        **{"event.id": "f", "event.time": START_US, "loop.environment": "staging", "loop.user": "u"},
        **{"gen_ai.response.id": "chatcmpl-1", "loop.comment": "rude", **said},
    }
    ((scope,),) = [each.scope_logs for each in otlp.judgements([event], NOBODY).resource_logs]
    found = plain(scope.log_records[0].attributes)
    assert found["gen_ai.evaluation.score.value"] == score
    assert found.get("gen_ai.evaluation.score.label") == label
    assert found["gen_ai.response.id"] == "chatcmpl-1"


def test_nothing_that_anybody_wrote_leaves() -> None:
    secret = "my-secret-words"
    common = {
        "event.id": "x",
        "event.time": START_US,
        "loop.environment": "staging",
        "gen_ai.response.id": "r",
    }
    feedback = {**common, "loop.rating": 1, "loop.comment": secret, "loop.correction": secret}
    sample = {**common, "loop.request.id": "r", "loop.detector": "factual", "loop.sample.value": 0.0}
    sample["loop.sample.evidence"] = secret
    sent = otlp.judgements([feedback, sample], NOBODY).SerializeToString()
    assert secret.encode() not in sent


def test_every_reading_is_a_gauge_with_its_interval_and_unit() -> None:
    snapshot = snapshots.busy()
    request_ = otlp.metrics(snapshot, NOBODY)
    metrics = {m.name: m for r in request_.resource_metrics for s in r.scope_metrics for m in s.metrics}
    for name, unit in (
        ("loop.refusal_rate", "1"),
        ("loop.latency_p95", "s"),
        ("loop.answer_tokens", "{token}"),
    ):
        readings = [each for each in snapshot.readings if f"loop.{each.metric}" == name]
        assert metrics[name].unit == unit
        assert [p.as_double for p in metrics[name].gauge.data_points] == [each.value for each in readings]
        lower = [p.as_double for p in metrics[f"{name}.lower"].gauge.data_points]
        assert lower == [each.low for each in readings]
    assert "loop.win_rate" not in metrics
    truths = {
        (found["loop.signal"], found["loop.condition"], found.get("loop.arm", "")): point.as_int
        for point in metrics["loop.condition"].gauge.data_points
        for found in [plain(point.attributes)]
    }
    assert truths["refusal_rate", "warn", "candidate"] == 1
    assert truths["error_rate", "warn", "candidate"] == 0
    assert truths["win_rate", "no data", ""] == 1


def test_requests_counted_are_the_conventions_histograms() -> None:
    usage = Usage(snapshots.AT - 60)
    usage.add([streamed(1), streamed(2), failed(3)])
    request_ = otlp.metrics(snapshots.quiet(), NOBODY, usage)
    metrics = {m.name: m for r in request_.resource_metrics for s in r.scope_metrics for m in s.metrics}
    ok, error = metrics["gen_ai.server.request.duration"].histogram.data_points
    assert (ok.count, error.count, ok.sum) == (2, 1, 2.469)
    assert len(ok.bucket_counts) == len(ok.explicit_bounds) + 1 and sum(ok.bucket_counts) == 2
    assert plain(error.attributes)["error.type"] == "timeout"
    assert ok.start_time_unix_nano < ok.time_unix_nano
    tokens = {
        plain(p.attributes)["gen_ai.token.type"]: p.sum
        for p in metrics["gen_ai.client.token.usage"].histogram.data_points
    }
    assert tokens == {"input": 24.0, "output": 6.0}


def test_the_size_of_a_message_is_what_a_receiver_counts() -> None:
    snapshot = snapshots.busy()
    assert size(Signal.TRACES, otlp.spans([streamed(1), streamed(2)], NOBODY)) == 2
    assert size(Signal.LOGS, otlp.evaluations(snapshot, NOBODY)) == sum(
        r.value is not None for r in snapshot.readings
    )
    assert size(Signal.METRICS, otlp.metrics(snapshot, NOBODY)) > len(snapshot.readings)
