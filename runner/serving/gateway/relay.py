"""Hands an answer to the user, whole or chunk by chunk; called by `completions` once it has begun.

`finish` writes the events and may raise ApiError 503; it is called before the last byte leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from runner.serving.gateway.sse import DONE, ChunkReader, event

Clock = Callable[[], float]
STREAM_HEADERS: Headers = [(b"content-type", EVENT_STREAM), (b"cache-control", b"no-cache")]


@dataclass(frozen=True, slots=True)
class Relay:
    """The way of one answer to its user; `version` is the model's name that the user sees."""

    exchange: Exchange
    version: str
    send: Send
    clock: Clock
    finish: Callable[[], None]

    async def whole(self, answer: Whole) -> None:
        """Relay an answer that is complete. Raises ApiError 503 where it cannot be logged."""
        exchange = self.exchange
        exchange.status = answer.status
        value = answer.value
        if answer.status == 200:
            self._note_whole(value)
        else:
            exchange.outcome, exchange.error_type = Outcome.REFUSED, "engine_refused"
            value = _openai_error(answer)
        payload = orjson.dumps(value)
        exchange.first_byte = self.clock()
        self.finish()
        await reply(self.send, answer.status, payload, JSON, exchange.headers(self.clock()))

    async def stream(self, ask: Ask, answer: Stream, timeout_s: float) -> bool:
        """Relay an answer as it arrives; return whether it was complete. A broken one ends with an error."""
        reader = ChunkReader(self.version, ask.wants_usage, ask.choices)
        self.exchange.status, self.exchange.first_byte = 200, self.clock()
        headers = [*STREAM_HEADERS, *self.exchange.headers(self.clock())]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        held: list[bytes] = []
        complete = False
        try:
            async with asyncio.timeout(timeout_s):
                complete = await self._chunks(reader, answer, held)
        except TimeoutError:
            reader.error = f"the answer was not complete within {timeout_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            reader.error = f"the line to the engine broke: {type(error).__name__}"
        finally:
            self._note_stream(reader, answer)
            if not complete:
                answer.close()
        last = self._last_bytes(reader, held, complete)
        await self.send({"type": "http.response.body", "body": last, "more_body": False})
        if complete:
            await answer.drain()
        return complete

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
            if pieces:
                body = b"".join(pieces)
                await self.send({"type": "http.response.body", "body": body, "more_body": True})
            if done or reader.error:
                return reader.error is None
            events = await answer.more()
        if not reader.finished:
            reader.error = "the engine's stream ended before the answer did"
        return reader.finished

    def _last_bytes(self, reader: ChunkReader, held: list[bytes], complete: bool) -> bytes:
        """Write the events, and return the bytes that end the stream: the held chunks, or an error event."""
        if not complete:
            self.exchange.outcome, self.exchange.error_type = Outcome.ERROR, "stream_broken"
        try:
            self.finish()
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
        exchange.usage = _whole_numbers(value.get("usage"))
        for choice in value.get("choices") or ():
            if isinstance(choice, dict):
                exchange.finish_reason = _text(choice.get("finish_reason"))
                said = choice.get("message") or {"role": "assistant", "content": choice.get("text")}
                exchange.answer.append(said)

    def _note_stream(self, reader: ChunkReader, answer: Stream) -> None:
        exchange = self.exchange
        exchange.waited_s += answer.waited_s
        exchange.response_id = _text(reader.response_id)
        exchange.finish_reason = _text(reader.finish_reason)
        exchange.usage = _whole_numbers(reader.usage)
        texts = [texts for _, texts in sorted(reader.texts.items())]
        exchange.answer = [{"role": "assistant", "content": "".join(text)} for text in texts]


def _openai_error(answer: Whole) -> dict[str, Any]:
    error = answer.value.get("error")
    if isinstance(error, dict) and "message" in error:
        return error_body(answer.status, "engine_refused", str(error["message"]), _text(error.get("param")))
    return error_body(answer.status, "engine_refused", "the engine refused the request")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole_numbers(usage: Any) -> dict[str, int]:
    return {k: v for k, v in usage.items() if type(v) is int} if isinstance(usage, dict) else {}
