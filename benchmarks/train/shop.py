"""A deployment of the bookshop in a scratch repository: real vLLM, gateway, runner, and people who vote.

Called by `run`. Every step is a `loop` command, as an engineer or a workflow would give it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.reconcile.state import StatePaths
from runner.serving.gateway.callers import console_secret
from runner.simulation.votes.client import Arena, vote
from runner.simulation.votes.voter import contrary
from tests.system import scratch
from tests.system.scratch import Scratch
from tests.waiting import until

ENVIRONMENT = "production"


@dataclass(frozen=True)
class Command:
    """How a command ended: its exit code, what it printed as JSON (None where it printed none), its words, seconds."""

    code: int
    value: Any
    said: str
    seconds: float


@dataclass(frozen=True)
class Shop:
    """The running deployment."""

    place: Scratch

    def run(self, *arguments: str) -> Command:
        """Run a `loop` command with `--json`."""
        begin = time.perf_counter()
        done = subprocess.run(
            scratch.command(self.place.root, *arguments, "--json"),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - begin
        try:
            value = json.loads(done.stdout)
        except ValueError:
            value = None
        return Command(done.returncode, value, done.stderr + ("" if value else done.stdout), seconds)

    def do(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Command:
        """Run a command that has to end in one of `codes`. Raises RuntimeError with its words."""
        done = self.run(*arguments)
        if done.code not in codes:
            raise RuntimeError(f"loop {' '.join(arguments)}: exit code {done.code}\n{done.said}")
        return done

    def curate(self, message: str) -> Command:
        """Have people judge what waits for them, make a snapshot, and commit it."""
        self.do("data", "collect")
        self.do("arena", "simulate", "--review")
        done = self.do("data", "curate", codes=(0, 2))
        self.place.commit(message)
        return done

    def edit(self, path: str, change: Callable[[str], str], message: str) -> None:
        """Commit a change of one file. Raises ValueError where it changes nothing."""
        file = self.place.root / path
        before = file.read_text(encoding="utf-8")
        after = change(before)
        if after == before:
            raise ValueError(f"{path} holds nothing to change: {message}")
        file.write_text(after, encoding="utf-8")
        self.place.commit(message)

    def in_sync(self) -> None:
        """Wait until live and Git agree about the newest commit."""

        def agreed() -> bool:
            status = self.place.status()
            last = status["pass"]
            return bool(
                status["runner"] and last and last["verdict"] == "in sync" and last["revision"] == self.tip()
            )

        until(agreed, "live and Git to agree")

    def tip(self) -> str:
        """Return the newest commit."""
        return scratch.git(self.place.root, "rev-parse", "HEAD").strip()

    def poison(self, votes: int) -> None:
        """Let one person vote against everything that the others like."""
        secret = console_secret(StatePaths(self.place.root, ENVIRONMENT).directory)
        arena = Arena(self.place.gateway, secret, people=1, seed=666, opinion=contrary)
        asyncio.run(vote(arena, votes, lambda _done, _of: None))


@contextmanager
def shop(home: Path) -> Iterator[Shop]:
    """Start it below `home`, and end it with the block."""
    place = scratch.make(home / "repo")
    process = place.start("up")
    running = Shop(place)
    try:
        until(lambda: process.poll() is not None or _serves(running), "the deployment to serve")
        if process.poll() is not None:
            raise RuntimeError(place.output("up"))
        yield running
    finally:
        if process.poll() is None:
            scratch.end(process)
        for pid in scratch.processes_of(place.root):
            os.kill(pid, signal.SIGKILL)


def _serves(running: Shop) -> bool:
    status = running.place.status()
    return bool(status["runner"] and status["pass"] and status["pass"]["verdict"] == "in sync")
