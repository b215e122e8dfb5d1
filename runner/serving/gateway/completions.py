"""The story of one request: understood, resolved to an arm, tried on replicas, relayed, and logged.

Serves `/v1/chat/completions` and `/v1/completions` for the public application. A request that fails before
its first byte reached the user goes to another replica, then from the candidate to the baseline (invariant
9). The event is written before the last byte leaves (invariant 10), in exactly one place. Once the answer has
left, a shadow may get a copy of the question.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from dataclasses import dataclass
from typing import Any, cast

import orjson

from runner.events.schema import Kind
from runner.serving.gateway import ask as asks
from runner.serving.gateway.ask import Ask, Operation
from runner.serving.gateway.book import Choice, Resolution
from runner.serving.gateway.callers import CALLER, Caller, address
from runner.serving.gateway.engine import AttemptFailed, EngineRequest, Stream, Whole
from runner.serving.gateway.exchange import Exchange, content_event, conversation, request_event
from runner.serving.gateway.front import Front, Upstream
from runner.serving.gateway.metrics import Metrics
from runner.serving.gateway.relay import Relay, SlowReader
from runner.serving.gateway.replicas import Failure, Replica
from runner.serving.gateway.replies import (
    CUT,
    ApiError,
    Outcome,
    Receive,
    Scope,
    Send,
    reply_error,
    request_id,
)
from runner.serving.gateway.shadow import Shadows

CLIENT_GONE = 499  # nginx's number for a client that closed its connection


@dataclass(frozen=True, slots=True)
class _Turn:
    """One request that is being answered."""

    exchange: Exchange
    ask: Ask
    resolution: Resolution
    send: Send


class Completions:
    """Serves both generation endpoints."""

    def __init__(self, front: Front, upstream: Upstream, metrics: Metrics, shadows: Shadows) -> None:
        self._front, self._upstream, self._metrics, self._shadows = front, upstream, metrics, shadows
        self._limits = front.config.limits
        self._now = front.sources.monotonic
        self.in_flight = 0

    async def serve(self, scope: Scope, receive: Receive, send: Send, operation: Operation) -> None:
        """Answer one request; whatever happens, the client gets an answer and the log an event."""
        exchange = self._begin(scope, operation)
        try:
            ask, resolution = await self._understand(exchange, scope, receive)
            with _Slot(self, self._limits.in_flight):
                await self._answer_watched(_Turn(exchange, ask, resolution, send), receive)
            self._shadows.offer(exchange)
        except ApiError as error:
            await self._refuse(exchange, scope, send, error)
        except ConnectionError:
            await self._abandon(exchange, "client_gone")
        except SlowReader:
            await self._abandon(exchange, "client_too_slow")
            await _cut(scope)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            await self._fail(exchange, scope, send)

    def _begin(self, scope: Scope, operation: Operation) -> Exchange:
        fresh = self._front.sources.fresh_id()
        return Exchange(
            event_id=fresh,
            request_id=request_id(dict(scope["headers"]), lambda: fresh),
            operation=operation,
            arrived_us=self._front.sources.wall_us(),
            started=self._now(),
            user=self._front.hashed(address(scope)),
        )

    async def _understand(self, exchange: Exchange, scope: Scope, receive: Receive) -> tuple[Ask, Resolution]:
        front = self._front
        front.log.check()
        caller: Caller = scope[CALLER]
        exchange.group, exchange.console, exchange.keeps = caller.group, caller.console, caller.keeps
        front.rate.take(caller.name)
        raw = await asks.read_body(scope, receive, self._limits.body_bytes, self._limits.total_timeout_s)
        exchange.started, exchange.arrived_us = self._now(), front.sources.wall_us()
        ask = exchange.ask = asks.parse(exchange.operation, raw)
        if self._upstream.book.knows(ask.model):
            exchange.model = ask.model
        user = caller.identity(ask.user)
        exchange.user = front.hashed(user)
        exchange.session = front.hashed(f"session\0{caller.session}") if caller.session else None
        book = self._upstream.book
        resolution = exchange.resolution = book.resolve(ask.model, user, caller.group, console=caller.console)
        return ask, resolution

    async def _answer_watched(self, turn: _Turn, receive: Receive) -> None:
        """Answer, and stop at once when the client goes away."""
        work = cast("asyncio.Task[None]", asyncio.current_task())
        watcher = asyncio.get_running_loop().create_task(_cancel_when_gone(receive, work, turn.exchange))
        try:
            await self._answer(turn, watcher)
        except asyncio.CancelledError:
            if not turn.exchange.client_gone:
                raise
            work.uncancel()
            await self._abandon(turn.exchange, "client_gone")
        finally:
            watcher.cancel()

    async def _answer(self, turn: _Turn, watcher: asyncio.Task[None]) -> None:
        served = [choice.version.served for choice in turn.resolution.choices]
        self._upstream.replicas.hold(served)
        try:
            answer, choice, replica = await self._first_answer(turn)
            try:
                await self._relay(turn, answer, choice, replica, watcher)
            finally:
                replica.in_flight -= 1
        finally:
            self._upstream.replicas.release(served)

    async def _first_answer(self, turn: _Turn) -> tuple[Whole | Stream, Choice, Replica]:
        """Try arm after arm, replica after replica. Raises ApiError 502, 503 or 504 when all have failed."""
        replicas = self._upstream.replicas
        failure: AttemptFailed | None = None
        for choice in turn.resolution.choices:
            turn.exchange.choice = choice
            served = choice.version.served
            order = replicas.usable(served, choice.replicas)
            if choice is turn.resolution.choices[-1]:
                order += replicas.last_resort(served, choice.replicas)
            if not order:
                turn.exchange.arm_failed(replicas.why_unusable(served, choice.replicas))
            for replica in order:
                try:
                    answer = await self._attempt(turn, choice, replica)
                except AttemptFailed as failed:
                    failure = failed
                    turn.exchange.arm_failed(failed.failure.value)
                    replicas.failed(replica, served, failed.failure)
                    self._metrics.attempt_failed(choice.version.name, failed.failure)
                else:
                    replicas.succeeded(replica, served)
                    turn.exchange.arm_failed("")  # whichever of its replicas failed before
                    turn.exchange.answered = True
                    return answer, choice, replica
        raise _exhausted(failure)

    async def _attempt(self, turn: _Turn, choice: Choice, replica: Replica) -> Whole | Stream:
        """Ask one replica; its load counts from here until the answer has been relayed."""
        exchange, ask = turn.exchange, turn.ask
        left = self._time_left(exchange)
        if left <= 0:
            raise ApiError(504, "timeout", f"no answer within {self._limits.total_timeout_s:g} s")
        body = upstream_body(ask, choice.version.served)
        exchange.attempts, exchange.replica = exchange.attempts + 1, replica.url
        replica.in_flight += 1
        start = self._now()
        try:
            request = EngineRequest(replica.url, ask.operation, body, ask.stream, ask.choices)
            return await self._upstream.engine.ask(request, min(left, self._limits.first_byte_timeout_s))
        except BaseException:
            replica.in_flight -= 1
            raise
        finally:
            exchange.waited_s += self._now() - start

    async def _relay(
        self,
        turn: _Turn,
        answer: Whole | Stream,
        choice: Choice,
        replica: Replica,
        watcher: asyncio.Task[None],
    ) -> None:
        exchange = turn.exchange

        async def finish() -> None:
            watcher.cancel()  # from here on the answer counts as given
            await self._finish(exchange)

        left = self._time_left(exchange)
        relay = Relay(exchange, choice.version.name, turn.send, self._now, finish)
        match answer:
            case Whole():
                await relay.whole(answer, left)
            case Stream():
                if not await relay.stream(turn.ask, answer, left):
                    self._upstream.replicas.failed(replica, choice.version.served, Failure.ENGINE)

    def _time_left(self, exchange: Exchange) -> float:
        return self._limits.total_timeout_s - (self._now() - exchange.started)

    async def _refuse(self, exchange: Exchange, scope: Scope, send: Send, error: ApiError) -> None:
        exchange.status, exchange.outcome, exchange.error_type = error.status, error.outcome, error.code
        exchange.answer = []
        try:
            await self._finish(exchange)
        except ApiError as unwritable:
            error = unwritable
        try:
            async with asyncio.timeout(self._limits.total_timeout_s):
                await reply_error(send, error, exchange.headers(self._now()))
        except TimeoutError:
            await _cut(scope)

    async def _fail(self, exchange: Exchange, scope: Scope, send: Send) -> None:
        """Answer and log a request that met a fault of ours; what the engine said may be what brought it about."""
        exchange.usage, exchange.response_id, exchange.finish_reason = {}, None, None
        error = ApiError(500, "internal_error", "the gateway failed; see its log")
        if not exchange.begun:
            await self._refuse(exchange, scope, send, error)
            return
        exchange.outcome, exchange.error_type, exchange.answer = error.outcome, error.code, []
        try:
            await self._finish(exchange)
        finally:
            await _cut(scope)

    async def _abandon(self, exchange: Exchange, why: str) -> None:
        """Log a request whose client went away; nobody is left to be told if that fails."""
        exchange.status, exchange.outcome = CLIENT_GONE, Outcome.CANCELLED
        exchange.error_type, exchange.answer = why, []
        try:
            await self._finish(exchange)
        except ApiError:
            return

    async def _finish(self, exchange: Exchange) -> None:
        """Write the events of a request: the one place. Raises ApiError 503 where the log refuses."""
        if exchange.logged:
            return
        environment, log, privacy = self._front.config.environment, self._front.log, self._front.privacy
        said = conversation(exchange)
        if said is not None and exchange.keeps and privacy.keeps_conversations:
            kept = await privacy.kept(*said)
            log.write(Kind.CONTENT, content_event(exchange, environment, kept))
        event = request_event(exchange, environment, self._now())
        log.write(Kind.REQUEST, event)
        exchange.logged = True
        if exchange.response_id:
            log.recent.remember(exchange.response_id, exchange.user)
        self._metrics.answered(event)


class _Slot:
    """One of the requests that may be in flight at once."""

    def __init__(self, completions: Completions, limit: int) -> None:
        self._completions, self._limit = completions, limit

    def __enter__(self) -> None:
        if self._completions.in_flight >= self._limit:
            error = ApiError(429, "overloaded", f"{self._limit} requests are in flight", retry_after_s=1)
            error.outcome = Outcome.ERROR
            raise error
        self._completions.in_flight += 1

    def __exit__(self, *_: object) -> None:
        self._completions.in_flight -= 1


def upstream_body(ask: Ask, served: str) -> bytes:
    """Return the body for the engine: the served name, and the usage always, since it is logged."""
    body: dict[str, Any] = ask.body | {"model": served}
    if ask.stream:
        body["stream_options"] = (ask.body.get("stream_options") or {}) | {"include_usage": True}
    return orjson.dumps(body)


async def _cut(scope: Scope) -> None:
    """End the connection at once; closing it would wait for a client that does not read."""
    cut = scope.get(CUT)
    if cut is not None:
        cut()
        await asyncio.sleep(0)  # the server hears of it before the request ends


async def _cancel_when_gone(receive: Receive, work: asyncio.Task[Any], exchange: Exchange) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    exchange.client_gone = True
    work.cancel()


def _exhausted(failure: AttemptFailed | None) -> ApiError:
    """Return the error for a request that every replica failed."""
    if failure is None:
        return ApiError(503, "no_replica", "no replica serves this model now")
    match failure.failure:
        case Failure.TIMEOUT:
            return ApiError(504, failure.failure.value, "no replica answered in time")
        case Failure.CONNECTION | Failure.MISSING | Failure.OVERLOADED:
            return ApiError(503, failure.failure.value, "no replica could answer")
        case _:
            return ApiError(502, failure.failure.value, "the engine failed to answer")
