"""The client: what it makes of the engine's answers, and of an engine that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import aiohttp.web
import pytest

from runner.errors import TerminalError, TransientError
from runner.serving.engine import EngineClient, ServedModel
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.engine.conftest import Server
from tests.engine.models import WEIGHTS

Name = Callable[[], str]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def adapter(make_adapter: Make) -> Path:
    return make_adapter("adapter", seed=2)


def at(stub: RunningStub, seconds: float = 5.0, api_key: str | None = None) -> Callable[..., object]:
    """Call one method of a client of the stub, by its name."""

    async def go(method: str, *arguments: object) -> object:
        async with aiohttp.ClientSession() as session:
            client = EngineClient(stub.url, session, seconds, api_key)
            return await getattr(client, method)(*arguments)

    return lambda method, *arguments: asyncio.run(go(method, *arguments))


def test_what_is_loaded_is_listed_with_its_path_and_base(
    server: Server, fresh_name: Name, adapter: Path
) -> None:
    name = fresh_name()

    async def use(client: EngineClient) -> tuple[ServedModel, ...]:
        await client.load(name, str(adapter))
        return await client.models()

    base, loaded = server.with_client(use)
    assert (base.name, base.parent) == (server.base, None)
    assert loaded == ServedModel(name, str(adapter), server.base)


def test_hazard_5_loading_again_from_the_same_path_is_success(
    server: Server, fresh_name: Name, adapter: Path
) -> None:
    name = fresh_name()

    async def use(client: EngineClient) -> None:
        await client.load(name, str(adapter))
        await client.load(name, str(adapter))

    server.with_client(use)
    assert name in server.names()


def test_hazard_1_a_name_is_never_taken_for_another_path(
    server: Server, fresh_name: Name, adapter: Path, make_adapter: Make
) -> None:
    name, other = fresh_name(), make_adapter("other", seed=3)

    async def use(client: EngineClient) -> None:
        await client.load(name, str(adapter))
        with pytest.raises(TerminalError, match="taken by another path"):
            await client.load(name, str(other))
        (_, loaded) = await client.models()
        assert loaded.root == str(adapter)

    server.with_client(use)


def test_a_relative_path_is_refused_before_the_engine_hears_of_it(server: Server, fresh_name: Name) -> None:
    name = fresh_name()
    with pytest.raises(TerminalError, match="relative path"):
        server.with_client(lambda client: client.load(name, "adapters/chat"))
    assert name not in server.names()


def test_missing_files_are_terminal(server: Server, fresh_name: Name) -> None:
    with pytest.raises(TerminalError, match="No adapter found"):
        server.with_client(lambda client: client.load(fresh_name(), "/nowhere/adapter"))


def test_a_rank_over_the_engines_is_terminal(server: Server, fresh_name: Name, make_adapter: Make) -> None:
    wide = make_adapter("wide", seed=2, rank=32)
    with pytest.raises(TerminalError, match="rank"):
        server.with_client(lambda client: client.load(fresh_name(), str(wide)))


def test_damaged_weights_are_terminal(server: Server, fresh_name: Name, make_adapter: Make) -> None:
    damaged = make_adapter("damaged", seed=2)
    (damaged / WEIGHTS).write_bytes(b"\xff" * 64)
    with pytest.raises(TerminalError, match="weights"):
        server.with_client(lambda client: client.load(fresh_name(), str(damaged)))


def test_unloading_twice_is_success(server: Server, fresh_name: Name, adapter: Path) -> None:
    name = fresh_name()

    async def use(client: EngineClient) -> None:
        await client.load(name, str(adapter))
        await client.unload(name)
        await client.unload(name)

    server.with_client(use)
    assert name not in server.names()


def test_every_token_but_a_first_has_a_log_probability(server: Server) -> None:
    texts = ["When are you open on Sunday?", "What does the book cost?"]
    one, two = server.with_client(lambda client: client.prompt_logprobs(server.base, texts))
    for scores in (one, two):
        assert scores[0] is None
        assert len(scores) > 1
        assert all(score is not None and score < 0.0 for score in scores[1:])


def test_token_ids_are_scored_one_for_one(server: Server) -> None:
    prompts = [[5, 6, 7, 8], [9, 10]]
    scores = server.with_client(lambda client: client.prompt_logprobs(server.base, prompts))
    assert [len(one) for one in scores] == [4, 2]


def test_an_unknown_model_cannot_be_scored(server: Server) -> None:
    with pytest.raises(TerminalError, match="does not exist"):
        server.with_client(lambda client: client.prompt_logprobs("nobody-loaded-this", ["a b"]))


def test_the_instance_stays_while_the_process_does(server: Server) -> None:
    first = server.with_client(lambda client: client.instance())
    assert first is not None
    assert server.with_client(lambda client: client.instance()) == first


def test_hazard_4_a_restart_shows_as_another_instance_without_adapters(stub: RunningStub) -> None:
    call = at(stub)
    stub.load("chat-v1--0123456789ab")
    before = call("instance")
    stub.restart()
    assert call("instance") != before
    assert [model.name for model in call("models")] == [stub.state.base_model]  # type: ignore[attr-defined]


def test_an_engine_that_hangs_is_transient_and_what_it_did_is_unknown(adapter: Path) -> None:
    with stub_engine() as stub:
        stub.control(load_delay_s=60.0)
        with pytest.raises(TransientError, match="did not answer") as caught:
            at(stub, seconds=0.2)("load", "a--0123456789ab", str(adapter))
    assert "not known" in caught.value.changed


@pytest.mark.parametrize("method", ["models", "version", "health", "instance"])
def test_an_engine_that_is_not_there_is_transient(free_port: int, method: str) -> None:
    async def go() -> None:
        async with aiohttp.ClientSession() as session:
            await getattr(EngineClient(f"http://127.0.0.1:{free_port}", session, 5.0), method)()

    with pytest.raises(TransientError, match="cannot be reached"):
        asyncio.run(go())


def test_an_unhealthy_engine_is_transient_also_when_it_refuses_to_load(make_adapter: Make) -> None:
    wide = make_adapter("wide", seed=2, rank=32)
    with stub_engine() as stub:
        stub.control(health="500")
        with pytest.raises(TransientError, match="GET /health"):
            at(stub)("load", "a--0123456789ab", str(wide))


def test_an_engine_without_runtime_loading_says_how_to_start_it() -> None:
    with stub_engine(runtime_lora=False) as stub, pytest.raises(TerminalError) as caught:
        at(stub)("load", "a--0123456789ab", "/adapters/a")
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" in str(caught.value)


def test_an_engine_without_runtime_loading_unloads_nothing() -> None:
    with stub_engine(runtime_lora=False) as stub, pytest.raises(TerminalError):
        at(stub)("unload", "a--0123456789ab")


def test_a_key_is_sent_and_its_absence_is_terminal() -> None:
    with stub_engine(api_key="secret") as stub:
        assert at(stub, api_key="secret")("models")
        with pytest.raises(TerminalError, match="api_key_env"):
            at(stub)("models")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": [{}]}', '{"data": 5}', "<html>", "null"])
def test_an_answer_that_cannot_be_read_is_transient(text: str) -> None:
    with pytest.raises(TransientError, match="cannot be read"):
        asyncio.run(against(text, lambda client: client.models()))


def test_hazard_2_weights_are_never_changed_in_place() -> None:
    asked = asyncio.run(against("", lambda client: client.load("a--0123456789ab", "/adapters/a")))
    assert asked == [{"lora_name": "a--0123456789ab", "lora_path": "/adapters/a"}]


async def against(text: str, use: Callable[[EngineClient], Awaitable[object]]) -> list[object]:
    """Use a client of a server that always says `text`; return the bodies that it was sent."""
    bodies: list[object] = []

    async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
        bodies.append(await request.json() if request.can_read_body else None)
        return aiohttp.web.Response(text=text)

    app = aiohttp.web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            await use(EngineClient(f"http://127.0.0.1:{runner.addresses[0][1]}", session, 5.0))
    finally:
        await runner.cleanup()
    return bodies
