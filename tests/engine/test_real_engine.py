"""What only the real vLLM can show: adapters beyond its memory, a death in service, one during its start."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.serving import adapters, launcher, probe, procfs
from runner.serving.engine import EngineClient
from runner.serving.processes import MARK, ManagedProcess, keep
from tests.engine.conftest import Server
from tests.engine.models import engine_program

pytestmark = pytest.mark.engine
Make = Callable[..., Path]
Name = Callable[[], str]


def test_hazard_6_adapters_beyond_those_in_memory_are_read_again_and_answer_as_before(
    real: Server, fresh_name: Name, make_adapter: Make
) -> None:
    names = {fresh_name(): make_adapter("many", seed=seed) for seed in range(10, 16)}

    async def use(client: EngineClient) -> None:
        for name, path in names.items():
            await client.load(name, str(path))
        prompts = [["When are you open?"]] * len(names)
        first = await asyncio.gather(*map(client.prompt_logprobs, names, prompts))
        again = [await client.prompt_logprobs(name, prompts[0]) for name in reversed(names)]
        for one, other in zip(first, reversed(again), strict=True):
            assert probe.difference(one, other) < probe.MINIMUM_BASE_DIFFERENCE
        assert all(probe.difference(first[0], other) > 0.01 for other in first[1:])

    real.with_client(use)


def test_an_adapter_is_served_from_the_read_only_store(
    real: Server, make_adapter: Make, tmp_path: Path
) -> None:
    source = make_adapter("stored", seed=20)
    declared = adapters.digests.of_directory(source)
    placed = adapters.place(source, tmp_path / "adapters", "chat-v9.9", declared)

    async def use(client: EngineClient) -> probe.ProbeResult:
        await client.load(placed.name, str(placed))
        return await probe.probe(client, real.base, placed.name, probe.read_record(placed))

    assert real.with_client(use).verdict is probe.Verdict.PASS
    assert adapters.inspect(placed, declared) is adapters.Copy.INTACT


def test_hazard_4_a_killed_engine_is_started_again_and_has_forgotten_its_adapters(
    engine: Any, fresh_name: Name, make_adapter: Make
) -> None:
    name, adapter = fresh_name(), make_adapter("forgotten", seed=21)
    told: list[str] = []

    async def go() -> None:
        async with engine.client() as client:
            await client.load(name, str(adapter))
            before = await client.instance()
            ready = launcher.serves(client)
            task = asyncio.create_task(keep(engine.process, ready, told.append, timeout_s=200.0))
            await until(lambda: "engine: serving" in told)
            os.kill(engine.process.living().pid, signal.SIGKILL)
            await until(lambda: told.count("engine: serving") == 2)
            assert await client.instance() != before
            assert [model.name for model in await client.models()] == [engine.base]
            await client.load(name, str(adapter))
            await client.unload(name)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    assert "engine: loading the base model" in told


def test_an_engine_that_is_stopped_during_its_start_leaves_no_process(free_port: int, tmp_path: Path) -> None:
    process = ManagedProcess(engine_program(free_port), tmp_path, os.environ)
    mark = f"{MARK}={process.record_path}"

    async def go() -> tuple[procfs.Life, ...]:
        await process.start()
        try:
            await until(lambda: len(procfs.family(-1, mark)) > 1)
            return procfs.family(-1, mark)
        finally:
            await process.stop(grace_s=5.0)

    lives = asyncio.run(go())
    assert len(lives) > 1
    assert [procfs.life(one.pid) for one in lives] == [None] * len(lives)
    assert procfs.listener(free_port) is None


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.05)
