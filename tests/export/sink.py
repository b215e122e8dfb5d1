"""A small OTLP receiver over HTTP, made of OpenTelemetry's own protobuf: keeps what it gets, answers as told."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.waiting import PATIENCE_S

KINDS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@dataclass
class Sink:
    """`answers` are given to the next requests, (status, body); after them every request is taken."""

    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, count: int) -> list[Any]:
        """Return what was taken, once there are so many messages."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, PATIENCE_S), (
                f"{len(self.got)} of {count} came"
            )
            return list(self.got)

    @property
    def spans(self) -> list[Any]:
        """All spans that were taken, in order."""
        with self.changed:
            return [
                span
                for message in self.got
                if isinstance(message, ExportTraceServiceRequest)
                for resource in message.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]


@contextmanager
def receiving(port: int = 0) -> Iterator[Sink]:
    """Run a sink on the loopback; it ends with the block."""
    sink = Sink()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, said = 200, b""
            with sink.changed:
                sink.headers.append({name.lower(): value for name, value in self.headers.items()})
                if sink.answers:
                    status, said = sink.answers.pop(0)
                if status == 200:
                    packed = self.headers.get("content-encoding") == "gzip"
                    sink.got.append(KINDS[self.path].FromString(gzip.decompress(body) if packed else body))
                sink.changed.notify_all()
            self.send_response(status)
            if status == 307:
                self.send_header("location", f"{sink.url}/elsewhere")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
