"""One request and one answer at the gate, below Gradio: what a browser says of itself, bodies. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from runner.console.people.words import LANGUAGES, Words, wished, words

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

LANGUAGE = "loop_language"
"""Cookie of the language that was chosen."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes = b""
    media: str = "text/plain; charset=utf-8"
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request says of who sends it."""

    path: str
    method: str
    query: bytes
    headers: dict[bytes, bytes]
    cookies: dict[str, str]
    address: str
    """Of whoever connected: the browser, or the proxy before it."""

    @property
    def host(self) -> str:
        """The name in the Host header, without its port."""
        found = self.headers.get(b"host", b"").decode("latin-1").lower()
        return found[1:].partition("]")[0] if found.startswith("[") else found.partition(":")[0]

    @property
    def words(self) -> Words:
        """The texts in the visitor's language: the one chosen before, else the browser's."""
        chosen = self.cookies.get(LANGUAGE, "")
        accepted = self.headers.get(b"accept-language", b"").decode("latin-1")
        return words(chosen if chosen in LANGUAGES else wished(accepted))

    @property
    def is_own(self) -> bool:
        """Whether a page of this server sent it, as far as the browser tells."""
        origin = self.headers.get(b"origin")
        if origin is None:
            return self.headers.get(b"sec-fetch-site", b"same-origin") in (b"same-origin", b"none")
        return origin.partition(b"://")[2].lower() == self.headers.get(b"host", b"").lower()

    def asked(self, name: str) -> str:
        """Return a word from the query, empty where there is none."""
        value = parse_qs(self.query.decode("latin-1")).get(name, [""])[0]
        return value if re.fullmatch(r"\w{1,64}", value) else ""


def visit(scope: Scope) -> Visit:
    """Return what a request says of who sends it."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b"; " + value if name in headers else value
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        jar.clear()
    cookies = {name: each.value for name, each in jar.items()}
    client = scope.get("client")
    address = str(client[0]) if client else ""
    return Visit(scope["path"], scope["method"], scope["query_string"], headers, cookies, address)


async def read(receive: Receive, most: int) -> bytes | None:
    """Return a whole body, None where it is longer than `most` bytes or its sender left."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and after it whatever comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def act() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return act


def plain(status: int, text: str) -> Reply:
    """Return one line of text."""
    return Reply(status, f"{text}\n".encode(), headers=((b"cache-control", b"no-store"),))


def to(path: str, *headers: Header) -> Reply:
    """Return a way to another path."""
    return Reply(303, headers=((b"location", path.encode()), (b"cache-control", b"no-store"), *headers))


async def send(out: Send, reply: Reply, method: str) -> None:
    """Send a whole answer."""
    own = [(b"content-type", reply.media.encode()), (b"content-length", str(len(reply.body)).encode())]
    await out({"type": "http.response.start", "status": reply.status, "headers": [*own, *reply.headers]})
    await out({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})
