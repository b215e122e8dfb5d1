"""The route table: taken only forwards, on the disk before it is in force, kept across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError, TransientError
from runner.serving.gateway.book import RouteBook, Stale
from runner.serving.gateway_client import GatewayClient, StaleGeneration
from runner.serving.routes import RouteTable
from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import BASELINE, RunningGateway, gateway, table
from tests.waiting import until

T = TypeVar("T")


def with_client(url: str, call: Callable[[GatewayClient], Awaitable[T]], timeout: float = 5.0) -> T:
    async def run() -> T:
        async with aiohttp.ClientSession() as session:
            return await call(GatewayClient(url, session, timeout))

    return asyncio.run(run())


def test_the_client_reads_back_what_it_put(served: RunningGateway, engine: RunningStub) -> None:
    wanted = table(engine.url, generation=7, weight=0.05, groups=("internal",))
    with_client(served.admin, lambda client: client.put(wanted))
    state = with_client(served.admin, lambda client: client.state())
    assert state.table == wanted
    assert (state.generation, state.environment, state.not_ready) == (7, "test", None)
    assert state.replicas[engine.url].reason in ("", "not asked yet")


def test_an_older_table_is_refused_with_both_numbers(served: RunningGateway, engine: RunningStub) -> None:
    served.put(table(engine.url, generation=5))
    answer = served.put(table(engine.url, generation=4))
    assert answer.status_code == 409
    assert (answer.json()["generation"], answer.json()["offered"]) == (5, 4)
    with pytest.raises(StaleGeneration, match="generation 4 offered, 5 in force") as stale:
        with_client(served.admin, lambda client: client.put(table(engine.url, generation=4)))
    assert stale.value.generation == 5


def test_the_same_table_again_is_no_change_and_another_of_its_generation_is_stale(
    served: RunningGateway, engine: RunningStub
) -> None:
    assert served.put(table(engine.url)).json() == {"generation": 1, "changed": False}
    assert served.put(table(engine.url, weight=0.5)).status_code == 409


def test_a_restarted_gateway_serves_its_last_table(engine: RunningStub, tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        running.put(table(engine.url, generation=3))
        before = running.state()
    with gateway(tmp_path) as running:
        assert running.state()["table"] == before["table"]
        assert running.state()["instance"] != before["instance"]
        assert running.ask().status_code == 200


def test_a_torn_routes_file_waits_for_a_new_table(
    engine: RunningStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "routes.json").write_text('{"generation": 3, "rou')
    with gateway(tmp_path) as running:
        assert running.state()["not_ready"] == "no route table is in force yet"
        assert running.ask().json()["error"]["code"] == "not_ready"
        running.put(table(engine.url))
        assert running.ask().status_code == 200
    assert "not a route table" in capsys.readouterr().err


def test_a_table_that_cannot_be_kept_is_neither_acknowledged_nor_in_force(
    served: RunningGateway, engine: RunningStub
) -> None:
    kept = served.state_dir / "routes.json"
    kept.unlink()
    kept.mkdir()
    (kept / "in-the-way").touch()
    assert served.put(table(engine.url, generation=2)).status_code == 503
    assert served.state()["generation"] == 1
    with pytest.raises(TransientError, match="cannot be kept"):
        with_client(served.admin, lambda client: client.put(table(engine.url, generation=2)))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"generation": -1}', b'{"generation": 9, "routes": 4}', b"\xff"]
)
def test_what_is_no_table_is_refused(served: RunningGateway, body: bytes) -> None:
    import httpx

    answer = httpx.put(f"{served.admin}/routes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert served.state()["generation"] == 1


def test_a_gateway_that_is_not_there_is_a_transient_error() -> None:
    with pytest.raises(TransientError, match="did not answer 'GET /state'"):
        with_client("http://127.0.0.1:9", lambda client: client.state(), 1.0)


def test_something_else_at_the_address_is_not_taken_for_a_gateway(engine: RunningStub) -> None:
    with pytest.raises((TransientError, TerminalError)):
        with_client(engine.url, lambda client: client.state(), 1.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_the_generation_in_force_is_the_highest_ever_offered(tmp_path_factory, offered: list[int]) -> None:
    path = tmp_path_factory.mktemp("book") / "routes.json"

    async def run() -> None:
        book = RouteBook(path, ("chat",), ())
        highest = 0
        for generation in offered:
            try:
                await book.put(RouteTable(generation, f"revision {generation}"))
            except Stale:
                assert generation <= highest
            highest = max(highest, generation)
            assert book.table.generation == highest
        again = RouteBook(path, ("chat",), ())
        again.load()
        assert again.table.generation == highest

    asyncio.run(run())


def test_requests_in_flight_are_counted_for_every_version_they_may_use(
    served: RunningGateway, engine: RunningStub
) -> None:
    import threading

    engine.control(delay_s=0.5)
    asking = threading.Thread(target=served.ask)
    asking.start()
    until(lambda: served.state()["in_flight"] == {BASELINE.served: 1}, "counted")
    asking.join()
    assert served.state()["in_flight"] == {}
