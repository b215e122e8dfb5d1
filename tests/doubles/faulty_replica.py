"""A proxy before one engine replica that lets chosen versions fail, so that a real vLLM can have a bad candidate.

Used by tests and benchmarks of rollouts; faults may be set and lifted at any time, also while requests are under way.
What meets no fault passes byte for byte in both directions, the engine's own routes (models, metrics, adapters)
among it, and a line that either side cuts is cut on the other. A contract test runs the engine client and the gateway
through it. `with faulty_replica(url) as replica:` runs it in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httptools

from tests.waiting import PATIENCE_S

PIECE = 65_536


class Kind(StrEnum):
    """What a request for a version meets."""

    ERROR = "error"
    """500, as the engine says it."""
    RESET = "reset"
    """The line is cut without a byte."""
    BREAK = "break"
    """The line is cut in the middle of the answer; in a stream, after its first pieces."""
    DELAY = "delay"
    """The request reaches the engine later."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault for a share of a version's requests; `delay_s` counts for delays."""

    kind: Kind
    share: float = 1.0
    delay_s: float = 0.0


@dataclass
class Faults:
    """The faults in force by served name; threads may change them."""

    by_model: dict[str, Fault] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    """How many requests for each served name met a fault."""
    seen: Counter[str] = field(default_factory=Counter)
    """How many generation requests came for each served name."""
    _rng: Random = field(default_factory=lambda: Random(7))

    def take(self, model: str) -> Fault | None:
        """Return the fault that this request meets."""
        self.seen[model] += 1
        fault = self.by_model.get(model)
        if fault is None or self._rng.random() >= fault.share:
            return None
        self.met[model] += 1
        return fault


@dataclass
class FaultyReplica:
    """A proxy that is up: its address, and the faults."""

    url: str
    faults: Faults

    def set(self, model: str, fault: Fault) -> None:
        """Let a version fail from the next request on."""
        self.faults.by_model[model] = fault

    def clear(self) -> None:
        """Let everything pass again."""
        self.faults.by_model.clear()


class _Request:
    """A whole request as it came, and what of it decides about faults."""

    def __init__(self) -> None:
        self.raw, self.path, self.complete = bytearray(), "", False
        self._body = bytearray()
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        self.raw += data
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.path += url.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.complete = True

    @property
    def model(self) -> str | None:
        """The served name that a generation request asks for; None for any other request."""
        if not self.path.split("?")[0].endswith("completions"):
            return None
        try:
            value = json.loads(self._body)
        except ValueError:
            return None
        return str(value.get("model")) if isinstance(value, dict) else None


class _Response:
    """Follows an answer that is passed on, to know its end."""

    def __init__(self) -> None:
        self.complete, self.final = False, True
        self.events = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.events += body.count(b"\n\n")

    def on_message_complete(self) -> None:
        self.complete = True
        self.final = not self._parser.should_keep_alive()


