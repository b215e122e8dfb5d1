"""Where a receiver is, by the standard variables, and what each of its answers means."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from runner.errors import TerminalError, TransientError
from runner.export import otlp
from runner.export.receiver import MOST, Answer, Receiver, Signal
from tests.export.requests import streamed
from tests.export.sink import receiving
from tests.reconcile.real_parts import free_addresses

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
TWO = otlp.spans([streamed(1), streamed(2)], {})


def receiver(endpoint: str, **environ: str) -> Receiver:
    found = Receiver.from_environment(environ, endpoint)
    assert found is not None
    return found


def test_without_an_address_there_is_no_receiver() -> None:
    assert Receiver.from_environment({}) is None


def test_a_base_address_gets_the_path_of_each_kind() -> None:
    found = Receiver.from_environment({BASE: "http://collector:4318/"})
    assert found is not None
    assert found.urls[Signal.LOGS] == "http://collector:4318/v1/logs"
    assert set(found.urls) == set(Signal)


def test_an_address_of_one_kind_is_taken_as_it_is_and_the_others_stay_off() -> None:
    found = Receiver.from_environment({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://jaeger:4318/in"})
    assert found is not None
    assert dict(found.urls) == {Signal.TRACES: "http://jaeger:4318/in"}
    assert not found.takes(Signal.LOGS)


def test_an_argument_outranks_the_variables() -> None:
    environ = {BASE: "http://one:1", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://two:2"}
    found = Receiver.from_environment(environ, "http://three:3")
    assert found is not None
    assert {url.split("/")[2] for url in found.urls.values()} == {"three:3"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (BASE, "collector:4318"),
        (BASE, "ftp://collector"),
        (BASE, "http://collector:port"),
        (BASE, "http://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a%0d%0ax-other: b"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(name: str, value: str) -> None:
    with pytest.raises(TerminalError) as error:
        Receiver.from_environment({BASE: "http://collector:4318", name: value})
    assert error.value.diagnostics[0].fix


def test_a_header_that_cannot_be_read_is_not_repeated_since_it_may_be_a_key() -> None:
    with pytest.raises(TerminalError) as error:
        Receiver.from_environment({BASE: "http://c:1", "OTEL_EXPORTER_OTLP_HEADERS": "s3cret"})
    assert "s3cret" not in str(error.value)


def test_headers_are_sent_as_the_variables_have_them() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc, x-team=shop",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-team=search",
    }
    with receiving() as sink:
        assert receiver(sink.url, **environ).send(Signal.TRACES, TWO) == Answer()
    (headers,) = sink.headers
    assert (headers["authorization"], headers["x-team"]) == ("Bearer abc", "search")
    assert headers["content-type"] == "application/x-protobuf"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_is_sent_arrives(compression: str) -> None:
    with receiving() as sink:
        receiver(sink.url, OTEL_EXPORTER_OTLP_COMPRESSION=compression).send(Signal.TRACES, TWO)
    assert sink.got == [TWO]
    assert sink.headers[0].get("content-encoding") == (None if compression == "none" else "gzip")


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 429, 500, 502, 503, 504])
def test_an_answer_that_may_change_is_transient(status: int) -> None:
    with receiving() as sink:
        sink.answers = [(status, b"not now")]
        with pytest.raises(TransientError) as error:
            receiver(sink.url).send(Signal.TRACES, TWO)
    assert str(status) in str(error.value)
    assert len(sink.headers) == 1, "nobody was followed elsewhere"


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_an_answer_that_will_not_change_refuses_the_message_with_its_reason(status: int) -> None:
    with receiving() as sink:
        sink.answers = [(status, b"spans of tomorrow")]
        answer = receiver(sink.url).send(Signal.TRACES, TWO)
    assert answer.refused == 2
    assert "spans of tomorrow" in answer.reason


def test_a_partial_success_says_how_much_was_refused() -> None:
    partial = ExportTracePartialSuccess(rejected_spans=1, error_message="too old")
    with receiving() as sink:
        sink.answers = [(200, ExportTraceServiceResponse(partial_success=partial).SerializeToString())]
        assert receiver(sink.url).send(Signal.TRACES, TWO) == Answer(1, "too old")


@pytest.mark.parametrize("body", [b'{"partialSuccess":{}}', b"ok", b"\xff\xff"])
def test_a_success_in_other_words_is_a_success(body: bytes) -> None:
    with receiving() as sink:
        sink.answers = [(200, body)]
        assert receiver(sink.url).send(Signal.TRACES, TWO).refused == 0


def test_a_receiver_that_is_away_is_transient_and_named() -> None:
    (address,) = free_addresses(1)
    with pytest.raises(TransientError) as error:
        receiver(f"http://{address}").send(Signal.TRACES, TWO)
    assert address in str(error.value)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(TerminalError) as error:
        receiver("http://user:s3cret@collector:4318")
    assert "s3cret" not in str(error.value)
    assert "OTEL_EXPORTER_OTLP_HEADERS" in str(error.value)


@contextmanager
def serving(say: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Run a server that says what it likes to one message; `say` is told when nobody needs it any more."""
    done = threading.Event()

    def answer() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                say(connection, done)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def drip(begin: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Return what says a byte at a time, each soon enough for any timeout that begins anew with every byte."""

    def say(connection: socket.socket, done: threading.Event) -> None:
        connection.sendall(begin)
        while not done.wait(0.02):
            connection.sendall(b"x")

    return say


@pytest.mark.parametrize(
    "begin", [b"", b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"]
)
def test_an_answer_that_drips_ends_with_the_time_it_was_given(begin: bytes) -> None:
    with serving(drip(begin)) as url, pytest.raises(TransientError):
        receiver(url, OTEL_EXPORTER_OTLP_TIMEOUT="300").send(Signal.TRACES, TWO)


def test_of_an_answer_without_end_only_the_beginning_is_read() -> None:
    sent: list[int] = []

    def flood(connection: socket.socket, done: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not done.is_set():
            sent.append(connection.send(bytes(MOST)))

    with serving(flood) as url:
        assert receiver(url).send(Signal.TRACES, TWO) == Answer()
    assert sum(sent) < 1000 * MOST
