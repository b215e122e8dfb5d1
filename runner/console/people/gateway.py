"""The pages' client of the gateway: who somebody is, which versions are live, answers as they stream, votes.

Everything is asked in the name of a person, with the console's secret beside it. What goes wrong is `Refused`, whose
trouble the pages put into words; no retries, since a person can press the button again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from runner.console.people.ports import Person

Message = Mapping[str, str]
QUICK = aiohttp.ClientTimeout(total=20, sock_connect=5)
STREAMED = aiohttp.ClientTimeout(total=300, sock_connect=5, sock_read=60)
LONGEST = 400_000
"""Characters of one answer; an engine that goes on beyond them is stopped."""


class Trouble(StrEnum):
    """Why the gateway did not do what was asked."""

    UNREACHABLE = "unreachable"
    """Nobody answers there, or too slowly."""
    UNKNOWN_KEY = "unknown_key"
    TOO_OFTEN = "too_often"
    GONE = "gone"
    """The version serves no more, or nowhere now."""
    CUT = "cut"
    """The answer broke off."""
    REFUSED = "refused"
    """Anything else; the gateway said why."""


class Refused(Exception):
    """The gateway did not do it. `said` are its words, `wait_s` the seconds after which to try again."""

    def __init__(self, trouble: Trouble, said: str = "", wait_s: int = 0) -> None:
        super().__init__(said or trouble.value)
        self.trouble, self.said, self.wait_s = trouble, said, wait_s


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for an answer; what is None is the engine's to choose."""

    version: str
    messages: Sequence[Message]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None

    @property
    def sampling(self) -> dict[str, Any]:
        """How it is sampled, by the names of the API."""
        named = ("temperature", "top_p", "max_tokens", "seed")
        return {name: getattr(self, name) for name in named if getattr(self, name) is not None}

    @property
    def body(self) -> dict[str, Any]:
        """The request as the API takes it."""
        return {"model": self.version, "messages": list(self.messages), "stream": True, **self.sampling}


@dataclass(slots=True)
class Reply:
    """An answer as it grows; whole once `ended`."""

    version: str
    digest: str = ""
    response_id: str = ""
    text: str = ""
    ended: bool = False


class Gateway:
    """One gateway; a session of aiohttp is opened with `opened`."""

    def __init__(self, url: str, secret: str, session: aiohttp.ClientSession) -> None:
        self._url, self._secret, self._session = url.rstrip("/"), secret, session

    async def who(self, person: Person | None) -> Mapping[str, Any]:
        """Return `{user, group, key, keys}` of a person, or of somebody who says nothing; `key` is the name of the key
        that was sent, null for none and for one that is not looked at, `keys` whether there are any. Raises Refused.
        """
        found: Mapping[str, Any] = await self._call("GET", "/whoami", person)
        return found

    async def models(self, person: Person) -> tuple[str, ...]:
        """Return the names that may be asked for, aliases among them. Raises Refused."""
        found = await self._call("GET", "/v1/models", person)
        return tuple(str(each["id"]) for each in found["data"])

    async def vote(self, person: Person, body: Mapping[str, Any]) -> None:
        """Store a vote; durable when this returns, and the same twice makes one. Raises Refused."""
        await self._call("POST", "/votes", person, body)

    async def feedback(self, person: Person, body: Mapping[str, Any]) -> None:
        """Store what a person says of one answer. Raises Refused."""
        await self._call("POST", "/feedback", person, body)

    async def label(self, person: Person, body: Mapping[str, Any]) -> None:
        """Store what a reviewer says of one item. Raises Refused."""
        await self._call("POST", "/labels", person, body)

    async def answer(self, person: Person, ask: Ask) -> AsyncGenerator[Reply, None]:
        """Ask, and yield the same reply again and again as it grows; the last time it has ended. Raises Refused."""
        headers = self._headers(person)
        try:
            async with self._session.post(
                f"{self._url}/v1/chat/completions", json=ask.body, headers=headers, timeout=STREAMED
            ) as response:
                await _check(response)
                reply = Reply(
                    response.headers.get("x-loop-version", ask.version),
                    response.headers.get("x-loop-digest", ""),
                )
                async for line in response.content:
                    if _take(reply, line):
                        yield reply
                    if reply.ended:
                        return
                    if len(reply.text) > LONGEST:
                        raise Refused(Trouble.CUT, "the answer does not end")
        except aiohttp.ClientPayloadError as error:
            raise Refused(Trouble.CUT, str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Refused(Trouble.UNREACHABLE, str(error)) from error
        raise Refused(Trouble.CUT)

    def _headers(self, person: Person | None) -> dict[str, str]:
        own = {} if person is None else dict(person.headers)
        return {"x-loop-console": self._secret, **own}

    async def _call(
        self, method: str, path: str, person: Person | None, body: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            async with self._session.request(
                method, self._url + path, json=body, headers=self._headers(person), timeout=QUICK
            ) as response:
                await _check(response)
                return await response.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Refused(Trouble.UNREACHABLE, str(error)) from error


@asynccontextmanager
async def opened(url: str, secret: str) -> AsyncIterator[Gateway]:
    """Open a client inside a running event loop, for as long as the context lasts."""
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector, trust_env=False, read_bufsize=LONGEST) as session:
        yield Gateway(url, secret, session)


def _take(reply: Reply, line: bytes) -> bool:
    """Add one line of the stream; return whether it said anything new. Raises Refused, ValueError for no JSON."""
    if not line.startswith(b"data:"):
        return False
    data = line[5:].strip()
    if data == b"[DONE]":
        reply.ended = True
        return True
    chunk = json.loads(data)
    if "error" in chunk:
        raise Refused(Trouble.CUT, _message(chunk))
    reply.response_id = reply.response_id or str(chunk.get("id") or "")
    more = "".join(str(each.get("delta", {}).get("content") or "") for each in chunk.get("choices", ()))
    reply.text += more
    return bool(more)


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise Refused for an answer that is an error."""
    if response.status < 400:
        return
    try:
        said = _message(await response.json())
    except (aiohttp.ClientError, ValueError):
        said = f"status {response.status}"
    wait = response.headers.get("retry-after", "")
    raise Refused(_TROUBLES.get(response.status, Trouble.REFUSED), said, int(wait) if wait.isdecimal() else 0)


_TROUBLES = {
    401: Trouble.UNKNOWN_KEY,
    429: Trouble.TOO_OFTEN,
    404: Trouble.GONE,
    502: Trouble.GONE,
    503: Trouble.GONE,
    504: Trouble.UNREACHABLE,
}


def _message(value: Any) -> str:
    error = value.get("error") if isinstance(value, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""
