"""A monitor that really serves, in a thread of its own, for a browser or a client that waits in this one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runner.console.monitor.app import serve
from runner.console.monitor.feed import Feed, Page


@dataclass
class Running:
    """Where it listens, and the way to give it pages."""

    url: str
    feed: Feed
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    thread: threading.Thread

    def publish(self, page: Page) -> None:
        """Publish a page, and return once it is published."""
        published = threading.Event()

        def act() -> None:
            self.feed.publish(page)
            published.set()

        self.loop.call_soon_threadsafe(act)
        assert published.wait(10)

    def end(self) -> None:
        """Stop serving, and return once it has stopped."""
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(20)
        assert not self.thread.is_alive()


def start(page: Page | None = None, listen: str = "127.0.0.1:0", metrics: bytes = b"") -> Running:
    """Start a monitor; return once it listens."""
    found: list[Running] = []
    open_ = threading.Event()

    async def run() -> None:
        feed, stop = Feed("production", lambda: metrics), asyncio.Event()
        if page is not None:
            feed.publish(page)

        def ready(url: str) -> None:
            found.append(Running(url, feed, asyncio.get_running_loop(), stop, thread))
            open_.set()

        await serve(listen, feed, stop, ready=ready)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert open_.wait(20), "the monitor did not start"
    return found[0]


@contextmanager
def running(page: Page | None = None, metrics: bytes = b"") -> Iterator[Running]:
    """Serve a page for as long as the context lasts."""
    monitor = start(page, metrics=metrics)
    try:
        yield monitor
    finally:
        monitor.end()
