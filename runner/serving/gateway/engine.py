"""The way to the replicas: the only module of the gateway that calls them, and only these paths of theirs.

An attempt ends in an answer whose first bytes are there, or in `AttemptFailed` while nothing has reached the
user, so that another replica may be tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from runner.serving.gateway.ask import Operation
from runner.serving.gateway.replicas import Failure
from runner.serving.gateway.sse import Events, Garbled, logged_usage

PATHS = {Operation.CHAT: "/v1/chat/completions", Operation.COMPLETION: "/v1/completions"}
READ_BYTES = 1 << 18


class AttemptFailed(Exception):
    """One replica gave no answer, and the user has seen nothing of it."""

    def __init__(self, failure: Failure, evidence: str) -> None:
        super().__init__(evidence)
        self.failure = failure


@dataclass(slots=True)
class Whole:
    """A complete answer: 200 with as many ended choices as were asked for, or a 4xx, the client's fault."""

    status: int
    value: dict[str, Any]


class Stream:
    """An answer that is arriving; `first` are its first events. Drain or close it."""

    def __init__(self, response: aiohttp.ClientResponse, clock: Callable[[], float]) -> None:
        self._response, self._clock = response, clock
        self._events = Events()
        self.first: list[bytes] = []
        self.waited_s = 0.0

    async def more(self) -> list[bytes]:
        """Return the next events, none at the end of the line. Raises aiohttp.ClientError, TimeoutError."""
        while True:
            start = self._clock()
            try:
                data = await self._response.content.readany()
            finally:
                self.waited_s += self._clock() - start
            if not data:
                return []
            if events := self._events.feed(data):
                return events

    def close(self) -> None:
        """Cut the line, which makes the engine stop its work."""
        self._response.close()

    async def drain(self) -> None:
        """Read the end of an answer that is complete, so that its connection can serve again."""
        try:
            async with asyncio.timeout(1.0):
                await self._response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            self._response.close()


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One request to one replica."""

    url: str
    operation: Operation
    body: bytes
    stream: bool
    choices: int
    """How many choices make an answer."""


class Engine:
    """Calls replicas over one pool of connections."""

    def __init__(
        self, session: aiohttp.ClientSession, api_key: str | None, clock: Callable[[], float]
    ) -> None:
        self._session, self._clock = session, clock
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"

    async def ask(self, request: EngineRequest, timeout_s: float) -> Whole | Stream:
        """Send one request to one replica; return when the first bytes of its answer are there.

        Raises AttemptFailed. `timeout_s` bounds the time to the first byte.
        """
        try:
            async with asyncio.timeout(timeout_s):
                url = request.url + PATHS[request.operation]
                response = await self._post(url, request.body)
                try:
                    return await self._first_bytes(response, request)
                except BaseException:
                    response.close()
                    raise
        except TimeoutError:
            evidence = f"{request.url} gave no first byte within {timeout_s:g} s"
            raise AttemptFailed(Failure.TIMEOUT, evidence) from None
        except (aiohttp.ClientError, OSError) as error:
            raise AttemptFailed(Failure.CONNECTION, f"{request.url}: {error!r}") from None

    async def health(self, url: str) -> str | None:
        """Return what is wrong with a replica, or None."""
        try:
            async with (
                asyncio.timeout(2.0),
                self._session.get(url + "/health", headers=self._headers) as response,
            ):
                return None if response.status == 200 else f"/health answered {response.status}"
        except TimeoutError:
            return "/health gave no answer within 2 s"
        except (aiohttp.ClientError, OSError) as error:
            return f"/health failed: {error!r}"

    async def _post(self, url: str, body: bytes) -> aiohttp.ClientResponse:
        try:
            return await self._session.post(url, data=body, headers=self._headers)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            # The replica closed an idle connection in the instant in which it was taken from the pool; of the
            # answer nothing had come, so a fresh connection may ask again.
            return await self._session.post(url, data=body, headers=self._headers)

    async def _first_bytes(self, response: aiohttp.ClientResponse, request: EngineRequest) -> Whole | Stream:
        if response.status == 200 and request.stream:
            return await self._open_stream(response)
        payload = await response.read()
        _check_status(response.status, payload)
        try:
            value = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise AttemptFailed(Failure.MALFORMED, f"the engine's answer is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise AttemptFailed(Failure.MALFORMED, "the engine's answer is not a JSON object")
        if response.status == 200:
            _check_answer(value, request.choices)
        return Whole(response.status, value)

    async def _open_stream(self, response: aiohttp.ClientResponse) -> Stream:
        answer = Stream(response, self._clock)
        answer.first = await answer.more()
        answer.waited_s = 0.0
        if not answer.first:
            raise AttemptFailed(Failure.CONNECTION, "the engine's stream ended before its first event")
        first = answer.first[0]
        if not first.startswith(b"{"):
            raise AttemptFailed(Failure.MALFORMED, f"the engine's stream began with {first[:200]!r}")
        if b'"error"' in first:
            _check_first_event(first)
        return answer


def _check_status(status: int, payload: bytes) -> None:
    """Raise AttemptFailed unless the answer is a success or the client's own fault."""
    evidence = f"the engine answered {status}: {payload[:200].decode('utf-8', 'replace')}"
    match status:
        case 200:
            return
        case 404:
            raise AttemptFailed(Failure.MISSING, evidence)
        case 429 | 503:
            raise AttemptFailed(Failure.OVERLOADED, evidence)
        case 400 | 413 | 415 | 422:
            return
        case _:
            raise AttemptFailed(Failure.ENGINE, evidence)


def _check_answer(value: dict[str, Any], wanted: int) -> None:
    """Raise AttemptFailed unless all choices are there and ended, and the usage can be counted."""
    choices = value.get("choices")
    if not isinstance(choices, list):
        raise AttemptFailed(Failure.MALFORMED, "the engine's answer has no choices")
    ended = {_ended(choice, place) for place, choice in enumerate(choices)}
    if len(choices) != wanted or ended != set(range(wanted)):
        raise AttemptFailed(Failure.MALFORMED, f"the engine's answer has not {wanted} choices that ended")
    try:
        logged_usage(value.get("usage"))
    except Garbled as garbled:
        raise AttemptFailed(Failure.MALFORMED, f"the engine's answer: {garbled}") from None


def _ended(choice: Any, place: int) -> int | None:
    """Return the index of a choice that ended, None for anything else."""
    if not isinstance(choice, dict) or not isinstance(choice.get("finish_reason"), str):
        return None
    index = choice.get("index", place)
    return index if type(index) is int else None


def _check_first_event(event: bytes) -> None:
    try:
        value = orjson.loads(event)
    except orjson.JSONDecodeError:
        return
    if isinstance(value, dict) and value.get("error") is not None:
        raise AttemptFailed(Failure.ENGINE, f"the engine's stream began with an error: {event[:200]!r}")
