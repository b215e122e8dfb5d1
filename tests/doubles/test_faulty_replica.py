"""Through the proxy everything is as without it, until a version is told to fail; then that version fails alone."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from runner.errors import LoopError, TransientError
from runner.serving.engine import EngineClient
from tests.doubles.faulty_replica import Fault, FaultyReplica, Kind, faulty_replica
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.running import BASELINE, CANDIDATE, SERVED, RunningGateway, asked_and_left, gateway, table
from tests.reconcile.real_parts import make_adapter
from tests.waiting import PATIENCE_S, until

CHUNKED = b"HTTP/1.1 200 OK\r\nX-Odd:  kept \r\ntransfer-encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\n\r\n"
COUNTED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"
ASKED = (
    b"GET /metrics HTTP/1.1\r\nHost: here\r\nAccept:   */*\r\n\r\n",
    b'POST /v1/load_lora_adapter HTTP/1.1\r\nhost: h\r\ncontent-length: 16\r\n\r\n{"lora_name":"x"',
)


@pytest.fixture
def engine() -> Iterator[RunningStub]:
    with stub_engine(adapters=SERVED) as running:
        yield running


@pytest.fixture
def replica(engine: RunningStub) -> Iterator[FaultyReplica]:
    with faulty_replica(engine.url) as proxy:
        yield proxy


@contextmanager
def scripted(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection that gives these answers, whatever is asked, and keep what came."""
    came: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        line, _ = listener.accept()
        with line:
            for answer in answers:
                came.append(line.recv(65536))
                line.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
    finally:
        thread.join(PATIENCE_S)
        listener.close()


def test_requests_and_answers_pass_byte_for_byte_on_one_line() -> None:
    with scripted(CHUNKED, COUNTED) as (url, came), faulty_replica(url) as proxy:
        port = int(proxy.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as line:
            got = []
            for asked, answer in zip(ASKED, (CHUNKED, COUNTED), strict=True):
                line.sendall(asked)
                data = b""
                while len(data) < len(answer):
                    data += line.recv(65536)
                got.append(data)
            assert line.recv(1) == b"", "the engine hung up, so the proxy does"
    assert got == [CHUNKED, COUNTED]
    assert came == list(ASKED)


def test_the_engine_client_does_through_it_all_that_it_does_without(tmp_path: Path) -> None:
    make_adapter(tmp_path, "chat-v7")
    path = tmp_path / "adapters" / "chat-v7"

    async def everything(url: str) -> list[Any]:
        async with aiohttp.ClientSession() as session:
            client = EngineClient(url, session, 10.0)
            said: list[Any] = [await client.version(), await client.instance() is not None]
            await client.health()
            await client.load("chat-v7", str(path))
            with pytest.raises(LoopError) as twice:
                await client.load("chat-v7", str(tmp_path))
            said += [str(twice.value).replace(url, ""), await client.models()]
            said.append(await client.prompt_logprobs("chat-v7", ["one two three"]))
            await client.unload("chat-v7")
            return [*said, await client.models()]

    with stub_engine() as engine, faulty_replica(engine.url) as proxy:
        assert asyncio.run(everything(engine.url)) == asyncio.run(everything(proxy.url))


def test_an_engine_that_is_gone_is_gone_through_it_too(replica: FaultyReplica, engine: RunningStub) -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            await EngineClient(proxy.url, session, 10.0).models()

    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with faulty_replica(url) as proxy, pytest.raises(TransientError):
        asyncio.run(ask())


def test_the_gateway_serves_whole_answers_and_streams_through_it(
    replica: FaultyReplica, engine: RunningStub, tmp_path: Path
) -> None:
    with gateway(tmp_path) as running:
        running.put(table(engine.url))
        plain = [running.ask(stream=stream, user="ann") for stream in (False, True)]
        running.put(table(replica.url, generation=2))
        through = [running.ask(stream=stream, user="ann") for stream in (False, True)]
    assert [a.status_code for a in through] == [200, 200]
    assert plain[0].json()["choices"] == through[0].json()["choices"]
    assert len(plain[1].text) == len(through[1].text)
    assert plain[1].text.endswith("data: [DONE]\n\n") and through[1].text.endswith("data: [DONE]\n\n")
    assert replica.faults.seen[BASELINE.served] == 2


def test_a_caller_who_hangs_up_is_gone_for_the_engine_too(
    replica: FaultyReplica, engine: RunningStub
) -> None:
    engine.control(fault="hang")
    with asked_and_left(f"{replica.url}/v1/completions", {"model": BASELINE.served, "prompt": "a b"}):
        until(lambda: engine.state.in_flight == 1, "the engine has it")
    until(lambda: engine.state.cancelled == 1, "the engine was told")


@pytest.fixture
def trial(replica: FaultyReplica, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway that leads everybody to the candidate."""
    with gateway(tmp_path) as running:
        assert running.put(table(replica.url, weight=1.0)).status_code == 200
        yield running


@pytest.mark.parametrize("kind", [Kind.ERROR, Kind.RESET, Kind.BREAK])
@pytest.mark.parametrize("stream", [False, True])
def test_a_version_that_fails_fails_alone_and_is_well_again_once_it_is_told(
    trial: RunningGateway, replica: FaultyReplica, kind: Kind, stream: bool
) -> None:
    assert trial.ask(stream=stream).headers["x-loop-arm"] == "candidate"
    replica.set(CANDIDATE.served, Fault(kind))
    failing = trial.ask(stream=stream)
    assert replica.faults.met[CANDIDATE.served] >= 1
    if kind is Kind.BREAK and stream:
        assert failing.text.startswith("data: ")
        assert "stream_broken" in failing.text
    else:
        assert (failing.status_code, failing.headers["x-loop-arm"]) == (200, "baseline")
    assert replica.faults.met[BASELINE.served] == 0
    replica.clear()
    until(
        lambda: trial.ask(stream=stream).headers["x-loop-arm"] == "candidate", "the candidate answers again"
    )


def test_a_version_that_is_slow_is_slow_by_as_much_as_said(
    trial: RunningGateway, replica: FaultyReplica
) -> None:
    replica.set(CANDIDATE.served, Fault(Kind.DELAY, delay_s=0.3))
    trial.ask()
    until(lambda: trial.events(), "the event")
    (event,) = trial.events()
    assert event["loop.latency_ms"] >= 300
    assert event["loop.arm"] == "candidate"


def test_only_a_share_of_its_requests_fails(replica: FaultyReplica) -> None:
    replica.set(CANDIDATE.served, Fault(Kind.ERROR, share=0.3))
    body = {"model": CANDIDATE.served, "prompt": "a b"}
    with httpx.Client() as client:
        failed = sum(client.post(f"{replica.url}/v1/completions", json=body).is_error for _ in range(200))
    assert 35 <= failed <= 85
    assert failed == replica.faults.met[CANDIDATE.served]
