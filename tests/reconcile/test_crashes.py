"""A runner that is killed at any journal entry leaves nothing that the next one does not put right.

Real processes, files and HTTP; only the engine is a stub. Every entry of a history that places, loads,
probes, routes, promotes, unloads and deletes is tried: killed before it, and within it or after it where
that is another case.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.reconcile.journal import read
from runner.reconcile.memory import Kind
from runner.reconcile.state import StatePaths
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.reconcile.crash_server import points
from tests.reconcile.real_parts import CHECKOUT, free_addresses, gateway_process, make_adapter
from tests.waiting import PATIENCE_S

HISTORY = ["first", "trial", "promoted"]


@dataclass
class Crashes:
    """The systems that outlive a runner, and runners to be killed."""

    engine: RunningStub
    admin: str
    server: subprocess.Popen[str]

    def run(self, root: Path, revisions: list[str], die_at: int | None = None, how: str = "before") -> int:
        """Return how a runner ended: 0 in sync, 3 not, or minus the signal that killed it."""
        job = {"root": str(root), "replicas": [self.engine.url], "admin": self.admin}
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(
            json.dumps({**job, "revisions": revisions, "die_at": die_at, "how": how}) + "\n"
        )
        self.server.stdin.flush()
        return int(json.loads(self.server.stdout.readline()))

    def table(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.admin}/state", timeout=PATIENCE_S) as answer:
            table: dict[str, Any] = json.loads(answer.read())["table"]
            return table

    def fresh(self, root: Path) -> Path:
        """Return a checkout without any history; the engine forgets, the gateway keeps its old table."""
        self.engine.restart()
        for name in ("v0", "v1", "v2"):
            make_adapter(root, name)
        return root


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    admin, listen = free_addresses(2)
    command = [sys.executable, "-m", "tests.reconcile.crash_server"]
    with (
        stub_engine() as engine,
        gateway_process(tmp_path_factory.mktemp("gateway"), admin, listen),
        subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        yield Crashes(engine, admin, server)
        assert server.stdin is not None
        server.stdin.close()


@pytest.mark.parametrize("how", ["before", "torn", "after"])
def test_a_runner_killed_at_any_journal_entry_is_continued_by_the_next(
    crashes: Crashes, tmp_path: Path, how: str
) -> None:
    whole = crashes.fresh(tmp_path / "whole")
    assert crashes.run(whole, HISTORY) == 0
    expected = _shown(crashes, whole)
    entries = list(read(StatePaths(whole, "production").journal))
    assert len(entries) > 30
    for at in points(entries, how):
        root = crashes.fresh(tmp_path / str(at))
        assert crashes.run(root, HISTORY, at, how) == -signal.SIGKILL
        _check_routes(crashes)
        assert crashes.run(root, ["promoted"]) == 0, f"entry {at}"
        found = list(read(StatePaths(root, "production").journal))
        if how == "torn":
            assert found[at - 1].kind is Kind.REPAIRED
        assert _shown(crashes, root) == expected, f"entry {at}"


def _check_routes(crashes: Crashes) -> None:
    """Fail where users could be led to an adapter that is not there."""
    for served, urls in crashes.table()["replicas"].items():
        if crashes.engine.url in urls and crashes.engine.state.adapters:
            assert served in crashes.engine.state.adapters


def _shown(crashes: Crashes, root: Path) -> tuple[Any, ...]:
    """Return what is there in the end: routes, loaded adapters, placed files, less paths and generations."""
    table = crashes.table()
    store = StatePaths(root, "production").adapters
    return (
        {name: table[name] for name in ("routes", "pinned", "replicas")},
        {name: Path(path).name for name, path in crashes.engine.state.adapters.items()},
        sorted(path.name for path in store.iterdir()),
    )
