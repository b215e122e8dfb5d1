"""One request to the gateway's OpenAI API, as a user's program makes it, and what came of it and when.

Called by the players. Never raises for anything that the gateway or the network does: a failure is a result.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.http import HttpProcessingError

from runner.simulation.replay.plan import Target
from runner.simulation.replay.result import Failure, Reply
from runner.simulation.replay.schedule import Call


class Cut(Exception):
    """The answer ended otherwise than it should."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


_TROUBLE = (TimeoutError, Cut, HttpProcessingError, aiohttp.ClientError, OSError)
"""All that a gateway or a network can do to a call."""


@dataclass(slots=True)
class Client:
    """Asks one target over one pool of connections; `clock` gives seconds, `run` begins the request ids."""

    http: aiohttp.ClientSession
    target: Target
    clock: Callable[[], float]
    run: str

    def request_id(self, call: Call) -> str:
        """Return the `x-request-id` under which a call is sent."""
        return f"{self.run}-{call.number}"

    async def ask(self, call: Call) -> Reply:
        """Send one call and wait for the end of its answer."""
        exchange = _Exchange(self.clock, self.request_id(call))
        try:
            await self._exchange(call, exchange)
        except _TROUBLE as error:
            exchange.failure = self._failure(error, exchange.status)
        return exchange.reply()

    async def say(self, call: Call, reply: Reply, said: Mapping[str, Any]) -> Failure | None:
        """Send feedback on an answer as the user who asked; None once the gateway has taken it."""
        body = {"response_id": reply.response_id, "user": call.user, **said}
        status = 0
        try:
            async with self._post("/feedback", body, self._key()) as got:
                status, answer = got.status, await got.read()
        except _TROUBLE as error:
            return self._failure(error, status)
        return None if status == 200 else _refusal(status, answer)

    def _failure(self, error: Exception, status: int) -> Failure:
        match error:
            case TimeoutError():
                return Failure("timeout", status, f"no end within {self.target.timeout_s:g} s")
            case Cut():
                return Failure(error.kind, status, str(error))
            case HttpProcessingError():  # a line without end, or no HTTP at all
                return Failure("malformed_answer", status, str(error))
            case aiohttp.ClientConnectorError():
                return Failure("cannot_connect", 0, str(error))
            case _:
                return Failure("connection_lost", status, f"{type(error).__name__}: {error}")

    def _post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        timeout = aiohttp.ClientTimeout(total=self.target.timeout_s)
        return self.http.post(
            f"{self.target.url.rstrip('/')}{path}", json=body, headers=headers, timeout=timeout
        )

    async def _exchange(self, call: Call, exchange: _Exchange) -> None:
        async with self._post("/v1/chat/completions", self._body(call), self._headers(call)) as got:
            exchange.begin(got.status, got.headers)
            if got.status != 200:
                exchange.failure = _refusal(got.status, await exchange.whole(got))
            elif call.stream:
                await exchange.read_stream(got.content)
            else:
                exchange.take(_object(await exchange.whole(got)))

    def _body(self, call: Call) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.target.model,
            "messages": [{"role": "user", "content": call.question}],
            "max_tokens": call.max_tokens,
            "user": call.user,
        }
        if self.target.temperature is not None:
            body["temperature"] = self.target.temperature
        if call.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def _headers(self, call: Call) -> dict[str, str]:
        return {"x-request-id": self.request_id(call), "x-loop-session": call.session} | self._key()

    def _key(self) -> dict[str, str]:
        key = self.target.api_key
        return {"authorization": f"Bearer {key}"} if key else {}


class _Exchange:
    """What is known of an answer so far."""

    def __init__(self, clock: Callable[[], float], request_id: str) -> None:
        self._clock, self._sent, self._request_id = clock, clock(), request_id
        self._headers: Mapping[str, str] = {}
        self._first_token_ms: float | None = None
        self._version = ""
        self._usage: Mapping[str, Any] = {}
        self._response_id = ""
        self._answer: list[str] = []
        self._ended = False
        self.status = 0
        self.failure: Failure | None = None

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self._headers = status, headers

    def take(self, value: dict[str, Any]) -> None:
        """Take a whole answer, or one chunk of a stream."""
        if "error" in value:
            self._ended = True
            kind, message = _error(value)
            raise Cut(kind or "error_in_stream", message)
        try:
            self._version = str(value.get("model") or self._version)
            self._usage = dict(value.get("usage") or self._usage)
            self._response_id = str(value.get("id") or self._response_id)
            delta = [choice.get("delta") or {} for choice in value["choices"]]
            whole = [choice.get("message") or {} for choice in value["choices"]]
            self._answer += [str(each.get("content") or "") for each in (*delta, *whole)]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Cut("malformed_answer", f"{type(error).__name__}: {error}") from None
        if self._first_token_ms is None and any(each.get("content") for each in delta):
            self._first_token_ms = self._elapsed_ms()

    async def whole(self, got: aiohttp.ClientResponse) -> bytes:
        """Return a body once its last byte has come."""
        body = await got.read()
        self._ended = True
        return body

    async def read_stream(self, content: aiohttp.StreamReader) -> None:
        async for line in content:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                self._ended = True
                return
            self.take(_object(data))
        self._ended = True
        raise Cut("stream_cut", "the stream ended without [DONE]")

    def reply(self) -> Reply:
        return Reply(
            failure=self.failure,
            latency_ms=self._elapsed_ms(),
            request_id=self._headers.get("x-request-id", self._request_id),
            acknowledged=self._ended,
            first_token_ms=self._first_token_ms,
            overhead_ms=_number(self._headers.get("x-loop-overhead-ms")),
            arm=self._headers.get("x-loop-arm", ""),
            version=self._headers.get("x-loop-version", self._version),
            input_tokens=int(_number(self._usage.get("prompt_tokens")) or 0),
            output_tokens=int(_number(self._usage.get("completion_tokens")) or 0),
            response_id=self._response_id,
            answer="".join(self._answer),
        )

    def _elapsed_ms(self) -> float:
        return (self._clock() - self._sent) * 1000


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Cut("malformed_answer", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Cut("malformed_answer", "not a JSON object")
    return value


def _refusal(status: int, body: bytes) -> Failure:
    try:
        kind, message = _error(_object(body))
    except Cut:
        kind, message = "", body[:200].decode(errors="replace")
    return Failure(kind or "http_error", status, message)


def _error(value: dict[str, Any]) -> tuple[str, str]:
    """Return code (or type) and message of an error in OpenAI's shape."""
    error = value.get("error")
    if not isinstance(error, dict):
        return "", str(error)
    code = error.get("code")
    return (code if isinstance(code, str) else str(error.get("type") or "")), str(error.get("message") or "")
