"""Hands an answer to the user, whole or chunk by chunk; called by `completions` once it has begun.

`finish` writes the events and may raise ApiError 503; it is called before the last byte leaves. A user who does
not read holds a place no longer than the total time-out: `SlowReader` then tells the caller to cut the line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from runner.serving.gateway.ask import Ask
from runner.serving.gateway.engine import Stream, Whole
from runner.serving.gateway.exchange import Exchange
from runner.serving.gateway.replies import (
    EVENT_STREAM,
    JSON,
    ApiError,
    Headers,
    Outcome,
    Send,
    error_body,
    reply,
)
from runner.serving.gateway.sse import DONE, ChunkReader, event, logged_usage

Clock = Callable[[], float]
ID_CHARACTERS = 128
STREAM_HEADERS: Headers = [(b"content-type", EVENT_STREAM), (b"cache-control", b"no-cache")]


class SlowReader(Exception):
    """The user did not take the answer in time."""


@dataclass(slots=True)
class Relay:
    """The way of one answer to its user; `version` is the model's name that the user sees."""

    exchange: Exchange
    version: str
    send: Send
    clock: Clock
    finish: Callable[[], Awaitable[None]]
    _sending: bool = False

    async def whole(self, answer: Whole, timeout_s: float) -> None:
        """Relay an answer that is complete.

        Raises ApiError 502 or 503 where it cannot be passed on or logged, SlowReader.
        """
        exchange = self.exchange
        exchange.status = answer.status
        value = answer.value
        if answer.status == 200:
            self._note_whole(value)
        else:
            exchange.outcome, exchange.error_type = Outcome.REFUSED, "engine_refused"
            value = _openai_error(answer)
        try:
            payload = orjson.dumps(value)
        except orjson.JSONEncodeError as error:
            exchange.arm_failed("malformed_answer")
            raise ApiError(
                502, "malformed_answer", f"the engine's answer cannot be passed on: {error}"
            ) from None
        exchange.first_byte = self.clock()
        await self.finish()
        exchange.begun = True
        try:
            async with asyncio.timeout(timeout_s):
                await reply(self.send, answer.status, payload, JSON, exchange.headers(self.clock()))
        except TimeoutError:
            raise SlowReader from None

    async def stream(self, ask: Ask, answer: Stream, timeout_s: float) -> bool:
        """Relay an answer as it arrives; return whether it was complete. A broken one ends with an error.

        Raises SlowReader.
        """
        reader = ChunkReader(self.version, ask.wants_usage, ask.choices)
        held: list[bytes] = []
        complete = ended = False
        try:
            async with asyncio.timeout(timeout_s):
                await self._begin()
                complete = await self._chunks(reader, answer, held)
                await self._body(
                    b""
                )  # what went before has left: from here on nothing can keep the last bytes
                ended = complete
        except TimeoutError:
            if self._sending:
                raise SlowReader from None
            reader.error = f"the answer was not complete within {timeout_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            reader.error = f"the line to the engine broke: {type(error).__name__}"
        finally:
            self._note_stream(reader, answer)
            if not ended:
                answer.close()
        await self._end(await self._last_bytes(reader, held, complete))
        if complete:
            await answer.drain()
        return complete

    async def _begin(self) -> None:
        exchange = self.exchange
        exchange.status, exchange.first_byte, exchange.begun = 200, self.clock(), True
        headers = [*STREAM_HEADERS, *exchange.headers(self.clock())]
        self._sending = True
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        self._sending = False

    async def _body(self, body: bytes) -> None:
        self._sending = True
        await self.send({"type": "http.response.body", "body": body, "more_body": True})
        self._sending = False

    async def _end(self, body: bytes) -> None:
        """Send the last bytes; whoever has not taken those before them by now is cut off."""
        try:
            async with asyncio.timeout(0):
                await self.send({"type": "http.response.body", "body": body, "more_body": False})
        except TimeoutError:
            raise SlowReader from None

    async def _chunks(self, reader: ChunkReader, answer: Stream, held: list[bytes]) -> bool:
        """Send chunks up to the one that ends the answer; that one and all later ones go into `held`."""
        events = answer.first
        while events:
            done = DONE in events
            pieces: list[bytes] = []
            for data in events[: events.index(DONE)] if done else events:
                piece = reader.read(data)
                if piece:
                    (held if reader.finished else pieces).append(piece)
                elif reader.error:
                    break
            if pieces:
                await self._body(b"".join(pieces))
            if done or reader.error:
                break
            events = await answer.more()
        if not reader.finished and not reader.error:
            reader.error = "the engine's stream ended before the answer did"
        return reader.error is None

    async def _last_bytes(self, reader: ChunkReader, held: list[bytes], complete: bool) -> bytes:
        """Write the events, and return the bytes that end the stream: the held chunks, or an error event."""
        if not complete:
            self.exchange.outcome, self.exchange.error_type = Outcome.ERROR, "stream_broken"
            self.exchange.arm_failed("stream_broken")
        try:
            await self.finish()
        except ApiError as unwritable:
            return event(orjson.dumps(unwritable.body))
        if complete:
            return b"".join(held) + event(DONE)
        message = reader.error or "the answer could not be completed"
        return event(orjson.dumps(error_body(502, "stream_broken", message)))

    def _note_whole(self, value: dict[str, Any]) -> None:
        exchange = self.exchange
        value["model"] = self.version
        exchange.response_id = _text(value.get("id"))
        exchange.usage = logged_usage(value.get("usage"))
        for choice in value["choices"]:
            exchange.finish_reason = choice["finish_reason"]
            said = choice.get("message") or {"role": "assistant", "content": choice.get("text")}
            exchange.answer.append(said)

    def _note_stream(self, reader: ChunkReader, answer: Stream) -> None:
        exchange = self.exchange
        exchange.waited_s += answer.waited_s
        exchange.response_id = _text(reader.response_id)
        exchange.finish_reason = reader.finish_reason
        exchange.usage = reader.usage
        exchange.answer = reader.messages


def _openai_error(answer: Whole) -> dict[str, Any]:
    error = answer.value.get("error")
    if isinstance(error, dict) and "message" in error:
        return error_body(answer.status, "engine_refused", str(error["message"]), _text(error.get("param")))
    return error_body(answer.status, "engine_refused", "the engine refused the request")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= ID_CHARACTERS else None
