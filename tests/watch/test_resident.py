"""The resident measures again and again: what fails is told and shown as old figures, and is tried again."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import pytest

from runner.errors import TerminalError, transient
from runner.signals.reading import Snapshot
from runner.watch.resident import Ports, Resident, Situation
from tests.reconcile.real_parts import free_addresses
from tests.waiting import PATIENCE_S

IDLE: dict[str, Any] = {"runner": None, "pass": None}


def snapshot(at: float) -> Snapshot:
    return Snapshot("production", at, (), (), None, (), 0, 0.0)


@dataclass
class Story:
    """What each pass comes to: an error, or None for a snapshot; after the last one all goes well."""

    passes: list[Exception | None] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    sent: int = 0
    closed: int = 0
    situations: list[Exception] = field(default_factory=list)

    def take(self, now: float) -> Snapshot:
        error = self.passes.pop(0) if self.passes else None
        if error is not None:
            raise error
        return snapshot(now)

    def situate(self) -> Situation:
        if self.situations:
            raise self.situations.pop(0)
        return Situation(IDLE, ())

    def send(self, _: Snapshot) -> None:
        self.sent += 1

    trouble = ""

    def text(self) -> bytes:
        return b"# counted\n"

    def close(self) -> None:
        self.closed += 1


class Passes:
    """Lets the test wait for the next pass, and the resident for the test."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        self.at += 1000.0
        return self.at


@asynccontextmanager
async def resident(story: Story) -> Any:
    (address,) = free_addresses(1)
    ports = Ports(story.take, story.situate, story, story.said.append, Passes())
    stop = asyncio.Event()
    running = asyncio.create_task(Resident("production", address, 1.0, ports).run(stop))
    try:
        yield f"http://{address}"
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)
    assert story.closed == 1


def in_a_loop(test: Callable[..., Any]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        body: bytes = answer.read()
    return body


async def shown(url: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the page as soon as it is so."""
    async with asyncio.timeout(20):
        while True:
            with suppress(OSError):
                page: dict[str, Any] = json.loads(await asyncio.to_thread(fetch, f"{url}/api/snapshot"))
                if true(page):
                    return page
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (transient("the log is restless", "evidence"), "the log is restless"),
        (OSError(28, "No space left on device"), "No space left"),
        (ValueError("nobody foresaw this"), "ValueError: nobody foresaw this"),
        (RuntimeError(), "RuntimeError"),
    ],
)
@in_a_loop
async def test_a_pass_that_fails_keeps_the_figures_of_before_and_recovers(error, words):
    story = Story([None, *[error] * 20])
    async with resident(story) as url:
        page = await shown(url, lambda page: words in page["stale"])
        assert page["snapshot"] is not None, "the figures of before"
        await shown(url, lambda page: page["snapshot"] is not None and not page["stale"])
    troubles = [text for text in story.said if "not measured" in text]
    assert len(troubles) == 1, "told once"
    assert words in troubles[0] and "error:" not in troubles[0]
    assert "measured again" in story.said


@in_a_loop
async def test_a_first_pass_that_fails_shows_why_there_is_nothing_yet():
    story = Story([transient("nothing to read yet")] * 50)
    async with resident(story) as url:
        page = await shown(url, lambda page: page["stale"])
    assert (page["stale"], page["snapshot"]) == ("nothing to read yet", None)


@in_a_loop
async def test_the_page_the_metrics_and_the_counters_are_served():
    story = Story()
    async with resident(story) as url:
        await shown(url, lambda page: page["snapshot"] is not None)
        assert b"<html" in await asyncio.to_thread(fetch, f"{url}/")
        metrics = await asyncio.to_thread(fetch, f"{url}/metrics")
        assert b"# counted" in metrics and b"loop_" in metrics
        assert json.loads(await asyncio.to_thread(fetch, f"{url}/healthz")) == {"status": "ok"}
    assert story.sent >= 1


@pytest.mark.parametrize("error", [ValueError(), KeyError("pass"), OSError(13, "Permission denied")])
@in_a_loop
async def test_a_status_that_cannot_be_read_leaves_the_figures_new(error):
    story = Story(situations=[error] * 50)
    async with resident(story) as url:
        page = await shown(url, lambda page: page["stale"])
    assert "the runner's status cannot be read" in page["stale"]
    assert page["snapshot"] is not None


@in_a_loop
async def test_an_address_that_is_taken_is_told_at_once_and_nothing_is_measured():
    story = Story([AssertionError("measured")])
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    ports = Ports(story.take, story.situate, story, story.said.append)
    with pytest.raises(TerminalError, match="cannot listen"):
        await Resident("production", f"{host}:{port}", 1.0, ports).run(asyncio.Event())
    server.close()
    assert len(story.passes) == 1
