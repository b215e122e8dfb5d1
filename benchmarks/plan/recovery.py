"""`kill -9` of the real vLLM while users ask, until the adapter answers them again.

The shipped model behind a real gateway, kept by the same code as `loop up`: the engine is started again, the
reconciler sees another process, withdraws the routes, loads the adapter, proves it, and gives the routes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from benchmarks.plan.scale import OneSource
from runner.errors import LoopError
from runner.reconcile.distil import Declared
from runner.reconcile.journal import Journal
from runner.reconcile.lookout import NoEvidence
from runner.reconcile.loop import Outcome, Reconciler
from runner.reconcile.state import StatePaths
from runner.reconcile.wiring import Wiring
from runner.serving import launcher
from runner.serving.engine import EngineClient
from runner.serving.processes import ManagedProcess, keep
from runner.spec.environment import BaseModelRef, Engine
from tests.reconcile.real_parts import CHECKOUT, Addresses, declare, free_addresses, gateway_process

BASE, VERSION = "bookshop-base", "chat-v1.0"
QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "When do you open?"}], "max_tokens": 16}
LONGEST_S = 300.0


@dataclass(frozen=True)
class Recovery:
    """Seconds from the kill: until users were answered again, and of that the engine's own start."""

    recover_s: float
    engine_start_s: float


@dataclass
class Watch:
    """When the engine began to serve, each time, by the monotonic clock in seconds."""

    serving: list[float]

    def tell(self, text: str) -> None:
        """Take a line of progress."""
        if text.endswith(": serving"):
            self.serving.append(time.monotonic())


async def measure(directory: Path) -> Recovery | None:
    """Return the figures, or None where the shipped model or vLLM is absent."""
    if not (CHECKOUT / "models" / "base").is_dir() or not (CHECKOUT / "models" / VERSION).is_dir():
        return None
    admin, listen, engine = free_addresses(3)
    spec = Engine(managed=True, listen=engine, max_loras=4, max_cpu_loras=4, max_lora_rank=16)
    try:
        base = BaseModelRef(name=BASE, path="models/base")
        program = launcher.vllm(spec, base, CHECKOUT, launcher.installed(), os.environ)
    except LoopError:
        return None
    process = ManagedProcess(program, directory, os.environ)
    with gateway_process(directory / "gateway", admin, listen):
        try:
            declared = _declare(directory, Addresses((f"http://{engine}",), admin))
            return await _killed_once(directory, declared, process, f"http://{listen}")
        finally:
            await process.stop()


def _declare(directory: Path, at: Addresses) -> Declared:
    (directory / "adapters").mkdir(parents=True, exist_ok=True)
    (directory / "adapters" / VERSION).symlink_to(CHECKOUT / "models" / VERSION)
    declared = declare(directory, at, "r1", VERSION)
    source = str(CHECKOUT / "models" / VERSION)
    adapters = tuple(replace(a, source=source) for a in declared.desired.adapters)
    desired = replace(declared.desired, adapters=adapters, library={a.served: a for a in adapters})
    return replace(declared, desired=desired, base_model=BASE)


async def _killed_once(directory: Path, declared: Declared, process: ManagedProcess, users: str) -> Recovery:
    watch, stop, wake = Watch([]), asyncio.Event(), asyncio.Event()

    def tell(text: str) -> None:
        watch.tell(text)
        if text.endswith(": serving"):
            wake.set()

    async with aiohttp.ClientSession() as session:
        client = EngineClient(declared.environment.engine.replicas[0], session, 2.0)
        with Journal(StatePaths(directory, "production").journal, time.time) as journal:
            wiring = Wiring(directory, session, {}, lambda _line: None)
            at_work = Reconciler(
                OneSource(declared), wiring.connect, journal, time.time, _quiet, lambda _: None, NoEvidence()
            )
            duties = [
                asyncio.create_task(
                    keep(process, launcher.serves(client), tell, timeout_s=launcher.START_TIMEOUT_S)
                ),
                asyncio.create_task(at_work.run(stop, wake)),
            ]
            try:
                await _until(lambda: _answered(session, users))
                return await _kill(process, watch, lambda: _answered(session, users))
            finally:
                for duty in duties:
                    duty.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await duty


async def _kill(process: ManagedProcess, watch: Watch, answered: Callable[[], Awaitable[bool]]) -> Recovery:
    record = process.living()
    if record is None:
        raise RuntimeError("the engine does not live")
    starts, begin = len(watch.serving), time.monotonic()
    os.kill(record.pid, signal.SIGKILL)
    await _until(lambda: _not(answered))
    await _until(answered)
    return Recovery(time.monotonic() - begin, watch.serving[starts] - begin)


async def _not(asked: Callable[[], Awaitable[bool]]) -> bool:
    return not await asked()


async def _answered(session: aiohttp.ClientSession, users: str) -> bool:
    """Return whether a user's question is answered now, by the adapter."""
    try:
        seconds = aiohttp.ClientTimeout(total=20.0)
        async with session.post(f"{users}/v1/chat/completions", json=QUESTION, timeout=seconds) as answer:
            await answer.read()
            return answer.status == 200 and answer.headers.get("x-loop-arm") == "baseline"
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _until(held: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LONGEST_S):
        while not await held():  # noqa: ASYNC110 - what is awaited is another process
            await asyncio.sleep(0.05)


def _quiet(_outcome: Outcome) -> None:
    pass
