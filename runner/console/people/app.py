"""Serves the pages for people until told to stop: Gradio's applications behind the gate, on one listening socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Collection, Iterator, MutableMapping
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI

from runner.console.people import frame
from runner.console.people.desk import Desk
from runner.console.people.entrance import Entrance
from runner.console.people.frame import Review
from runner.console.people.gate import Gate
from runner.console.people.visits import Application, Receive, Scope, Send
from runner.console.people.words import LANGUAGES, words
from runner.feedback.matchmaking import Kind
from runner.listening import listening, url

BACKLOG = 128
CONNECTIONS = 512
"""At once; every open page holds one or two."""
STOP_S = 2
UPLOAD = "1kb"
"""Nothing may be uploaded; Gradio wants a size."""


def application(
    desk: Desk, kinds: tuple[Kind, ...], review: Review | None, hosts: Collection[str] = ()
) -> Gate:
    """Return the pages in every language, behind the gate; `hosts` are further names that they answer to."""
    os.environ.setdefault(
        "GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000"
    )  # a data frame of all events at every event
    mounted = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for language in LANGUAGES:
        say = words(language)
        gr.mount_gradio_app(
            mounted,
            frame.build(desk, say, kinds, review),
            f"/{language}",
            footer_links=[],
            run_history=False,
            app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
            show_error=False,
            max_file_size=UPLOAD,
            ssr_mode=False,
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
            theme=frame.look(),
            css=frame.style(),
            head=frame.head(say),
        )
    entrance = Entrance(desk.sessions, desk.gateway, desk.environment)
    return Gate(mounted, entrance, desk.sessions, hosts)


async def serve(
    listen: str, pages: Application, stop: asyncio.Event, ready: Callable[[str], None] = lambda _url: None
) -> None:
    """Serve on `HOST:PORT` until `stop` is set; `ready` is told the address once it is open.

    Raises TerminalError where the address is not to be had.
    """
    with contextlib.closing(listening(listen, BACKLOG)) as listener:
        server = _Server(
            uvicorn.Config(
                _ending(pages, stop),
                backlog=BACKLOG,
                limit_concurrency=CONNECTIONS,
                ws="none",
                lifespan="on",
                log_level=logging.WARNING,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        running = asyncio.ensure_future(server.serve(sockets=[listener]))
        ending = asyncio.ensure_future(stop.wait())
        ready(url(listener))
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        server.should_exit = True
        await running


def _ending(pages: Application, stop: asyncio.Event) -> Application:
    """Return the application with every answer ended once `stop` is set; open pages hold theirs for hours."""

    async def act(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await pages(scope, receive, send)
            return
        is_open = False

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal is_open
            is_open = message["type"] == "http.response.start" or message.get("more_body", False)
            await send(message)

        work = asyncio.ensure_future(pages(scope, receive, noted))
        ending = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            was_done = work.done()
            work.cancel()
            (outcome,) = await asyncio.gather(work, return_exceptions=True)
        if was_done and isinstance(outcome, Exception):
            raise outcome
        if is_open:
            await send({"type": "http.response.body", "body": b""})

    return act


class _Server(uvicorn.Server):
    """Leaves signals to the caller of `serve`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