class _Line:
    """One caller's connection, and its own connection to the engine behind."""

    def __init__(
        self,
        upstream: tuple[str, int],
        faults: Faults,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._upstream, self._faults = upstream, faults
        self._reader, self._writer = near
        self._far: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._held = b""

    async def serve(self) -> None:
        """Pass requests on, one after the other, until one side is gone."""
        try:
            while (request := await self._next()) is not None and await self._answer(request):
                pass
        except (OSError, httptools.HttpParserError):
            self._cut()
        finally:
            self._writer.close()
            if self._far:
                self._far[1].close()

    async def _next(self) -> _Request | None:
        request = _Request()
        while not request.complete:
            data, self._held = self._held or await self._read(), b""
            if not data:
                return None
            request.feed(data)
        return request

    async def _read(self) -> bytes:
        """Return what the caller sends; nothing where he, or the engine in the meantime, hung up."""
        sides = [asyncio.ensure_future(self._reader.read(PIECE))]
        if self._far:
            sides.append(asyncio.ensure_future(self._far[0].read(1)))
        try:
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            return sides[0].result() if sides[0].done() else b""
        finally:
            await _give_up(*sides)

    async def _answer(self, request: _Request) -> bool:
        """Answer one request and say whether the line stays."""
        fault = self._faults.take(request.model) if request.model else None
        match fault:
            case None:
                return await self._attended(self._pass(request))
            case Fault(Kind.DELAY):
                return await self._attended(self._late(request, fault.delay_s))
            case Fault(Kind.BREAK):
                return await self._attended(self._pass(request, broken=True))
            case Fault(Kind.RESET):
                self._cut()
                return False
            case _:
                self._writer.write(_error())
                await self._writer.drain()
                return True

    async def _attended(self, passing: Coroutine[Any, Any, bool]) -> bool:
        """Pass something on as long as the caller is there."""
        work, caller = asyncio.ensure_future(passing), asyncio.ensure_future(self._reader.read(PIECE))
        try:
            await asyncio.wait({work, caller}, return_when=asyncio.FIRST_COMPLETED)
            if caller.done() and not work.done() and caller.result():
                await asyncio.wait({work})  # the caller is there and already sends its next request
            return work.result() if work.done() else False
        finally:
            await _give_up(work, caller)
            if caller.done() and not caller.cancelled() and not caller.exception():
                self._held = caller.result()

    async def _late(self, request: _Request, delay_s: float) -> bool:
        await asyncio.sleep(delay_s)
        return await self._pass(request)

    async def _pass(self, request: _Request, *, broken: bool = False) -> bool:
        reader, writer = await self._engine()
        writer.write(bytes(request.raw))
        await writer.drain()
        response = _Response()
        while not response.complete:
            data = await reader.read(PIECE)
            if not data:
                return False
            response.feed(data)
            if broken and (response.complete or response.events > 1):
                await self._break(data)
                return False
            self._writer.write(data)
            await self._writer.drain()
        if response.final:
            self._far = None
            writer.close()
        return not response.final

    async def _break(self, data: bytes) -> None:
        self._writer.write(data[: len(data) // 2])
        await self._writer.drain()
        await asyncio.sleep(0.01)  # lets the bytes reach the caller before the cut
        self._cut()

    async def _engine(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._far is not None and self._far[0].at_eof():
            self._far[1].close()  # the engine hung up: an end that nobody closes is a leak
            self._far = None
        if self._far is None:
            self._far = await asyncio.open_connection(*self._upstream)
        return self._far

    def _cut(self) -> None:
        """Reset the caller's connection."""
        near = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def _give_up(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _error() -> bytes:
    error = {
        "message": "EngineCore encountered an issue.",
        "type": "InternalServerError",
        "param": None,
        "code": 500,
    }
    body = json.dumps({"error": error}).encode()
    head = (
        "HTTP/1.1 500 Internal Server Error",
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


@contextmanager
def faulty_replica(upstream: str, port: int = 0) -> Iterator[FaultyReplica]:
    """Run a proxy before an engine in a thread until the block ends."""
    faults, up, found = Faults(), threading.Event(), dict[str, Any]()
    to = urlsplit(upstream)
    assert to.hostname and to.port

    async def run() -> None:
        lines: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            lines.add(task)
            try:
                await _Line((str(to.hostname), int(to.port or 0)), faults, (reader, writer)).serve()
            except asyncio.CancelledError:
                pass
            finally:
                lines.discard(task)

        server = await asyncio.start_server(accept, "127.0.0.1", port)
        stop = asyncio.Event()
        call: Callable[..., Any] = asyncio.get_running_loop().call_soon_threadsafe
        found.update(port=server.sockets[0].getsockname()[1], stop=lambda: call(stop.set))
        up.set()
        await stop.wait()
        server.close()
        for line in list(lines):
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert up.wait(PATIENCE_S), "the proxy did not start"
    try:
        yield FaultyReplica(f"http://127.0.0.1:{found['port']}", faults)
    finally:
        found["stop"]()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
