"""Copies of requests for a shadow: sent after the user was answered, and of no consequence to any user.

`completions` offers every request that it has answered; a few workers send copies of a share of them. A copy that
finds all places taken is dropped, and a shadow that fails leaves no mark on the replica that users share with it.
What comes of a copy is an event of its own, to be compared offline.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from runner.events.schema import Kind
from runner.serving.assignment import is_copied
from runner.serving.gateway.ask import Ask
from runner.serving.gateway.engine import AttemptFailed, EngineRequest, Whole
from runner.serving.gateway.exchange import Exchange, asked
from runner.serving.gateway.front import Front, Upstream
from runner.serving.gateway.metrics import Metrics
from runner.serving.gateway.replicas import NO_REPLICA, Replica
from runner.serving.gateway.replies import ApiError, Outcome
from runner.serving.gateway.sse import logged_usage
from runner.serving.routes import Version

WORKERS = 4
"""Copies under way at once: what a shadow that hangs can take of the engine and of the connections."""
WAITING = 32
"""Copies that may wait: at the largest body allowed by default, 32 MB."""
FULL = "too_many_waiting"


class CopyOutcome(StrEnum):
    """How a copy ended, as the event says it."""

    OK = "ok"
    ERROR = "error"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class _Copy:
    """One request to repeat, and the answer that its user got."""

    event_id: str
    request_id: str
    response_id: str | None
    version: Version
    ask: Ask
    answer: list[Any]
    keeps: bool

    @property
    def body(self) -> bytes:
        """The same request, its answer wanted in one piece."""
        kept = {name: value for name, value in self.ask.body.items() if name != "stream_options"}
        return orjson.dumps(kept | {"model": self.version.served, "stream": False})


@dataclass(slots=True)
class _Result:
    """What came of a copy."""

    outcome: CopyOutcome
    why: str = ""
    replica: str | None = None
    latency_ms: float | None = None
    answer: Whole | None = None


class Shadows:
    """Sends copies, a few at once, until `run` is cancelled."""

    def __init__(self, front: Front, upstream: Upstream, metrics: Metrics) -> None:
        self._front, self._upstream, self._metrics = front, upstream, metrics
        self._waiting = asyncio.Queue[_Copy](WAITING)

    def offer(self, exchange: Exchange) -> None:
        """Copy a request that was answered, if its alias has a shadow and it belongs to the sample; never waits.

        A request that the shadow's own version answered is not asked again.
        """
        resolution, choice, ask = exchange.resolution, exchange.choice, exchange.ask
        if resolution is None or resolution.shadow is None or choice is None or ask is None:
            return
        shadow = resolution.shadow
        if exchange.outcome is not Outcome.OK or choice.version == shadow.version:
            return
        if not is_copied(shadow, exchange.request_id):
            return
        copy = _Copy(
            exchange.event_id,
            exchange.request_id,
            exchange.response_id,
            shadow.version,
            ask,
            exchange.answer,
            exchange.keeps,
        )
        try:
            self._waiting.put_nowait(copy)
        except asyncio.QueueFull:
            self._note(copy, self._front.sources.wall_us(), _Result(CopyOutcome.DROPPED, FULL), {})

    async def run(self) -> None:
        """Send what was offered, for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            copy = await self._waiting.get()
            try:
                await self._send(copy)
            except Exception:  # one odd copy must not end the worker
                traceback.print_exc(file=sys.stderr)

    async def _send(self, copy: _Copy) -> None:
        at_us = self._front.sources.wall_us()
        replica = self._replica(copy.version)
        if replica is None:
            result = _Result(CopyOutcome.DROPPED, NO_REPLICA)
        else:
            result = await self._ask(copy, replica)
        self._note(copy, at_us, result, await self._said(copy, result))

    def _replica(self, version: Version) -> Replica | None:
        """Return where the table in force, which may be newer than the copy, has the version; ailing ones last."""
        replicas, urls = self._upstream.replicas, self._upstream.book.table.replicas.get(version.served, ())
        known = replicas.usable(_as_shadow(version), urls) + replicas.last_resort(_as_shadow(version), urls)
        return known[0] if known else None

    async def _ask(self, copy: _Copy, replica: Replica) -> _Result:
        """Send a copy to one replica; its load counts there as any other's."""
        replicas, now = self._upstream.replicas, self._front.sources.monotonic
        served = [copy.version.served]
        request = EngineRequest(replica.url, copy.ask.operation, copy.body, False, copy.ask.choices)
        replicas.hold(served)
        replica.in_flight += 1
        start = now()
        try:
            answer = await self._upstream.engine.ask(request, self._front.config.limits.total_timeout_s)
        except AttemptFailed as failed:
            replicas.failed_alone(replica, _as_shadow(copy.version), failed.failure)
            return _Result(CopyOutcome.ERROR, failed.failure.value, replica.url, (now() - start) * 1000)
        finally:
            replica.in_flight -= 1
            replicas.release(served)
        replica.pairs.pop(_as_shadow(copy.version), None)
        latency_ms = (now() - start) * 1000
        if not isinstance(answer, Whole) or answer.status != 200:
            return _Result(CopyOutcome.ERROR, "engine_refused", replica.url, latency_ms)
        return _Result(CopyOutcome.OK, "", replica.url, latency_ms, answer)

    async def _said(self, copy: _Copy, result: _Result) -> dict[str, Any]:
        """Return the event's fields on what the shadow answered, as far as the policy lets them be kept."""
        if result.answer is None:
            return {}
        messages = _messages(result.answer)
        usage = logged_usage(result.answer.value.get("usage"))
        fields: dict[str, Any] = {
            "gen_ai.usage.input_tokens": usage.get("prompt_tokens"),
            "gen_ai.usage.output_tokens": usage.get("completion_tokens"),
            "loop.same": [_words(each) for each in messages] == [_words(each) for each in copy.answer],
        }
        if copy.keeps and self._front.privacy.keeps_conversations:
            # with the question before it a value gets the placeholder that it has in the content event
            kept = await self._front.privacy.kept(asked(copy.ask), messages)
            fields["gen_ai.output.messages"] = orjson.dumps(kept.values[1]).decode()
        return fields

    def _note(self, copy: _Copy, at_us: int, result: _Result, said: dict[str, Any]) -> None:
        event = {
            "event.id": f"{copy.event_id}-shadow",
            "event.time": at_us,
            "loop.environment": self._front.config.environment,
            "loop.request.id": copy.request_id,
            "gen_ai.response.id": copy.response_id,
            "loop.version": copy.version.name,
            "loop.adapter.digest": copy.version.digest,
            "loop.replica": result.replica,
            "loop.outcome": result.outcome.value,
            "error.type": result.why,
            "loop.latency_ms": result.latency_ms,
        } | said
        with contextlib.suppress(ApiError):  # a log that takes nothing refuses the users' requests itself
            self._front.log.write(
                Kind.SHADOW, {name: value for name, value in event.items() if value is not None}
            )
            self._metrics.copied(result.outcome.value)


def _as_shadow(version: Version) -> str:
    """Return the name under which a copy's failures are kept, apart from those that users met with that version."""
    return f"{version.served} (shadow)"


def _messages(answer: Whole) -> list[Any]:
    """Return what was said, one message for each choice, in their order."""
    choices = sorted(enumerate(answer.value["choices"]), key=lambda each: each[1].get("index", each[0]))
    return [
        choice.get("message") or {"role": "assistant", "content": choice.get("text")} for _, choice in choices
    ]


def _words(message: Any) -> tuple[Any, ...]:
    """Return what of a message can be compared, whether it was streamed or not."""
    if not isinstance(message, dict):
        return (message,)
    calls = message.get("tool_calls")
    functions = (
        [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    )
    return message.get("content") or "", functions
