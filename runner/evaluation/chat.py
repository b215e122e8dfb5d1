"""A small client of OpenAI-compatible chat endpoints: the engine's, the gateway's, or a judge's.

Called by the sampler and the judge. A failure that can pass is tried again a few times, then raised as TransientError;
one that cannot is raised at once as TerminalError. A key is named by its environment variable and never shown.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from runner.errors import Diagnostic, LoopError, TerminalError, terminal, transient

Messages = Sequence[Mapping[str, Any]]
Sleep = Callable[[float], Awaitable[None]]

SHOWN = 300
"""Characters of a server's own words in a message."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model answers and how patiently it is asked.

    `base_url` with or without `/v1`; `api_key_env` names the variable that holds the key; `timeout` in seconds for each
    try; `tries` in all, `pause` seconds before the second, twice as long before each further one.
    """

    base_url: str
    model: str
    api_key_env: str | None = None
    timeout: float = 60.0
    tries: int = 3
    pause: float = 0.5

    @property
    def url(self) -> str:
        """The address of chat completions."""
        return f"{self._v1}/chat/completions"

    @property
    def completions(self) -> str:
        """The address of plain completions, for models that know no roles."""
        return f"{self._v1}/completions"

    @property
    def _v1(self) -> str:
        base = self.base_url.rstrip("/")
        return base if base.endswith("/v1") else f"{base}/v1"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said, and the tokens it took; None where the server did not count them."""

    text: str
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None


class UnknownModel(TerminalError):
    """The endpoint answers, and has no such model: it was unloaded, or the name is wrong."""


class RequestRefused(TerminalError):
    """The endpoint does not take this one request (too long, malformed); it may take others."""


class ChatClient:
    """Asks one endpoint; `sleep` waits between tries."""

    def __init__(
        self, endpoint: Endpoint, session: aiohttp.ClientSession, sleep: Sleep = asyncio.sleep
    ) -> None:
        """Raise TerminalError where the key's variable is named and not set."""
        self.endpoint = endpoint
        self._session, self._sleep = session, sleep
        self._headers = _headers(endpoint.api_key_env)

    async def ask(
        self, messages: Messages, temperature: float, max_tokens: int, seed: int | None = None
    ) -> Reply:
        """Return one answer. Raises TransientError, TerminalError, UnknownModel, RequestRefused."""
        body = {
            "model": self.endpoint.model,
            "messages": list(messages),
            "temperature": temperature,
            "max_tokens": max_tokens,
        }
        return await self._patiently(self.endpoint.url, _seeded(body, seed))

    async def complete(
        self, prompt: str, temperature: float, max_tokens: int, stop: str, seed: int | None = None
    ) -> Reply:
        """Return how a text goes on, up to where `stop` would come. Raises as `ask` does."""
        body = {
            "model": self.endpoint.model,
            "prompt": prompt,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": [stop],
        }
        return await self._patiently(self.endpoint.completions, _seeded(body, seed))

    async def _patiently(self, where: str, body: Mapping[str, Any]) -> Reply:
        pause = self.endpoint.pause
        for left in reversed(range(self.endpoint.tries)):
            try:
                return await self._once(where, body)
            except TerminalError:
                raise
            except LoopError:
                if not left:
                    raise
            await self._sleep(pause)
            pause *= 2
        raise terminal("an endpoint is to be asked at least once", f"tries: {self.endpoint.tries}")

    async def _once(self, where: str, body: Mapping[str, Any]) -> Reply:
        try:
            async with self._session.post(
                where,
                json=body,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=self.endpoint.timeout),
            ) as response:
                status, text = response.status, await response.text(errors="replace")
        except aiohttp.InvalidURL as error:
            raise terminal(f"{where!r} is not a URL", fix="write it as `http://host:port`") from error
        except TimeoutError as error:
            raise transient(f"{where} did not answer within {self.endpoint.timeout:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise transient(f"{where} cannot be reached", str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise transient(f"{where} broke off its answer", f"{type(error).__name__}: {error}") from error
        if status != 200:
            raise self._refusal(where, status, text)
        return _read(where, text)

    def _refusal(self, where: str, status: int, text: str) -> LoopError:
        said = _message(text)
        summary = f"{where} did not answer as '{self.endpoint.model}': status {status}"
        if status in (408, 409, 425, 429) or status >= 500:
            return transient(summary, said)
        if status == 404 and self.endpoint.model in said:
            return UnknownModel(Diagnostic(f"{where} has no model '{self.endpoint.model}'", evidence=(said,)))
        if status in (400, 413, 422):
            return RequestRefused(Diagnostic(summary, evidence=(said,)))
        fix = None
        if status in (401, 403):
            fix = "name in `api_key_env` the variable that holds its key"
        return terminal(summary, said, fix=fix)


def _read(where: str, text: str) -> Reply:
    """Read an answer; one of another form is transient, for a proxy on the way may have put it there."""
    try:
        value = json.loads(text)
        choice = value["choices"][0]
        said = choice["text"] if "text" in choice else choice["message"]["content"]
        usage = value.get("usage") or {}
        return Reply(
            text=said if isinstance(said, str) else "",
            finish_reason=str(choice.get("finish_reason") or ""),
            input_tokens=_count(usage.get("prompt_tokens")),
            output_tokens=_count(usage.get("completion_tokens")),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise transient(f"{where} sent an answer that cannot be read", reason) from error


def _seeded(body: dict[str, Any], seed: int | None) -> dict[str, Any]:
    return body if seed is None else body | {"seed": seed}


def _headers(variable: str | None) -> dict[str, str]:
    if variable is None:
        return {}
    key = os.environ.get(variable)
    if not key:
        raise terminal(f"the API key is missing: {variable} is not set", fix=f"export {variable}")
    return {"authorization": f"Bearer {key}"}


def _message(text: str) -> str:
    """Return the server's own words, or the start of whatever it sent instead."""
    try:
        return str(json.loads(text)["error"]["message"])[:SHOWN]
    except (ValueError, KeyError, TypeError):
        return text[:SHOWN]


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
