"""The webhook: one document, three tries, and no secret in a message."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from runner.errors import TerminalError, TransientError
from runner.git.notify import Notice, notify, webhook_address

NOTICE = Notice(
    "rollback", "production", "chat-v1.1--0123456789ab", "error_rate > 5%", ("12 of 80",), 1.5, "f00"
)


def posted_to(statuses: list[int]) -> tuple[list[object], list[float]]:
    """Post to a receiver that answers with these statuses in turn; return what it got and the pauses."""
    got: list[object] = []
    pauses: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=statuses[len(got) - 1], headers={"Location": "/elsewhere"})

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/hook/secret", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession() as session:
                address = f"http://127.0.0.1:{runner.addresses[0][1]}/hook/secret"
                await notify(session, address, NOTICE, pause)
        finally:
            await runner.cleanup()

    try:
        asyncio.run(run())
    except (TerminalError, TransientError) as error:
        error.add_note(f"{len(got)} tries")
        assert "secret" not in str(error)
        raise
    return got, pauses


def test_the_receiver_gets_the_facts() -> None:
    got, _ = posted_to([204])
    assert got == [
        {
            "event": "rollback",
            "environment": "production",
            "served": "chat-v1.1--0123456789ab",
            "condition": "error_rate > 5%",
            "evidence": ["12 of 80"],
            "at": 1.5,
            "revision": "f00",
            "address": "",
        }
    ]


def test_a_receiver_that_fails_is_tried_again_with_growing_pauses() -> None:
    got, pauses = posted_to([503, 429, 200])
    assert len(got) == 3
    assert pauses == [1.0, 2.0]


def test_after_three_tries_it_is_for_later() -> None:
    with pytest.raises(TransientError, match="status 500") as error:
        posted_to([500, 500, 500])
    assert error.value.__notes__ == ["3 tries"]


@pytest.mark.parametrize("status", [400, 404, 302])
def test_a_receiver_that_refuses_is_not_asked_again(status: int) -> None:
    with pytest.raises(TerminalError, match=f"status {status}") as error:
        posted_to([status, 200])
    assert error.value.__notes__ == ["1 tries"]


def test_nobody_listening_is_for_later(free_port: int) -> None:
    async def no_pause(_: float) -> None:
        return

    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            await notify(session, f"http://127.0.0.1:{free_port}/", NOTICE, no_pause)

    with pytest.raises(TransientError, match="cannot be reached"):
        asyncio.run(run())


def test_the_address_comes_from_the_environment() -> None:
    assert webhook_address({}) is None
    assert webhook_address({"LOOP_WEBHOOK": " https://example.com/x "}) == "https://example.com/x"
    assert webhook_address({"MINE": "http://127.0.0.1:1/"}, "MINE") == "http://127.0.0.1:1/"


@pytest.mark.parametrize("address", ["ftp://example.com/", "file:///etc/passwd", "example.com/x", "https://"])
def test_only_web_addresses_are_notified(address: str) -> None:
    with pytest.raises(TerminalError, match="LOOP_WEBHOOK") as error:
        webhook_address({"LOOP_WEBHOOK": address})
    assert address == "https://" or address not in str(error.value)
