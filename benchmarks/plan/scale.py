"""Observing and planning 100 adapters on 10 replicas, over HTTP, with a real gateway, journal and store.

The deployment is brought up by the reconciler itself, so what is measured is what a runner does all day.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from runner.git.repository import Repository
from runner.reconcile.desired import Role
from runner.reconcile.distil import Declared
from runner.reconcile.journal import Journal, read
from runner.reconcile.lookout import NoEvidence
from runner.reconcile.loop import Reconciler
from runner.reconcile.observed import Observed
from runner.reconcile.plan import plan
from runner.reconcile.source import Stationary
from runner.reconcile.state import StatePaths
from runner.reconcile.wiring import Wiring
from tests.reconcile.real_parts import (
    CHECKOUT,
    Addresses,
    adapter,
    declare,
    free_addresses,
    gateway_process,
    make_adapter,
)

ADAPTERS, REPLICAS, PASSES = 100, 10, 30


@dataclass(frozen=True)
class Scale:
    """Medians over passes. Milliseconds; `bring_up_s` is the time of all loads and probes, in seconds."""

    plan_ms: float
    pure_plan_ms: float
    in_sync_cpu_ms: float
    bring_up_s: float
    journal_entries: int


class OneSource(Stationary):
    """One declaration, always current; Git is asked for its commit at every pass, as a runner does."""

    def __init__(self, declared: Declared, repository: Repository | None = None) -> None:
        self._declared, self._repository = declared, repository

    def revision(self) -> str:
        """Return its name."""
        if self._repository is not None:
            self._repository.head()
        return self._declared.desired.revision

    def declared(self, revision: str) -> Declared:  # noqa: ARG002 - there is only one
        """Return it."""
        return self._declared


async def measure(directory: Path) -> Scale:
    """Bring the deployment up in `directory` and measure passes over it."""
    names = [f"v{number}" for number in range(ADAPTERS)]
    for name in names:
        make_adapter(directory, name)
    admin, listen = free_addresses(2)
    with stubs() as urls, gateway_process(directory / "gateway", admin, listen):
        declared = _declare(directory, Addresses(urls, admin), names)
        with Journal(StatePaths(directory, "production").journal, time.time) as journal:
            async with aiohttp.ClientSession() as session:
                wiring = Wiring(directory, session, {}, lambda _line: None)
                at_work = Reconciler(
                    OneSource(declared, _repository(directory)),
                    wiring.connect,
                    journal,
                    time.time,
                    lambda _: None,
                    lambda _: None,
                    NoEvidence(),
                    observe_seconds=10.0,
                )
                return await _measured(at_work, journal)


async def _measured(at_work: Reconciler, journal: Journal) -> Scale:
    begin = time.perf_counter()
    outcome = await at_work.settle()
    bring_up = time.perf_counter() - begin
    if not outcome.plan.in_sync:
        raise RuntimeError(f"the deployment did not come up: {outcome.plan.holds}")
    looks, plans, passes = [], [], []
    for _ in range(PASSES):
        begin = time.perf_counter()
        observed, planned = await at_work.look()
        looks.append(time.perf_counter() - begin)
        begin = _cpu()
        await at_work.reconcile_once()
        passes.append(_cpu() - begin)
        plans.append(_pure(at_work, observed))
        if not planned.in_sync:
            raise RuntimeError("the deployment did not stay in sync")
    median = statistics.median
    entries = sum(1 for _ in read(journal.path))
    return Scale(1e3 * median(looks), 1e3 * median(plans), 1e3 * median(passes), bring_up, entries)


def _cpu() -> float:
    """Return the CPU seconds of this process and of those that it ran, `git` among them."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _repository(directory: Path) -> Repository:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for order in (("init", "--quiet"), (*who, "commit", "--quiet", "--allow-empty", "--message=start")):
        subprocess.run(["git", *order], cwd=directory, check=True)
    return Repository(directory)


def _pure(at_work: Reconciler, observed: Observed) -> float:
    """Return the seconds of planning alone."""
    if at_work.declared is None:
        raise RuntimeError("there is no declaration")
    begin = time.perf_counter()
    plan(at_work.declared.desired, observed, observed.at)
    return time.perf_counter() - begin


@contextmanager
def stubs() -> Iterator[tuple[str, ...]]:
    """Run the replicas until the block ends and give their addresses."""
    command = [sys.executable, "-m", "benchmarks.plan.stubs", str(REPLICAS)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # it is a pipe
        yield tuple(json.loads(process.stdout.readline()))
        assert process.stdin is not None
        process.stdin.close()


def _declare(directory: Path, at: Addresses, names: list[str]) -> Declared:
    declared = declare(directory, at, "r1", names[0], names[1], names[2])
    more = tuple(adapter(directory, name, Role.EXPERIMENT) for name in names[3:])
    adapters = (*declared.desired.adapters, *more)
    desired = replace(declared.desired, adapters=adapters, library={a.served: a for a in adapters})
    return replace(declared, desired=desired)
