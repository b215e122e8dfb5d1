"""The two ASGI applications of a gateway: the public one for users, the admin one for the runner.

Paths are matched exactly, as they came over the wire, and none is ever passed on: what is not listed here
does not exist, the engine's LoRA routes among it.
"""

from __future__ import annotations

import secrets
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from runner.errors import TerminalError
from runner.serving import routes
from runner.serving.gateway import ask as asks
from runner.serving.gateway import metrics as metrics_
from runner.serving.gateway.ask import Operation
from runner.serving.gateway.book import RouteBook, Stale, no_such_model
from runner.serving.gateway.callers import CALLER, Caller, KeyedHash, address, check_wishes
from runner.serving.gateway.completions import Completions
from runner.serving.gateway.feedback import Feedback
from runner.serving.gateway.front import Front, Upstream
from runner.serving.gateway.labels import Labels
from runner.serving.gateway.log import EventLog
from runner.serving.gateway.metrics import Metrics
from runner.serving.gateway.replicas import Replicas
from runner.serving.gateway.replies import (
    ApiError,
    MethodNotAllowed,
    Receive,
    Scope,
    Send,
    bad_request,
    error_body,
    reply,
    reply_error,
    reply_json,
    request_id,
)
from runner.serving.gateway.votes import Votes

Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]
TABLE_BYTES = 64 * 1024 * 1024


