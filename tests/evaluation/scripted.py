"""An OpenAI-compatible server that says what a script says, and logged answers to examine."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from runner.evaluation.chat import ChatClient, Endpoint
from runner.evaluation.choice import Answered

Said = str | tuple[int, str] | Callable[[dict[str, Any]], str]
"""A text, a status with a body, or what makes a text of the request; `hang` never answers."""
HANG = "\0hang"
RAW = "\0raw"
Waits = list[float]


@dataclass
class Scripted:
    """A server that goes through its script, the last line for ever; it remembers what it was asked."""

    script: Sequence[Said]
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    usage: bool = True
    in_flight: int = 0
    most_in_flight: int = 0
    url: str = ""
    _wanted: dict[int, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    async def has_been_asked(self, times: int) -> None:
        """Return when so many requests have come."""
        await self._wanted[times].wait()

    async def answer(self, request: web.Request) -> web.Response:
        said = self.script[min(len(self.asked), len(self.script) - 1)]
        body = await request.json()
        self.asked.append(body)
        self._wanted[len(self.asked)].set()
        self.keys.append(request.headers.get("authorization", ""))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            return await self._say(said, body)
        finally:
            self.in_flight -= 1

    async def _say(self, said: Said, body: dict[str, Any]) -> web.Response:
        if said == HANG:
            await asyncio.Event().wait()
        if isinstance(said, tuple):
            return web.Response(status=said[0], text=said[1], content_type="application/json")
        text = said if isinstance(said, str) else said(body)
        if text.startswith(RAW):
            return web.Response(text=text.removeprefix(RAW), content_type="application/json")
        said_so = {"text": text} if "prompt" in body else {"message": {"role": "assistant", "content": text}}
        value: dict[str, Any] = {"choices": [{"index": 0, **said_so, "finish_reason": "stop"}]}
        if self.usage:
            value["usage"] = {"prompt_tokens": 10, "completion_tokens": len(text.split())}
        return web.json_response(value)


@asynccontextmanager
async def scripted(*script: Said, usage: bool = True) -> AsyncIterator[Scripted]:
    """Run a scripted server on a free port of the loopback until the block ends."""
    server = Scripted(script, usage=usage)
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.answer)
    application.router.add_post("/v1/completions", server.answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(url: str, waits: Waits | None = None, **endpoint: Any) -> AsyncIterator[ChatClient]:
    """Open a client whose pauses between tries take no time and are told to `waits`."""

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    async with aiohttp.ClientSession() as session:
        yield ChatClient(Endpoint(url, **{"model": "m", **endpoint}), session, sleep)


def run(go: Awaitable[Any]) -> Any:
    """Run a coroutine to its end."""

    async def main() -> Any:
        return await go

    return asyncio.run(main())


def logged(number: int, **changes: Any) -> Answered:
    """Return an answer as it would be read from the log."""
    asked = {"role": "user", "content": f"When do you open on day {number}?"}
    fields: dict[str, Any] = {
        "event_id": f"event-{number}",
        "request_id": f"request-{number}",
        "time": number,
        "version": "chat-v1.0",
        "adapter_digest": "a" * 64,
        "arm": "baseline",
        "group": "public",
        "messages": (asked,),
        "answer": "11 am.",
        "input_tokens": 12,
        "output_tokens": 4,
    }
    return Answered(**{**fields, **changes})


def events_in(folder: Any, kind: str = "sample") -> list[dict[str, Any]]:
    """Return the events of all complete and open segments of a kind, in the order written."""
    files: Iterable[Any] = sorted(folder.glob(f"{kind}-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
