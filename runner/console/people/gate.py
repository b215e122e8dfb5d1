"""What stands before the pages: the names it answers to, who is signed in, and the few paths of Gradio that are open.

An ASGI application around Gradio's. Whoever has no session sees the sign-in page and nothing else; a request of
another site is refused; a page of one browser is closed to every other. All answers carry headers that keep a browser
from asking any other host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, MutableMapping
from importlib import resources
from typing import Any

from runner.console.people import visits
from runner.console.people.entrance import Entrance
from runner.console.people.sessions import Sessions
from runner.console.people.visits import Application, Header, Receive, Reply, Scope, Send, Visit, plain, to
from runner.console.people.words import LANGUAGES

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
BODY_BYTES = 512 * 1024
"""Of one call; the longest texts that a page takes fit several times."""
_ASSETS = re.compile(r"/(?:(?:assets|static|svelte)/[\w./-]+|theme\.css|gradio_api/startup-events|config)?")
_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/(\w{1,64})")
_CALLS = frozenset({"/gradio_api/queue/join", "/gradio_api/reset", "/gradio_api/cancel"})
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; frame-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""Gradio compiles its templates in the browser, hence `unsafe-eval`; no other host is ever asked."""
_HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOTHING = plain(404, "there is nothing at this path")


class Gate:
    """The application. `pages` is Gradio's, with one language mounted below `/LANGUAGE` each.

    `hosts` are the names it answers to besides those of the loopback.
    """

    def __init__(
        self, pages: Application, entrance: Entrance, sessions: Sessions, hosts: Collection[str]
    ) -> None:
        self._pages, self._entrance, self._sessions = pages, entrance, sessions
        self._hosts = LOOPBACK | set(hosts)
        self._icon = (resources.files("runner.console.monitor") / "assets" / "icon.svg").read_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the start and end of the server are Gradio's own."""
        if scope["type"] == "lifespan":
            await self._pages(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, _hardened(send))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = visits.visit(scope)
        reply = self._refusal(scope, visit) or self._plain(visit)
        reply = reply or await self._entrance.reply(visit, receive) or self._stopped(visit)
        if reply is None and visit.method == "POST":
            body = await visits.read(receive, BODY_BYTES)
            reply = self._uncalled(visit, body)
            receive = visits.again(body or b"", receive)
        if reply is None:
            await self._pages(scope, receive, send)
        else:
            await visits.send(send, reply, visit.method)

    def _refusal(self, scope: Scope, visit: Visit) -> Reply | None:
        server = scope.get("server")
        if visit.host not in self._hosts and (server is None or visit.host != server[0]):
            return plain(
                421, "the console does not answer to this name; name it where `loop console` listens"
            )
        if visit.method not in ("GET", "HEAD", "POST"):
            return plain(405, "only GET, HEAD and POST are served")
        if visit.method == "POST" and not visit.is_own:
            return plain(403, "this request comes from a page of another site")
        return None

    def _plain(self, visit: Visit) -> Reply | None:
        if visit.method == "POST":
            return None
        match visit.path:
            case "/healthz":
                return Reply(200, b'{"status": "ok"}', "application/json")
            case "/icon.svg" | "/favicon.ico":
                return Reply(200, self._icon, "image/svg+xml", ((b"cache-control", b"max-age=86400"),))
        return None

    def _stopped(self, visit: Visit) -> Reply | None:
        """Return why a request does not reach Gradio; the bodies of those that are calls are `_uncalled`'s."""
        token, inner = self._entrance.token(visit), _inner(visit)
        if inner is None:
            return _NOTHING
        if not token:
            return to("/sign-in") if inner == "/" and visit.method == "GET" else plain(401, "sign in first")
        if visit.method == "POST":
            return None if inner in _CALLS else _NOTHING
        if _ASSETS.fullmatch(inner):
            return None
        beat = _HEARTBEAT.fullmatch(inner)
        page = beat[1] if beat else visit.asked("session_hash") if inner == "/gradio_api/queue/data" else ""
        return self._foreign(token, page) if page else _NOTHING

    def _uncalled(self, visit: Visit, body: bytes | None) -> Reply | None:
        """Return why a call does not reach Gradio."""
        if body is None:
            return plain(413, "this is more than a page ever sends")
        try:
            page = json.loads(body)["session_hash"]
        except (ValueError, KeyError, TypeError, RecursionError):
            page = None
        if not isinstance(page, str) or not re.fullmatch(r"\w{1,64}", page):
            return plain(400, "this is not what a page sends")
        return self._foreign(self._entrance.token(visit), page)

    def _foreign(self, token: str, page: str) -> Reply | None:
        """Return the refusal of a page that another browser opened."""
        return (
            None if self._sessions.owns(token, page) else plain(403, "this page is open in another browser")
        )


def _inner(visit: Visit) -> str | None:
    """Return the path within one language's pages, None for one outside."""
    language, slash, rest = visit.path.removeprefix("/").partition("/")
    return f"/{rest.rstrip('/')}" if language in LANGUAGES and slash else None


def _hardened(send: Send) -> Send:
    async def act(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return act