class Application:
    """Dispatches to endpoints by exact path and method; every failure becomes an error in OpenAI's shape.

    A path that ends in a slash stands for all names right below it. Every answer carries an `x-request-id`.
    """

    def __init__(
        self,
        endpoints: Mapping[bytes, Mapping[str, Endpoint]],
        fresh_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._endpoints, self._fresh_id = endpoints, fresh_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            if not started:
                self._identify(scope, message)
            started = True
            await send(message)

        try:
            await self._endpoint(scope)(scope, receive, watched)
        except ApiError as error:
            await reply_error(watched, error)
        except ConnectionError:
            return
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if started:
                raise
            await reply_json(
                watched, 500, error_body(500, "internal_error", "the gateway failed; see its log")
            )

    def _endpoint(self, scope: Scope) -> Endpoint:
        path = _path(scope)
        methods = self._endpoints.get(path) or self._endpoints.get(path[: path.rfind(b"/") + 1])
        if methods is None:
            raise ApiError(404, "not_found", "there is nothing at this path")
        endpoint = methods.get(scope["method"])
        if endpoint is None:
            raise MethodNotAllowed(methods)
        return endpoint

    def _identify(self, scope: Scope, start: Any) -> None:
        """Give the answer an id where the endpoint has not."""
        if not any(name == b"x-request-id" for name, _ in start["headers"]):
            name = request_id(dict(scope["headers"]), self._fresh_id)
            start["headers"] = [*start["headers"], (b"x-request-id", name.encode())]


class Operations:
    """Health and readiness, for users without a word on the inside, and with it, and metrics, for the runner."""

    def __init__(self, book: RouteBook, replicas: Replicas, log: EventLog, metrics: Metrics) -> None:
        self._book, self._replicas, self._log, self._metrics = book, replicas, log, metrics

    def trouble(self) -> str | None:
        """Return why the gateway is not ready, or None; may name paths of this machine."""
        return self._log.trouble or self._public_trouble()

    def public_endpoints(self) -> dict[bytes, dict[str, Endpoint]]:
        """Return what to serve to users."""
        return _probes(self._alive, self._ready_for_users)

    def admin_endpoints(self) -> dict[bytes, dict[str, Endpoint]]:
        """Return what to serve to the runner."""
        return _probes(self._alive, self._ready) | {b"/metrics": {"GET": self._metrics_text}}

    def _public_trouble(self) -> str | None:
        if not self._book.table.routes:
            return "no route table is in force yet"
        if not self._replicas.any_healthy:
            return "no replica is healthy"
        return self._log.trouble and "requests cannot be logged"

    async def _alive(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await reply_json(send, 200, {"status": "ok"})

    async def _ready(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        trouble = self.trouble()
        if trouble is None:
            await reply_json(send, 200, {"status": "ready", "generation": self._book.table.generation})
        else:
            await reply_json(send, 503, {"status": "not ready", "reason": trouble})

    async def _ready_for_users(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        trouble = self._public_trouble()
        if trouble is None:
            await reply_json(send, 200, {"status": "ready"})
        else:
            await reply_json(send, 503, {"status": "not ready", "reason": trouble})

    async def _metrics_text(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await reply(send, 200, self._metrics.text(), metrics_.MEDIA)


def _probes(alive: Endpoint, ready: Endpoint) -> dict[bytes, dict[str, Endpoint]]:
    return {b"/healthz": {"GET": alive, "HEAD": alive}, b"/readyz": {"GET": ready, "HEAD": ready}}


class Entrance:
    """Lets callers in who have a key, where one is needed; whoever has none is counted and leaves no event."""

    def __init__(self, front: Front, metrics: Metrics) -> None:
        self._callers, self._unknown, self._metrics = front.callers, front.unknown, metrics

    @property
    def has_keys(self) -> bool:
        """Whether anybody could come with a key."""
        return self._callers.has_keys

    def before(self, endpoint: Endpoint) -> Endpoint:
        """Return an endpoint for callers who are known; it finds the Caller in its scope."""

        async def entered(scope: Scope, receive: Receive, send: Send) -> None:
            scope[CALLER] = self._identify(scope)
            check_wishes(dict(scope["headers"]))
            await endpoint(scope, receive, send)

        return entered

    def before_console(self, endpoint: Endpoint) -> Endpoint:
        """Return an endpoint for the console alone, which passes on what a caller who is known does."""

        async def entered(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope[CALLER].console:
                message = "only the console may do this: it sends its secret as 'x-loop-console'"
                raise ApiError(403, "console_only", message)
            await endpoint(scope, receive, send)

        return self.before(entered)

    def _identify(self, scope: Scope) -> Caller:
        try:
            try:
                return self._callers.identify(scope, dict(scope["headers"]))
            except ApiError:
                self._unknown.take(address(scope))  # slows down who guesses, and nobody who has a key
                raise
        except ApiError as refused:
            self._metrics.unknown_caller(refused.status)
            raise


def _path(scope: Scope) -> bytes:
    """Return the path as it came over the wire."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return path


@dataclass(frozen=True, slots=True)
class Desks:
    """Where people say something of answers."""

    feedback: Feedback
    votes: Votes
    labels: Labels


class Public:
    """The endpoints for users; `created` is the time that model cards show, in seconds since 1970."""

    def __init__(self, entrance: Entrance, book: RouteBook, hashed: KeyedHash, created: int) -> None:
        self._entrance, self._book, self._hashed, self._created = entrance, book, hashed, created

    def application(self, operations: Operations, completions: Completions, desks: Desks) -> Application:
        """Return the application."""

        async def chat(scope: Scope, receive: Receive, send: Send) -> None:
            await completions.serve(scope, receive, send, Operation.CHAT)

        async def text(scope: Scope, receive: Receive, send: Send) -> None:
            await completions.serve(scope, receive, send, Operation.COMPLETION)

        known, console = self._entrance.before, self._entrance.before_console
        return Application(
            operations.public_endpoints()
            | {
                b"/v1/chat/completions": {"POST": known(chat)},
                b"/v1/completions": {"POST": known(text)},
                b"/v1/models": {"GET": known(self._models)},
                b"/v1/models/": {"GET": known(self._model)},
                b"/feedback": {"POST": known(desks.feedback.serve)},
                b"/whoami": {"GET": console(self._whoami)},
                b"/votes": {"POST": console(desks.votes.serve)},
                b"/labels": {"POST": console(desks.labels.serve)},
            }
        )

    async def _whoami(self, scope: Scope, _receive: Receive, send: Send) -> None:
        caller: Caller = scope[CALLER]
        user = self._hashed(caller.identity(None))
        said = {"user": user, "group": caller.group, "key": caller.key, "keys": self._entrance.has_keys}
        await reply_json(send, 200, said)

    async def _models(self, scope: Scope, _receive: Receive, send: Send) -> None:
        cards = [self._card(name) for name in self._names(scope)]
        await reply_json(send, 200, {"object": "list", "data": cards})

    async def _model(self, scope: Scope, _receive: Receive, send: Send) -> None:
        name = unquote(_path(scope).rpartition(b"/")[2])
        if name not in self._names(scope):
            raise no_such_model(name)
        await reply_json(send, 200, self._card(name))

    def _names(self, scope: Scope) -> list[str]:
        caller: Caller = scope[CALLER]
        return self._book.models(caller.group, console=caller.console)

    def _card(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "loop"}


class Admin:
    """The endpoints for the runner; `facts` are fixed since the start, `changed` follows a new table."""

    def __init__(
        self, upstream: Upstream, log: EventLog, facts: Mapping[str, Any], changed: Callable[[], None]
    ) -> None:
        self._book, self._replicas = upstream.book, upstream.replicas
        self._log, self._facts, self._changed = log, facts, changed

    def application(self, operations: Operations) -> Application:
        """Return the application."""

        async def state(_scope: Scope, _receive: Receive, send: Send) -> None:
            await reply_json(send, 200, self._state() | {"not_ready": operations.trouble()})

        return Application(
            operations.admin_endpoints() | {b"/state": {"GET": state}, b"/routes": {"PUT": self._put}}
        )

    def _state(self) -> dict[str, Any]:
        replicas = self._replicas.by_url.values()
        return {
            **self._facts,
            "generation": self._book.table.generation,
            "table": routes.to_json(self._book.table),
            "in_flight": dict(self._replicas.in_flight),
            "replicas": {
                r.url: {"healthy": r.healthy, "reason": r.reason, "in_flight": r.in_flight} for r in replicas
            },
            "events": dict(self._log.written),
        }

    async def _put(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = await asks.read_body(scope, receive, TABLE_BYTES, 30.0)
        try:
            table = routes.from_json(orjson.loads(raw))
        except (orjson.JSONDecodeError, TerminalError) as error:
            raise bad_request(f"this is not a route table: {error}") from None
        try:
            taken = await self._book.put(table)
        except Stale as stale:
            both = {"generation": stale.current, "offered": stale.offered}
            await reply_json(send, 409, error_body(409, "stale_generation", str(stale)) | both)
            return
        except OSError as error:
            message = f"the route table cannot be kept on the disk: {error}"
            raise ApiError(503, "table_not_kept", message) from error
        if taken:
            self._changed()
        await reply_json(send, 200, {"generation": self._book.table.generation, "changed": taken})
