"""Resident runners in processes of their own: `python -m tests.reconcile.rollout_crash_server`.

Each is forked from this process, so that nothing has to be imported again, and is what `loop run` runs: the same
deployment, source, journal, evidence and scribe. A job can have it killed at a journal entry, ended once the rollout
is over, or hear its clock stepped (SIGUSR1). Lines of JSON in, lines of JSON out; `rollout_world` writes them.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runner.cli import deployment
from runner.errors import Unknown
from runner.reconcile.loop import Outcome, Reconciler
from runner.signals import detection
from tests.reconcile.crash_server import DyingJournal
from tests.waiting import PATIENCE_S

ENVIRONMENT = "production"
HOUR_S = 3600.0
UNSETTLED = 3
"""Exit status of a runner that was to see the end of a rollout and did not."""


class SteppedClock:
    """The clock on the wall, which somebody may set back."""

    def __init__(self) -> None:
        self.offset = 0.0

    def time(self) -> float:
        return time.time() + self.offset

    def step_back(self) -> None:
        self.offset -= HOUR_S


def rolled_back(outcome: Outcome) -> bool:
    """Whether Git shows every rollback and nothing is left to do."""
    memory = outcome.observed.memory
    return outcome.plan.in_sync and not outcome.acted and not memory.rollbacks and bool(memory.past)


def advanced(outcome: Outcome) -> bool:
    """Whether the live routes give the second stage and nothing is left to do."""
    entered = outcome.observed.memory.entered
    return outcome.plan.in_sync and not outcome.acted and entered is not None and entered.stage == "wide"


def proposed(outcome: Outcome) -> bool:
    """Whether a step was asked for and nothing is left to do."""
    return outcome.plan.in_sync and not outcome.acted and bool(outcome.observed.memory.proposed)


def concluded(outcome: Outcome) -> bool:
    """Whether the live routes give the candidate to everybody, as the baseline, and nothing is left to do."""
    live = outcome.observed.live()
    given = [(route.baseline.name, route.split) for route in live.routes] if live else []
    return outcome.plan.in_sync and not outcome.acted and given == [("chat-v1.1", None)]


ENDS: Mapping[str, Callable[[Outcome], bool]] = {
    "rolled back": rolled_back,
    "advanced": advanced,
    "proposed": proposed,
    "concluded": concluded,
    "never": lambda _: False,
}


async def resident(job: Mapping[str, Any]) -> int:
    """Run until SIGTERM or until the job's end is seen; return the exit status."""
    stop, wake, clock = asyncio.Event(), asyncio.Event(), SteppedClock()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, wake.set)
    loop.add_signal_handler(signal.SIGUSR1, clock.step_back)
    wanted = ENDS[job["until"]]
    seen = job["until"] == "never"

    def told(outcome: Outcome) -> None:
        nonlocal seen
        _trace(outcome, clock.time())
        if wanted(outcome):
            seen = True
            stop.set()

    deployment.Journal = partial(_journal, job)  # type: ignore[attr-defined, assignment]
    deployment.time = SimpleNamespace(time=clock.time, monotonic=time.monotonic)  # type: ignore[attr-defined, assignment]
    root = Path(job["root"])
    work = deployment.deployment(root, ENVIRONMENT, working_tree=False, follow=True)
    async with work.reconciler(partial(print, flush=True), told) as reconciler:
        if job["until"] != "never":
            loop.call_later(PATIENCE_S, stop.set)
        await _until_stopped(reconciler, stop, wake)
    return 0 if seen else UNSETTLED


async def _until_stopped(reconciler: Reconciler, stop: asyncio.Event, wake: asyncio.Event) -> None:
    await reconciler.run(stop, wake)


def _journal(job: Mapping[str, Any], path: Path, clock: Callable[[], float]) -> DyingJournal:
    journal = DyingJournal(path, clock)
    journal.die_at, journal.how = job["die_at"], job["how"]
    return journal


def _trace(outcome: Outcome, now: float) -> None:
    """Leave a line for every pass, so that a test that fails can be understood, and some be judged by it."""
    found = outcome.observed.assessment
    shown = None if found is None or isinstance(found, Unknown) else (found.step, found.elapsed)
    line = {
        "now": now,
        "revision": outcome.plan.revision,
        "verdict": outcome.plan.verdict,
        "actions": [action.kind for action in outcome.plan.actions],
        "holds": [[hold.reason.name, hold.subject, hold.text] for hold in outcome.plan.holds],
        "failed": [failed.message for failed in outcome.report.failed],
        "assessment": shown,
    }
    print("pass " + json.dumps(line), flush=True)


def _child(job: Mapping[str, Any]) -> None:
    """Be one runner; never returns."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 1
    try:
        status = asyncio.run(resident(job))
    except BaseException as error:
        print(f"ended by {type(error).__name__}: {error}", flush=True)
        raise
    finally:
        sys.stdout.flush()
        os._exit(status)


def _warm(root: Path) -> None:
    """Do once what every runner would begin with alike: models of YAML files and the detector are built lazily."""
    deployment.deployment(root, ENVIRONMENT, working_tree=True).spec()
    assert detection.SHIPPED.digest
    gc.freeze()  # a collection would write into pages that are shared with every runner


def main() -> None:
    """Fork a runner for each job with a root; wait for one where a line names its process."""
    warm = False
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            _, status = os.waitpid(job["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            if not warm:
                _warm(Path(job["root"]))
                warm = True
            answer = os.fork()
            if answer == 0:
                _child(job)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
