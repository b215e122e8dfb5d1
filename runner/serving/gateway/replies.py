"""The answers that the gateway itself gives, in OpenAI's shape of an error, and the ASGI types.

Used by every part of the gateway that speaks HTTP. Decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from enum import StrEnum
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"
CUT = "loop.cut"
"""Where a scope holds the function that ends the connection at once, unsent bytes and all."""
# Long enough to be unique, and with a letter: a bare telephone or card number is not taken over into the log.
_REQUEST_ID = re.compile(rb"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_-]{8,64}")


class Outcome(StrEnum):
    """How a request ended, as the event says it."""

    OK = "ok"
    ERROR = "error"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class ApiError(Exception):
    """An answer other than the wanted one. `code` is machine-readable; the client's fault below 500."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after_s = status, code, param, retry_after_s
        self.outcome = Outcome.REFUSED if status < 500 else Outcome.ERROR

    @property
    def body(self) -> dict[str, Any]:
        """OpenAI's shape."""
        return error_body(self.status, self.code, str(self), self.param)

    @property
    def headers(self) -> Headers:
        """What goes with it; what still comes of a body that was given up would be taken for the next request."""
        found: Headers = [(b"connection", b"close")] if self.status in (408, 413) else []
        if self.retry_after_s is not None:
            found.append((b"retry-after", str(self.retry_after_s).encode()))
        return found


class MethodNotAllowed(ApiError):
    """The answer to a method that a path does not take."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(405, "method_not_allowed", f"use {' or '.join(self.allowed)} here")

    @property
    def headers(self) -> Headers:
        """What goes with it."""
        return [(b"allow", ", ".join(self.allowed).encode())]


def error_body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """Return OpenAI's shape of an error."""
    return {"error": {"message": message, "type": _kind(status), "param": param, "code": code}}


def _kind(status: int) -> str:
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < 500 else "server_error"


def request_id(headers: Mapping[bytes, bytes], fresh_id: Callable[[], str]) -> str:
    """Return the client's `x-request-id` where it is fit for the log, or a fresh one."""
    given = headers.get(b"x-request-id")
    return given.decode() if given and _REQUEST_ID.fullmatch(given) else fresh_id()


def bad_request(message: str, param: str | None = None) -> ApiError:
    """Return the error for a body that does not make sense."""
    return ApiError(400, "invalid_request", message, param=param)


async def reply(
    send: Send, status: int, body: bytes, media: bytes = JSON, headers: Iterable[Any] = ()
) -> None:
    """Send a whole answer."""
    length = str(len(body)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", media), (b"content-length", length), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def reply_json(send: Send, status: int, value: Any, headers: Iterable[Any] = ()) -> None:
    """Send a JSON answer."""
    await reply(send, status, orjson.dumps(value), JSON, headers)


async def reply_error(send: Send, error: ApiError, headers: Iterable[Any] = ()) -> None:
    """Send an error in OpenAI's shape."""
    await reply_json(send, error.status, error.body, [*error.headers, *headers])
