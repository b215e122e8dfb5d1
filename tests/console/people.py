"""The pages for people, really served: stub engine, real gateway, Gradio behind its gate; and what the browser got."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from runner.console.people.ports import Week
from runner.feedback.matchmaking import Kind, Tally
from runner.serving.routes import Route, RouteTable, Version
from tests.doubles import stub_model
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.running import BASELINE, CANDIDATE, OTHER, SERVED, RunningGateway, gateway

SECRET = "5" * 64
KINDS = (
    Kind("factual_qa", 0.6, 40, ("Who wrote The Lantern Ledger?", "혜성 부스러기 책은 얼마예요?")),
    Kind("explanation", 0.4, 3, ("How does returning a book on sale work?",)),
)
SAYS = {BASELINE.served: "The reading room opens at nine.", CANDIDATE.served: "Ask at the desk, **please**."}
"""What versions answer: nothing by which one could tell who it was."""


class Ports:
    """The week as the test has it."""

    async def week(self) -> Week:
        return Week(43, 100, KINDS, WEEK_READ_AT)

    async def tally(self) -> Tally:
        return Tally()


WEEK_READ_AT = time.monotonic()


@dataclass
class Served:
    """Pages that are up; `received` is every byte that left for a browser."""

    url: str
    gateway: RunningGateway
    engine: RunningStub
    received: bytearray


def key(name: str, group: str = "beta") -> dict[str, str]:
    """Return a key of the gateway whose text is `NAME-key`."""
    return {"name": name, "group": group, "sha256": hashlib.sha256(f"{name}-key".encode()).hexdigest()}


@contextmanager
def serving(
    folder: Path,
    says: dict[str, str] | None = None,
    versions: tuple[Version, ...] = (BASELINE, CANDIDATE),
    queue: Any = None,
    **settings: Any,
) -> Iterator[Served]:
    """Serve the pages until the block ends; `queue` is what the review tab shows, nothing without it."""
    texts = SAYS if says is None else says
    secret = hashlib.sha256(SECRET.encode()).hexdigest()

    def words(_state: Any, model: str, prompt: str) -> list[str]:
        return texts.get(model, "I cannot say.").split(" ")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stub_model, "answer_words", words)
        with (
            stub_engine(adapters=SERVED) as engine,
            gateway(folder, console_sha256=secret, **settings) as running,
        ):
            routes = RouteTable(
                1, "revision", (Route("chat", BASELINE),), versions, dict.fromkeys(SERVED, (engine.url,))
            )
            assert running.put(routes).status_code == 200
            with _console(running, queue) as (url, received):
                yield Served(url, running, engine, received)


@contextmanager
def _console(running: RunningGateway, queue: Any) -> Iterator[tuple[str, bytearray]]:
    from runner.console import review
    from runner.console.people import app
    from runner.console.people.desk import Desk
    from runner.console.people.gateway import opened

    received, found, up = bytearray(), {}, threading.Event()

    async def run() -> None:
        stop = asyncio.Event()

        def ready(url: str) -> None:
            found.update(url=url, stop=stop, loop=asyncio.get_running_loop())
            up.set()

        async with opened(running.url, SECRET) as client:
            desk = Desk(
                "test",
                client,
                Ports(),
                aliases=frozenset({"chat"}),
                own_names=("bookshop-base", *(each.name for each in (BASELINE, CANDIDATE, OTHER))),
                random=Random(7),
            )
            tab = partial(review.build, queue, client) if queue else None
            pages = app.application(desk, KINDS, tab)
            await app.serve("127.0.0.1:0", recorded(pages, received), stop, ready)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert up.wait(60), "the console did not start"
    try:
        yield found["url"], received
    finally:
        found["loop"].call_soon_threadsafe(found["stop"].set)
        thread.join(20)
        assert not thread.is_alive()


def recorded(pages: Any, received: bytearray) -> Any:
    """Return the application with every byte of its answers noted; nothing is packed, so that one can search it."""

    async def act(scope: Any, receive: Any, send: Any) -> None:
        async def noted(message: Any) -> None:
            received.extend(b"".join(b"%s: %s\n" % each for each in message.get("headers", ())))
            received.extend(message.get("body", b""))
            await send(message)

        if scope["type"] == "http":
            plain = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
            await pages({**scope, "headers": plain}, receive, noted)
        else:
            await pages(scope, receive, send)

    return act
