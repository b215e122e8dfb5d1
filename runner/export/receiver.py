"""An OpenTelemetry receiver: where it is, and one message sent to it over OTLP/HTTP in protobuf.

Configured like every OpenTelemetry exporter, by the `OTEL_EXPORTER_OTLP_*` variables. Sends once and says how it
went; trying again is the outlet's work. Imports nothing heavy, so that a monitor without a receiver pays nothing.
"""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from runner.errors import TransientError, terminal, transient

TIMEOUT_S: Final = 10.0
REFUSED: Final = frozenset({400, 413, 415, 422})
"""Answers that say this message will never be taken; after any other the same message may be taken later."""
MOST: Final = 64 * 1024
"""Bytes of an answer that are read; one that is longer is a success in words that nobody needs."""
_SHOWN: Final = 200
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Signal(StrEnum):
    """The three kinds of telemetry; each has a path of its own."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class Compression(StrEnum):
    """How bodies are packed."""

    NONE = "none"
    GZIP = "gzip"


class Message(Protocol):
    """A protobuf request of the OTLP services."""

    def SerializeToString(self) -> bytes:
        """Return its bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said to a message that it will not get again.

    `refused` counts what it would not take, in its own words `reason`: all, or the part that it names.
    """

    refused: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """The address for each kind of telemetry, with its headers."""

    urls: Mapping[Signal, str]
    headers: Mapping[Signal, Mapping[str, str]] = field(default_factory=dict)
    timeout_s: float = TIMEOUT_S
    compression: Compression = Compression.NONE
    certificate: str | None = None
    """File of the certificates to trust, where those of the system are not meant."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], endpoint: str | None = None) -> Receiver | None:
        """Return what `endpoint` (a base address) and the variables say; None where neither names a receiver.

        An argument outranks the variables, a variable of one kind (`..._TRACES_ENDPOINT`) the general one. Raises
        TerminalError for an address, protocol or number that cannot be used.
        """
        urls = {signal: _url(environ, signal, endpoint) for signal in Signal}
        known = {signal: url for signal, url in urls.items() if url}
        if not known:
            return None
        return cls(
            urls=known,
            headers={signal: _headers(environ, signal) for signal in known},
            timeout_s=_timeout(environ),
            compression=_compression(environ),
            certificate=environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or None,
        )

    def takes(self, signal: Signal) -> bool:
        """Whether there is an address for this kind."""
        return signal in self.urls

    def send(self, signal: Signal, message: Message) -> Answer:
        """Send one message and wait for the whole answer, `timeout_s` at most (connecting may take as long again).

        Raises TransientError where the receiver is away, busy, or knows us not: nothing was taken then as far as is
        known, and the same message may be sent again.
        """
        url, body = self.urls[signal], message.SerializeToString()
        headers = {"content-type": "application/x-protobuf", **self.headers.get(signal, {})}
        if self.compression is Compression.GZIP:
            body, headers = gzip.compress(body, 1), {**headers, "content-encoding": "gzip"}
        request = urllib.request.Request(url, body, headers, method="POST")
        with _limited(self.timeout_s) as limit:
            return self._sent(signal, message, request, limit)

    def _sent(
        self, signal: Signal, message: Message, request: urllib.request.Request, limit: _Limit
    ) -> Answer:
        url = self.urls[signal]
        try:
            with _opener(url.partition(":")[0], self.certificate, limit).open(
                request, timeout=self.timeout_s
            ) as answer:
                said = answer.read(MOST + 1)
            if limit.over.is_set():
                raise _away(url, f"its answer was not whole within {self.timeout_s:g} s")
            return _taken(signal, said) if len(said) <= MOST else Answer()
        except urllib.error.HTTPError as error:
            reason = _words(error)
            if error.code in REFUSED:
                return Answer(refused=_count(signal, message), reason=f"{error.code} {reason}")
            raise _away(url, f"it answered {error.code} {error.reason}", reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise _away(url, str(getattr(error, "reason", error)) or type(error).__name__) from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow nobody elsewhere: a POST would arrive as a GET without its body, and headers may hold a key."""

    def redirect_request(self, *_: object) -> None:
        """Refuse: the redirection is then the answer."""


class _Limit:
    """Ends the connections of one message when its time is over: a timeout of sockets counts from each byte anew."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def hold(self, connected: socket.socket) -> None:
        """Count a connection among those that end."""
        with self._lock:
            self._sockets.append(connected)
            if self.over.is_set():
                _end(connected)

    def end(self) -> None:
        """End them: whoever waits for their bytes reads that there are no more."""
        with self._lock:
            self.over.set()
            for each in self._sockets:
                _end(each)


def _end(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


@contextmanager
def _limited(seconds: float) -> Iterator[_Limit]:
    limit = _Limit()
    timer = threading.Timer(seconds, limit.end)
    timer.daemon = True
    timer.start()
    try:
        yield limit
    finally:
        timer.cancel()


class _Plain(http.client.HTTPConnection):
    """A connection that a limit can end."""

    def __init__(self, *arguments: Any, limit: _Limit, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limit = limit

    def connect(self) -> None:
        """Connect, and be held."""
        super().connect()
        self._limit.hold(self.sock)


class _Secret(http.client.HTTPSConnection):
    """The same over TLS."""

    def __init__(self, *arguments: Any, limit: _Limit, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limit = limit

    def connect(self) -> None:
        """Connect, and be held."""
        super().connect()
        self._limit.hold(self.sock)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, limit: _Limit) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Plain, limit=self._limit), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, limit: _Limit, trust: ssl.SSLContext) -> None:
        super().__init__(context=trust)
        self._limit, self._trust = limit, trust

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Secret, limit=self._limit), req, context=self._trust)


