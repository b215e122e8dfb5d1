"""`loop down`: what a killed runner left is stopped, and nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from runner.reconcile.journal import Journal
from runner.serving.processes import ManagedProcess, Program
from tests.cli.workbench import Bench, refused


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repo")


def left_by_a_killed_runner(bench: Bench, name: str) -> ManagedProcess:
    program = Program(name, (sys.executable, "-c", "import time; time.sleep(600)"), "127.0.0.1", 0)
    process = ManagedProcess(program, bench.state("x").parent, os.environ)
    asyncio.run(process.start())
    assert process.living()
    return process


def test_engine_and_gateway_that_a_killed_runner_left_are_stopped_whatever_the_journal_says(
    bench: Bench,
) -> None:
    left = [left_by_a_killed_runner(bench, name) for name in ("engine", "gateway")]
    bench.state("journal.jsonl").write_text("not a journal\nat all\n")
    said = bench.loop("down")
    assert (said.code, said.out) == (0, "stopped: gateway, engine\n")
    assert not any(process.living() for process in left)
    assert bench.loop("down").out == "nothing of 'production' runs here\n"


def test_beside_a_runner_that_is_at_work_it_refuses_and_stops_nothing(bench: Bench) -> None:
    engine = left_by_a_killed_runner(bench, "engine")
    with Journal(bench.state("journal.jsonl"), lambda: 0.0):
        refused(bench.loop("down"), "a runner is at work on 'production'", str(os.getpid()))
    assert engine.living()
    asyncio.run(engine.stop(0.0))
