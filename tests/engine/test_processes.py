"""Processes that outlive the runner: adopted by the next one, and ended to the last grandchild."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import TerminalError, TransientError
from runner.serving import procfs
from runner.serving.processes import MARK, ManagedProcess, Origin, Program, backoff_s, keep
from tests.waiting import PATIENCE_S

SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
SPAWNS = """
    import os, subprocess, sys, time
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); "
    deaf += "time.sleep(600)"
    for apart in (False, True):
        command = [sys.executable, "-c", deaf]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=apart)
        child.stdout.readline()
    print("ready", flush=True)
    time.sleep(600)
"""
RUNNER = """
    import asyncio, os, pathlib, sys
    from runner.serving.processes import ManagedProcess, Program
    program = Program("toy", tuple(sys.argv[3:]), "127.0.0.1", int(sys.argv[2]))
    process = ManagedProcess(program, pathlib.Path(sys.argv[1]), os.environ)
    asyncio.run(process.start())
    print(process.living().pid, flush=True)
    import time; time.sleep(600)
"""

Make = Callable[..., ManagedProcess]


@pytest.fixture
def make(tmp_path: Path, free_port: int) -> Iterator[Make]:
    """Make the managed process of a Python program; all are stopped at the end."""
    made = []

    def process(code: str = SLEEPER, **changes: object) -> ManagedProcess:
        argv = (sys.executable, "-c", textwrap.dedent(code))
        program = replace(Program("toy", argv, "127.0.0.1", free_port), **changes)  # type: ignore[arg-type]
        made.append(ManagedProcess(program, tmp_path, os.environ))
        return made[-1]

    yield process
    for one in made:
        asyncio.run(one.stop(grace_s=0.2))


def start(process: ManagedProcess) -> Origin:
    """Start and wait until the program has said that it is ready."""

    async def go() -> Origin:
        origin = await process.start(grace_s=0.2)
        await process.wait_ready(said_ready(process), PATIENCE_S, lambda _: None)
        return origin

    return asyncio.run(go())


def said_ready(process: ManagedProcess) -> Callable[..., object]:
    async def ready() -> bool:
        return "ready" in process.log.read_text()

    return ready


def family(process: ManagedProcess) -> tuple[procfs.Life, ...]:
    record = process.living()
    return procfs.family(record.pid if record else -1, f"{MARK}={process.record_path}")


def test_a_started_process_lives_in_its_own_session_and_is_on_record(make: Make) -> None:
    process = make()
    assert start(process) is Origin.STARTED
    record = process.living()
    assert record is not None
    assert os.getsid(record.pid) == record.pid != os.getsid(0)
    written = json.loads(process.record_path.read_text())
    assert written["pid"] == record.pid
    assert set(written) == {"pid", "started", "program", "port", "log"}


def test_starting_again_adopts_the_living_process(make: Make) -> None:
    first = make()
    start(first)
    second = make()
    assert start(second) is Origin.ADOPTED
    assert second.living() == first.living()


def test_a_killed_runner_leaves_its_process_to_the_next(make: Make, tmp_path: Path, free_port: int) -> None:
    argv = [sys.executable, "-c", SLEEPER]
    command = [sys.executable, "-c", textwrap.dedent(RUNNER), str(tmp_path), str(free_port), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        pid = int(runner.stdout.readline())
        runner.kill()
    process = make()
    assert start(process) is Origin.ADOPTED
    record = process.living()
    assert record is not None
    assert record.pid == pid


@pytest.mark.parametrize(
    "change", [{"settings": {"A": "1"}}, {"dropped": ("HOME",)}, {"code": SLEEPER + " "}]
)
def test_another_program_of_that_name_replaces_the_living_one(make: Make, change: dict[str, object]) -> None:
    old = make()
    start(old)
    before = old.living()
    new = make(**change)
    assert new.living() is None
    assert start(new) is Origin.STARTED
    assert before is not None
    assert procfs.life(before.pid) is None


def test_stopping_ends_grandchildren_also_deaf_ones_and_those_in_other_sessions(make: Make) -> None:
    process = make(SPAWNS)
    start(process)
    pids = [one.pid for one in family(process)]
    assert len(pids) == 3
    asyncio.run(process.stop(grace_s=0.2))
    assert [procfs.life(pid) for pid in pids] == [None] * 3
    assert not process.record_path.exists()


def test_grandchildren_of_a_killed_leader_are_ended_before_the_next_start(make: Make) -> None:
    process = make(SPAWNS)
    start(process)
    record, orphans = process.living(), family(process)
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    asyncio.run(process.wait_end())
    assert start(process) is Origin.STARTED
    assert [procfs.life(one.pid) for one in orphans] == [None] * 3


def test_a_process_whose_record_was_never_written_is_found_by_its_mark(make: Make) -> None:
    process = make()
    start(process)
    record = process.living()
    assert record is not None
    process.record_path.unlink()
    assert start(process) is Origin.STARTED
    assert procfs.life(record.pid) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": 1}', "not json"])
def test_a_record_that_cannot_be_read_counts_as_none(make: Make, text: str) -> None:
    process = make()
    process.record_path.parent.mkdir(parents=True)
    process.record_path.write_text(text)
    assert process.living() is None
    assert start(process) is Origin.STARTED


def test_another_process_that_got_the_id_is_never_touched(make: Make) -> None:
    process = make()
    start(process)
    record = json.loads(process.record_path.read_text())
    asyncio.run(process.stop(grace_s=5.0))
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        process.record_path.write_text(json.dumps(record | {"pid": stranger.pid}))
        assert process.living() is None
        asyncio.run(process.stop(grace_s=0.2))
        assert stranger.poll() is None
        stranger.kill()


def test_stopping_what_never_ran_is_success(make: Make) -> None:
    asyncio.run(make().stop())


def test_a_port_that_somebody_else_has_is_an_error_that_names_him(make: Make, free_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with pytest.raises(TerminalError, match="cannot listen") as caught:
            start(make())
    assert f"pid {os.getpid()}" in str(caught.value)
    assert str(free_port) in str(caught.value)


def test_a_program_that_is_not_there_is_an_error(make: Make) -> None:
    with pytest.raises(TerminalError, match="cannot be run"):
        start(make(argv=("/nowhere/program",)))


def test_a_start_that_dies_shows_its_last_words_and_status(make: Make) -> None:
    process = make("import sys; [print('line', n) for n in range(40)]; sys.exit('no such model')")
    with pytest.raises(TransientError, match="ended while it started") as caught:
        asyncio.run(started_never_ready(process))
    assert "exit status 1" in str(caught.value)
    assert "no such model" in str(caught.value)
    assert "line 39" in str(caught.value)
    assert "line 3\n" not in str(caught.value)


def test_a_start_that_takes_too_long_is_told_and_left_alone(make: Make) -> None:
    process = make()
    with pytest.raises(TransientError, match="does not serve after"):
        asyncio.run(started_never_ready(process))
    assert process.living() is not None


async def started_never_ready(process: ManagedProcess) -> None:
    async def never() -> bool:
        return False

    await process.start()
    await process.wait_ready(never, 1.0, lambda _: None)


def test_each_phase_of_a_start_is_told_once_and_in_order(make: Make) -> None:
    code = (
        "import time; print('one'); print('two', flush=True); time.sleep(0.5); print('ready', flush=True); "
    )
    process = make(code + "time.sleep(600)", phases={"one": "first", "two": "second", "three": "third"})
    told: list[str] = []

    async def go() -> None:
        await process.start()
        await process.wait_ready(said_ready(process), PATIENCE_S, told.append)  # type: ignore[arg-type]

    asyncio.run(go())
    assert told == ["toy: first", "toy: second"]


def test_the_log_of_the_start_before_is_kept(make: Make) -> None:
    process = make()
    start(process)
    asyncio.run(process.stop(grace_s=5.0))
    start(process)
    assert process.log.with_suffix(".log.1").read_text() == "ready\n"


def test_settings_are_set_and_dropped_variables_are_gone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_DROPPED", "1")
    code = "import os, time; print(os.getenv('PROBE_SET'), os.getenv('PROBE_DROPPED'), 'ready', flush=True)"
    code += "; time.sleep(600)"
    process = make(code, settings={"PROBE_SET": "here"}, dropped=("PROBE_DROPPED",))
    start(process)
    assert process.log.read_text() == "here None ready\n"


def test_a_process_that_dies_is_started_again_until_cancelled(make: Make) -> None:
    process, pids = make(), []

    async def go() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()
        ready = said_ready(process)
        task = asyncio.create_task(keep(process, ready, told.put_nowait, timeout_s=PATIENCE_S))  # type: ignore[arg-type]
        for _ in range(3):
            while await told.get() != "toy: serving":
                pass
            record = process.living()
            assert record is not None
            pids.append(record.pid)
            if len(pids) < 3:
                os.kill(record.pid, signal.SIGKILL)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    assert len(set(pids)) == 3
    assert process.living() is not None


def test_failing_starts_are_tried_again_ever_more_slowly(make: Make) -> None:
    process, waits = make("raise SystemExit(3)"), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            raise asyncio.CancelledError

    async def go() -> None:
        async def never() -> bool:
            return False

        await keep(process, never, lambda _: None, timeout_s=PATIENCE_S, sleep=sleep)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(go())
    assert waits == [0.0, 1.0, 2.0, 4.0]


@given(st.integers(1, 500))
def test_a_wait_never_shrinks_and_never_passes_a_minute(failures: int) -> None:
    assert 0.0 <= backoff_s(failures) <= backoff_s(failures + 1) <= 60.0


def test_a_process_that_ended_and_was_not_waited_for_does_not_live() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        while (life := procfs.life(child.pid)) is not None:
            assert life.pid == child.pid
            time.sleep(0.01)


def test_nobody_listens_on_a_free_port(free_port: int) -> None:
    assert procfs.listener(free_port) is None