def _opener(scheme: str, certificate: str | None, limit: _Limit) -> urllib.request.OpenerDirector:
    if scheme != "https":
        return urllib.request.build_opener(_Stay, _Http(limit))
    return urllib.request.build_opener(_Stay, _Http(limit), _Https(limit, _trust(certificate)))


@cache
def _trust(certificate: str | None) -> ssl.SSLContext:
    """Return whom to trust; reading the system's certificates takes as long as many messages."""
    return ssl.create_default_context(cafile=certificate)


def _url(environ: Mapping[str, str], signal: Signal, endpoint: str | None) -> str:
    """Return the full address for a kind: a general one gets the kind's path, a kind's own is taken as it is."""
    own = "" if endpoint else environ.get(f"OTEL_EXPORTER_OTLP_{signal.name}_ENDPOINT", "")
    base = endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    found = own or (f"{base.rstrip('/')}/v1/{signal.value}" if base else "")
    if found:
        _check(found)
    return found


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if known and "@" in parts.netloc:
        raise terminal(
            "the address of the OpenTelemetry receiver holds a name or a password",
            fix="give them as OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20...",
        )
    if not known:
        raise terminal(
            f"'{url}' is not the address of an OpenTelemetry receiver",
            fix="give its base over HTTP, such as http://127.0.0.1:4318",
        )


def _headers(environ: Mapping[str, str], signal: Signal) -> dict[str, str]:
    """Read `name=value,name=value` (values as in a URL), the general ones and those of one kind."""
    found: dict[str, str] = {}
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", f"OTEL_EXPORTER_OTLP_{signal.name}_HEADERS"):
        for part in filter(None, map(str.strip, environ.get(name, "").split(","))):
            key, equals, value = part.partition("=")
            key, value = key.strip(), unquote(value.strip())
            if not (equals and _NAME.fullmatch(key) and value.isprintable() and value.isascii()):
                raise terminal(f"{name} cannot be read", "a part is no header", fix="write name=value,...")
            found[key.lower()] = value
    return found


def _timeout(environ: Mapping[str, str]) -> float:
    written = environ.get("OTEL_EXPORTER_OTLP_TIMEOUT", "")
    try:
        seconds = float(written) / 1000 if written else TIMEOUT_S
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < 3600.0:
        raise terminal(f"OTEL_EXPORTER_OTLP_TIMEOUT is '{written}'", fix="give milliseconds, such as 10000")
    return seconds


def _compression(environ: Mapping[str, str]) -> Compression:
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol != "http/protobuf":
        raise terminal(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is '{protocol}'",
            fix="set http/protobuf, which every receiver takes beside gRPC, and its port (usually 4318)",
        )
    written = environ.get("OTEL_EXPORTER_OTLP_COMPRESSION") or "none"
    try:
        return Compression(written)
    except ValueError:
        raise terminal(f"OTEL_EXPORTER_OTLP_COMPRESSION is '{written}'", fix="set gzip or none") from None


def _taken(signal: Signal, body: bytes) -> Answer:
    """Read a success: it may say that a part was refused."""
    from google.protobuf.message import DecodeError

    from runner.export.messages import response

    answer = response(signal)
    try:
        answer.ParseFromString(body)
    except DecodeError:
        return Answer()  # some receivers answer in JSON, or in words: a success all the same
    partial = answer.partial_success
    refused = sum(value for name, value in partial.ListFields() if name.name.startswith("rejected_"))
    return Answer(refused=refused, reason=partial.error_message)


def _count(signal: Signal, message: Message) -> int:
    from runner.export.messages import size

    return size(signal, message)


def _words(error: urllib.error.HTTPError) -> str:
    """Return the beginning of what a receiver said to a failure, in one line."""
    try:
        body = error.read(_SHOWN)
    except (OSError, http.client.HTTPException):
        return ""
    return "".join(each if each.isprintable() else " " for each in body.decode(errors="replace")).strip()


def _away(url: str, *evidence: str) -> TransientError:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") + parts.path
    return transient(
        f"the OpenTelemetry receiver at {where} does not take anything",
        *filter(None, evidence),
        fix="it is tried again; nothing is lost, since what it did not take is read again from the event log",
    )
