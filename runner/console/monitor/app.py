"""Serves the monitor page: an ASGI application for reading only, and `serve`, which runs it until told to stop.

`loop monitor` gives it a `Feed`; nothing here reads files or decides. Who may connect is a matter of the address
it listens on; a page of another site is kept out by the names it answers to (DNS rebinding) and by its headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

from runner.console.monitor import page
from runner.console.monitor.feed import Feed, to_json
from runner.listening import listening, url

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BEAT_S = 4.0
"""How often a stream says that it lives; the page calls three silent beats a lost connection."""
BACKLOG = 128
STREAMS = 64
"""Most pages that are kept up to date at a time."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HTML, JSON, STREAM = "text/html; charset=utf-8", "application/json", "text/event-stream"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    media: str
    headers: tuple[tuple[bytes, bytes], ...] = ((b"cache-control", b"no-store"),)


@dataclass(frozen=True, slots=True)
class _Written:
    """The sections of one page, rendered once for all who watch."""

    number: int
    parts: dict[str, str]


class Monitor:
    """The application. `hosts` are the names it answers to besides those of the loopback; `stop` ends all streams."""

    def __init__(
        self,
        state: Feed,
        hosts: Collection[str],
        stop: asyncio.Event,
        clock: Callable[[], float] = time.time,
        beat: float = BEAT_S,
    ) -> None:
        self._state, self._hosts, self._stop = state, LOOPBACK | set(hosts), stop
        self._clock, self._beat = clock, beat
        self._streams = 0
        self._assets = page.assets()
        self._written: _Written | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        try:
            if scope["path"] == "/events" and scope["method"] == "GET" and not self._refusal(scope):
                await self._events(receive, send)
            else:
                await _send(send, self._reply(scope), scope["method"])
        except Exception:
            traceback.print_exc(file=sys.stderr)
            raise

    def _reply(self, scope: Scope) -> Reply:
        path: str = scope["path"]
        if refusal := self._refusal(scope):
            return refusal
        if path.startswith("/assets/"):
            return self._asset(path.removeprefix("/assets/"))
        match path:
            case "/":
                found = Reply(200, self._page(scope).encode(errors="replace"), HTML)
            case "/api/snapshot":
                found = Reply(200, _json(to_json(self._state.page)), JSON)
            case "/metrics":
                found = Reply(200, self._state.metrics(), PROMETHEUS)
            case "/healthz":
                found = Reply(200, _json({"status": "ok"}), JSON)
            case "/events":
                found = Reply(200, b"", STREAM)
            case _:
                found = _plain(404, "there is nothing at this path")
        return found

    def _page(self, scope: Scope) -> str:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return page.whole(self._state.page, self._clock(), page.filtered(query))

    def _refusal(self, scope: Scope) -> Reply | None:
        """Return why a request is not served, or None."""
        if scope["method"] not in ("GET", "HEAD"):
            return _plain(405, "this page is for reading", ((b"allow", b"GET, HEAD"),))
        host = _host(scope)
        server = scope.get("server")
        if host in self._hosts or (server is not None and host == server[0]):
            return None
        return _plain(421, "the monitor does not answer to this name; name it where `loop monitor` listens")

    def _asset(self, name: str) -> Reply:
        if name not in self._assets:
            return _plain(404, "there is nothing at this path")
        content, media = self._assets[name]
        lasting = b"no-cache" if name == "icon.svg" else b"public, max-age=31536000, immutable"
        return Reply(200, content, media, ((b"cache-control", lasting),))

    async def _events(self, receive: Receive, send: Send) -> None:
        if self._streams >= STREAMS:
            await _send(send, _plain(503, f"{STREAMS} pages are open already; this one tries again"), "GET")
            return
        self._streams += 1
        ends = [asyncio.ensure_future(_gone(receive)), asyncio.ensure_future(self._stop.wait())]
        try:
            await send(_start(200, STREAM, ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))))
            await self._follow(send, ends)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams -= 1
            for end in ends:
                end.cancel()

    async def _follow(self, send: Send, ends: Collection[asyncio.Future[Any]]) -> None:
        """Send what changed whenever a page is published, and a beat in between, until one of `ends` comes."""
        sent: dict[str, str] = {}
        number = -1
        while not any(end.done() for end in ends):
            if self._state.number != number:
                written = self._render()
                number = written.number
                changed = {name: html for name, html in written.parts.items() if sent.get(name) != html}
                sent = written.parts
                await _event(send, "page", {"build": page.build(), "now": self._clock(), "parts": changed})
            else:
                await _event(send, "beat", {"now": self._clock()})
            newer = asyncio.ensure_future(self._state.after(number))
            await asyncio.wait({newer, *ends}, timeout=self._beat, return_when=asyncio.FIRST_COMPLETED)
            newer.cancel()

    def _render(self) -> _Written:
        if self._written is None or self._written.number != self._state.number:
            self._written = _Written(self._state.number, page.parts(self._state.page, self._clock()))
        return self._written


async def serve(
    listen: str,
    state: Feed,
    stop: asyncio.Event,
    hosts: Collection[str] = (),
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve on `HOST:PORT` until `stop` is set; `ready` is told the address once it is open.

    `hosts` are further names by which browsers reach it, through a proxy for example. Raises TerminalError where
    the address is not to be had.
    """
    with contextlib.closing(listening(listen, BACKLOG)) as listener:
        own = listen.rpartition(":")[0].strip("[]").lower()
        application = Monitor(state, {own, *hosts}, stop)
        server = _Server(
            uvicorn.Config(
                application,
                backlog=BACKLOG,
                limit_concurrency=2 * BACKLOG,
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
            )
        )
        ready(url(listener))
        running = asyncio.ensure_future(server.serve(sockets=[listener]))
        ending = asyncio.ensure_future(stop.wait())
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """Leaves signals to the caller of `serve`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _host(scope: Scope) -> str:
    """Return the name in the Host header without its port, "" where there is not exactly one."""
    found: list[str] = [
        value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"
    ]
    if len(found) != 1:
        return ""
    if found[0].startswith("["):
        return found[0][1:].partition("]")[0]
    return found[0].partition(":")[0]


async def _gone(receive: Receive) -> None:
    """Return when the client left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _event(send: Send, name: str, value: dict[str, Any]) -> None:
    body = b"event: " + name.encode() + b"\ndata: " + _json(value) + b"\n\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _json(value: dict[str, Any]) -> bytes:
    """Return JSON on one line; what is no Unicode (half a surrogate pair) is written as an escape."""
    return json.dumps(value).encode()


def _plain(status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    own = (*headers, (b"cache-control", b"no-store"))
    return Reply(status, f"{text}\n".encode(), "text/plain; charset=utf-8", own)


def _start(status: int, media: str, headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, Any]:
    own = [(b"content-type", media.encode()), *headers, *_HEADERS]
    return {"type": "http.response.start", "status": status, "headers": own}


async def _send(send: Send, reply: Reply, method: str) -> None:
    length = (b"content-length", str(len(reply.body)).encode())
    await send(_start(reply.status, reply.media, (*reply.headers, length)))
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})
