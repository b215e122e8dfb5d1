"""HTTP as the gateway speaks it: uvicorn's, with bounds on what a client may send before it has asked anything.

Used by `server` only. Whoever is turned away here gets an answer in OpenAI's shape, a count in `/metrics`, and
no line in the log.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from runner.serving.gateway.config import Transport
from runner.serving.gateway.connections import Door, Fault
from runner.serving.gateway.replies import CUT, error_body

LINGER_S = 2.0
"""How long an answer may be read before the connection closes; closed at once, unread input would destroy it."""


class _HeadersTooLarge(Exception):
    pass


class Protocol(HttpToolsProtocol):
    """One connection, from the door it came through."""

    def __init__(self, door: Door, bounds: Transport, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._door, self._bounds = door, bounds
        self._in_head = self._turned_away = False
        self._loose = 0  # bytes fed to the parser since it last had something to show for them
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or say that there are too many."""
        super().connection_made(transport)
        self._door.open += 1
        if self._door.is_overfull:
            message = f"{self._door.limit} connections are open, and no more are served; try again"
            self._turn_away(503, Fault.TOO_MANY, message)
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._door.open -= 1
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what a client sends after it was turned away is dropped."""
        if self._turned_away:
            return
        self._unset_keepalive_if_required()
        self._loose += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._door.faults[Fault.UPGRADE_IGNORED] += 1
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _HeadersTooLarge):
                self._refuse_headers()
            else:
                self._turn_away(400, Fault.MALFORMED, "this is not an HTTP request")
            return
        if self._loose > self._bounds.header_bytes:
            self._refuse_headers()
        elif self._in_head or not self._is_busy:
            self._await_head()

    def on_message_begin(self) -> None:
        """Begin the head of a request."""
        super().on_message_begin()
        self.scope[CUT] = self.transport.abort  # type: ignore[literal-required]
        self._in_head, self._loose = True, 0

    def on_headers_complete(self) -> None:
        """Serve the request, unless its head is too large."""
        self._in_head, self._loose = False, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._bounds.header_bytes or len(self.headers) > self._bounds.header_count:
            raise _HeadersTooLarge
        self._stop_waiting()
        super().on_headers_complete()
        self.cycle.transport = _Patient(self, self.cycle)
        self.headers = []  # what comes behind a chunked body is no header (RFC 9110, 6.5.1)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; how much that may be is the endpoint's business."""
        self._loose = 0
        super().on_body(body)

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._bounds.header_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._is_busy:
            self._await_head()  # an answer to the request before is under way
        elif self._in_head:
            message = f"the headers did not arrive within {self._bounds.header_timeout_s:g} s"
            self._turn_away(408, Fault.HEADERS_LATE, message)
        else:
            self._door.faults[Fault.NEVER_ASKED] += 1
            self.transport.close()

    def _refuse_headers(self) -> None:
        most = f"{self._bounds.header_count} headers of {self._bounds.header_bytes} bytes"
        self._turn_away(431, Fault.HEADERS_TOO_LARGE, f"more than {most} are not accepted")

    def _turn_away(self, status: int, fault: Fault, message: str) -> None:
        """Answer, unless an answer has begun already, and close."""
        self._turned_away = True
        self._door.faults[fault] += 1
        self._unset_keepalive_if_required()
        if self._is_busy:
            self.cycle.disconnected = (
                True  # its request gets no other answer, and ends as one whose client left
            )
            self.cycle.message_event.set()
        if not (self._is_busy and self.cycle.response_started):
            self.transport.write(_answer(status, fault, message))
            self.linger()
        else:
            self.transport.close()

    def linger(self) -> None:
        """End the answer now and the connection once the client has had time to read; drop what it sends."""
        self._turned_away = True
        self._stop_waiting()
        if self._door.may_linger and self.transport.can_write_eof():
            self.transport.write_eof()
            self._deadline = self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()


class _Patient(asyncio.Transport):
    """A connection as an answer sees it: one that closes it before the body has come, such as a 413, gets read."""

    def __init__(self, protocol: Protocol, cycle: RequestResponseCycle) -> None:
        self._protocol, self._cycle = protocol, cycle
        self._transport = protocol.transport
        self.write = self._transport.write  # type: ignore[method-assign]

    def is_closing(self) -> bool:
        """Return whether nothing can be sent any more."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close when the client has had its chance."""
        if self._cycle.more_body and not self._transport.is_closing():
            self._protocol.linger()
        else:
            self._transport.close()


def _answer(status: int, fault: Fault, message: str) -> bytes:
    body = orjson.dumps(error_body(status, fault.value, message))
    again = "retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"connection: close\r\n{again}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
