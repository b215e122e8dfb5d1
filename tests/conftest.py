"""The real vLLM for all tests: one server, started in the background when tests marked `engine` are selected.

Those tests run last, so that it starts while the others run. It is ended with the run, also on Ctrl-C; what a
run that was killed left behind is ended by the next one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from hypothesis import settings

from runner.errors import LoopError
from runner.serving import launcher, procfs
from runner.serving.engine import EngineClient
from runner.serving.processes import ManagedProcess, Program
from tests.engine.models import BASE, MODELS, engine_program, perturbed

settings.register_profile("untimed", deadline=None)  # machines are noisy; speed is measured in benchmarks
settings.load_profile("untimed")

LEFT_BEHIND = "loop-tests-"

MakeAdapter = Callable[..., Path]


@dataclass(frozen=True)
class RealEngine:
    """The running vLLM: its address, the name of its base, what it can hold, and its process."""

    url: str
    base: str
    base_path: Path
    max_lora_rank: int
    process: ManagedProcess

    @asynccontextmanager
    async def client(self, seconds: float = 60.0) -> AsyncIterator[EngineClient]:
        """Open a client of it, inside a running event loop."""
        async with aiohttp.ClientSession() as session:
            yield EngineClient(self.url, session, seconds)

    def wait(self) -> None:
        """Return when it answers; otherwise fail the test and show its whole log."""
        try:
            asyncio.run(self._wait())
        except LoopError as error:
            pytest.fail(f"{error}\n{self.process.log.read_text(errors='replace')}", pytrace=False)

    async def _wait(self) -> None:
        async with self.client(5.0) as client:
            ready = launcher.serves(client)
            await self.process.wait_ready(ready, launcher.START_TIMEOUT_S, lambda _phase: None)


STARTED = pytest.StashKey[RealEngine | LoopError]()

LONG = (
    *(
        "test_cube",
        "test_runs",
        "test_recipes_run",
        "test_arena_browser",
        "test_play",
        "test_commands",
        "test_mutations",
    ),
    *(
        "test_taking",
        "test_drifting",
        "test_rollout_crashes",
        "test_forgetting_to_the_end",
        "test_act",
        "test_state",
    ),
    *(
        "test_review_browser",
        "test_browser",
        "test_decisions",
        "test_crashes",
        "test_convergence",
        "test_two_runners",
    ),
)
"""Modules that take longest. Where several processes share the tests, these begin first, so that none is left alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the real vLLM last and long modules first; the order is otherwise kept.

    Rollouts come first of the former: later ones load so many adapters that on a CPU the base is mixed up with one.
    """
    items.sort(
        key=lambda item: (
            item.get_closest_marker("engine") is not None,
            "test_rollouts" not in item.path.name,
            LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG),
        )
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start vLLM if it is needed, and do not wait for it."""
    wanted = any(item.get_closest_marker("engine") for item in session.items)
    if wanted and not session.config.option.collectonly:
        _end_what_was_left()
        # So that being asked to end is the same as Ctrl-C, and vLLM ends too.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        session.config.stash[STARTED] = _started()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End vLLM, however the run ended; one that died on its own has its last words shown."""
    engine = session.config.stash.get(STARTED, None)
    if isinstance(engine, RealEngine):
        if engine.process.living() is None:
            session.config.get_terminal_writer().line(
                "\n".join(("", "vLLM died:", *engine.process.last_lines()))
            )
        asyncio.run(engine.process.stop())
        shutil.rmtree(engine.process.log.parent.parent)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> RealEngine:
    """The real vLLM, healthy; for tests marked `engine` only."""
    running = request.config.stash[STARTED]
    if isinstance(running, LoopError):
        pytest.fail(str(running), pytrace=False)
    running.wait()
    return running


@pytest.fixture(scope="session")
def make_adapter(tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """Make adapters of the base: `make_adapter("chat-v1.1", seed=1)` returns a directory of new weights."""
    source = MODELS / "chat-v1.0"

    def make(name: str, seed: int, **changes: float) -> Path:
        if not source.is_dir():
            pytest.fail(f"there is no adapter at {source}: run `dvc pull`", pytrace=False)
        return perturbed(source, tmp_path_factory.mktemp(name, numbered=True) / name, seed, **changes)

    return make


def _started() -> RealEngine | LoopError:
    directory = Path(tempfile.gettempdir()) / f"{LEFT_BEHIND}{os.getpid()}"
    port = _free_port()
    try:
        process = ManagedProcess(engine_program(port), directory, os.environ)
        asyncio.run(process.start())
    except LoopError as error:
        return error
    return RealEngine(f"http://127.0.0.1:{port}", BASE, MODELS / "base", 16, process)


def _end_what_was_left() -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{LEFT_BEHIND}*"):
        pid = int(directory.name.removeprefix(LEFT_BEHIND))
        if procfs.life(pid) is None:
            idle = Program("engine", (), "127.0.0.1", 0)
            asyncio.run(ManagedProcess(idle, directory, {}).stop(grace_s=3.0))
            shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> Iterator[int]:
    """A TCP port of the loopback that nobody listens on now."""
    yield _free_port()
