"""Runs reconcilers that die at a chosen journal entry: `python -m tests.reconcile.crash_server`.

Each line on its input is a job; each job gets a process of its own, forked from this one so that nothing has
to be imported again, and ended by SIGKILL at the chosen entry. Each line of its output says how it ended.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from runner.reconcile.distil import Declared
from runner.reconcile.journal import Journal
from runner.reconcile.lookout import NoEvidence
from runner.reconcile.loop import Reconciler
from runner.reconcile.memory import Entry, Kind
from runner.reconcile.source import Stationary
from runner.reconcile.state import StatePaths
from runner.reconcile.wiring import Wiring
from tests.reconcile.real_parts import Addresses, declare


class DyingJournal(Journal):
    """Kills its process at an entry: before it is written, within its line, or once it is on the disk."""

    die_at: int | None = None
    how = "before"
    appended = 0

    def append(self, kind: Kind, body: Mapping[str, Any]) -> Entry:
        self.appended += 1
        if self.appended != self.die_at:
            return super().append(kind, body)
        if self.how == "torn":
            os.write(self._file, b'{"sequence":12,"at":')
        if self.how == "after":
            super().append(kind, body)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def points(entries: Sequence[Entry], how: str) -> list[int]:
    """Return where to die of a journal that nobody disturbed: before each entry, or else where that is another case.

    After an entry the world is as before the next one, unless the entry says what is going to be done; nothing comes
    after the last. Within a line it is as before the line: that is tried for the repair alone, at some of them.
    """
    last = len(entries)
    if how == "after":
        return [at for at, entry in enumerate(entries, 1) if entry.kind is Kind.ATTEMPTED or at == last]
    return list(range(1, last + 1, 4 if how == "torn" else 1))


class ListedSource(Stationary):
    """Revisions in memory; the first is current until the next is turned to."""

    def __init__(self, declarations: list[Declared]) -> None:
        self.by_revision = {d.desired.revision: d for d in declarations}
        self.current = declarations[0].desired.revision

    def revision(self) -> str:
        return self.current

    def declared(self, revision: str) -> Declared:
        return self.by_revision[revision]


def declarations(root: Path, at: Addresses) -> list[Declared]:
    """Return the history that every job applies: a first version, a trial of the next, its promotion."""
    return [
        declare(root, at, "first", "v1", "v0"),
        declare(root, at, "trial", "v1", "v0", "v2"),
        declare(root, at, "promoted", "v2", "v1"),
    ]


async def apply_all(job: Mapping[str, Any]) -> str:
    """Apply the revisions of a job, each until nothing is left to do, and return the last verdict."""
    root = Path(job["root"])
    known = declarations(root, Addresses(tuple(job["replicas"]), job["admin"]))
    source = ListedSource(known)
    with DyingJournal(StatePaths(root, "production").journal, time.time) as journal:
        journal.die_at, journal.how = job["die_at"], job["how"]
        async with aiohttp.ClientSession() as session:
            wiring = Wiring(root, session, {}, lambda _line: None)
            at_work = Reconciler(source, wiring.connect, journal, time.time, _quiet, _quiet, NoEvidence())
            for source.current in job["revisions"]:
                outcome = await at_work.settle()
        return outcome.plan.verdict.value


def _quiet(_said: object) -> None:
    return None


def main() -> None:
    """Serve jobs until the input ends."""
    gc.freeze()  # a collection would write into pages that are shared with every job
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            verdict = asyncio.run(apply_all(json.loads(line)))
            os._exit(0 if verdict == "in sync" else 3)
        _, status = os.waitpid(child, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


if __name__ == "__main__":
    main()
