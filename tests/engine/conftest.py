"""The two servers that one contract is put to: the stub that other tests rely on, and the real vLLM."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import pytest

from runner.serving.engine import EngineClient
from tests.doubles.stub_engine import RunningStub, stub_engine

T = TypeVar("T")
_COUNT = itertools.count()


@dataclass(frozen=True)
class Answer:
    status: int
    media: str
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == self.status
        assert error["message"]
        return dict(error)

    @property
    def chunks(self) -> list[dict[str, Any]]:
        lines = [line for line in self.text.split("\n\n") if line]
        assert lines[-1] == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


@dataclass(frozen=True)
class Server:
    url: str
    base: str
    real: bool

    def ask(self, method: str, path: str, body: Any = None, data: str | None = None) -> Answer:
        """Ask plainly, without the client under test."""

        async def go() -> Answer:
            headers = {"content-type": "application/json"} if data is not None else None
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, self.url + path, json=body, data=data, headers=headers) as response,
            ):
                return Answer(response.status, response.content_type, await response.text())

        return asyncio.run(go())

    def post(self, path: str, body: Any) -> Answer:
        return self.ask("POST", path, body)

    def with_client(self, use: Callable[[EngineClient], Coroutine[Any, Any, T]], seconds: float = 60.0) -> T:
        """Run a piece of code with a client of this server."""

        async def go() -> T:
            async with aiohttp.ClientSession() as session:
                return await use(EngineClient(self.url, session, seconds))

        return asyncio.run(go())

    def names(self) -> set[str]:
        return {card["id"] for card in self.ask("GET", "/v1/models").json["data"]}


@pytest.fixture(scope="session")
def stub() -> Iterator[RunningStub]:
    with stub_engine(base_model="bookshop-base", max_model_len=256) as running:
        yield running


@pytest.fixture(params=["stub", pytest.param("real", marks=pytest.mark.engine)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with nothing but its base; what a test loads is taken away again."""
    if request.param == "stub":
        stub = request.getfixturevalue("stub")
        yield Server(stub.url, stub.state.base_model, real=False)
        stub.restart()
        return
    yield request.getfixturevalue("real")


@pytest.fixture
def real(engine: Any) -> Iterator[Server]:
    """The real vLLM alone, for tests marked `engine`; what a test loads is taken away again."""
    server = Server(engine.url, engine.base, real=True)
    yield server
    for name in server.names() - {server.base}:
        server.post("/v1/unload_lora_adapter", {"lora_name": name})


@pytest.fixture
def fresh_name() -> Callable[[], str]:
    """Makes names that were never used on the server, as served names are."""
    return lambda: f"chat-v{next(_COUNT)}--0123456789ab"
