"""The faults that a rollback meets, each told once: what goes wrong, what has to hold meanwhile, and the end.

`test_rollout_faults` tells each of them, and `benchmarks.faults` again with figures. A story begins with the kept
trial of a world and no runner, asserts what must hold, and returns what was lost and how long it took.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.workbench import git
from tests.reconcile.rollout_crash_server import HOUR_S
from tests.reconcile.rollout_world import World, users
from tests.waiting import seconds_until, until

USERS = 600
"""Logged requests of a verdict; a fifth of them are the candidate's."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a fault ended. Seconds from the end of the fault (or the verdict, whichever came last) to agreement.

    `lost`: what was not there in the end and should be; empty where nothing was lost. `switched_s`: from the log's
    verdict to the last user on the candidate, None where the story does not measure it.
    """

    lost: tuple[str, ...]
    agreed_s: float
    switched_s: float | None = None


def remote_away(here: World) -> Told:
    """The remote's directory is gone while the evidence decides, and comes back."""
    hidden = here.remote.with_name("away.git")
    runner = here.start_runner()
    _running(here)
    here.remote.rename(hidden)
    try:
        here.write(USERS, failing=True)
        switched = seconds_until(lambda: off(here), "users leave without Git")
        until(lambda: _pending(here), "status says that Git does not know")
        until(lambda: any("write_rollback" in each["actions"] for each in runner.passes()), "it was tried")
    finally:
        hidden.rename(here.remote)
    return _end(here, switched)


def remote_diverged(here: World) -> Told:
    """Somebody pushes between the runner's look at the branch and its own push."""
    other = here.push(lambda desk: _append(desk / "README.md", "Opening hours change.\n"), "A note")
    git(here.remote, "update-ref", "refs/heads/main", f"{other}^")
    _hook(here, "pre-receive", _MOVES_FIRST.format(flag=here.home / "moved-once", tip=other))
    here.write(USERS, failing=True)
    here.start_runner()
    told = _end(here, commits=2)
    assert (here.home / "moved-once").exists(), "somebody was quicker"
    (here.home / "moved-once").unlink()
    assert "Opening hours change." in here.show("README.md")
    return told


def protected_branch(here: World) -> Told:
    """Nobody may push to the branch: a person merges."""
    _hook(here, "pre-receive", _PROTECTS)
    here.write(USERS, failing=True)
    runner = here.start_runner()
    switched = seconds_until(lambda: off(here), "users leave")
    branch = until_some(lambda: _branches(here, "loop/rollback-"), "a branch of its own")
    until(lambda: _waits(here, branch), "status says what it waits for")
    assert here.commits() == []
    assert "PENDING_GIT" in runner.holds()
    assert here.declared() is not None
    here.remote.joinpath("hooks/pre-receive").unlink()
    git(here.remote, "update-ref", "refs/heads/main", branch)  # a person merges
    return _end(here, switched)


def revert_conflict(here: World) -> Told:
    """Others changed the lines around the rollout since it entered."""

    def edit(desk: Path) -> None:
        text = (desk / "loop.yaml").read_text()
        candidate = "    rollout:\n      candidate: chat-v1.1\n"
        assert text.count(candidate) == 1
        text = text.replace(
            "    baseline: chat-v1.0\n    rollout:", "    baseline: chat-v1.0 # trusted\n    rollout:"
        )
        text = text.replace(candidate, "    rollout: # ask Ada first\n      candidate: chat-v1.1\n")
        (desk / "loop.yaml").write_text(text.replace("prune_limit: 3", "prune_limit: 4"))

    here.push(edit, "Change what is around it")
    here.write(USERS, failing=True)
    here.start_runner()
    told = _end(here, commits=2)
    after, before = here.show("loop.yaml"), git(here.remote, "show", "main~1:loop.yaml")
    kept = [line for line in before.splitlines() if line not in _ROLLOUT_LINES]
    assert after.splitlines() == kept, "the rollout is out, and nothing else"
    assert "an edit" in here.commits()[-1] or "beside other changes" in here.commits()[-1]
    return told


def journal_full(here: World) -> Told:
    """The disk takes no further byte of the journal."""
    runner = here.start_runner()
    _running(here)
    size = here.paths.journal.stat().st_size
    _, hard = resource.prlimit(runner.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (size, hard))
    here.write(USERS, failing=True)
    switched = seconds_until(lambda: off(here), "users leave without a record")
    assert not here.appended_about("roll_back"), "nothing could be written"
    assert here.rollback_commits() == [], "what is not written down is not written to Git"
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (hard, hard))
    told = _end(here, switched)
    assert here.appended_about("roll_back"), "the record follows"
    return told


def clock_stepped_back(here: World) -> Told:
    """The clock on the wall goes back an hour in the middle of a stage."""
    runner = here.start_runner()
    _running(here)
    before = len(runner.passes())
    runner.tell(signal.SIGUSR1)
    here.write(USERS, step_s=-HOUR_S)
    until(lambda: len(runner.passes()) > before + 4, "passes go on")
    assert here.commits() == [], "nothing advances early"
    here.write(USERS, failing=True, step_s=-HOUR_S)
    switched = seconds_until(lambda: off(here), "users leave")
    told = _end(here, switched)
    shown = [each["assessment"] for each in runner.passes() if each["assessment"]]
    assert shown
    assert all(elapsed >= 0.0 for _, elapsed in shown)
    return told


def clock_stepped_back_while_git_is_away(here: World) -> Told:
    """The clock goes back an hour while a failed push waits to be tried again."""
    hidden = here.remote.with_name("away.git")
    runner = here.start_runner()
    _running(here)
    here.remote.rename(hidden)
    try:
        here.write(USERS, failing=True)
        until(lambda: "BACKOFF" in runner.holds(), "the push has failed and waits")
        runner.tell(signal.SIGUSR1)
    finally:
        hidden.rename(here.remote)
    return _end(here)


def gateway_killed(here: World) -> Told:
    """One of two gateways is killed during the trial, and comes back after the rollback."""
    first, second = here.gateways
    here.start_runner()
    _running(here)
    second.kill()
    here.write(USERS, failing=True)
    switched = seconds_until(lambda: _split(first.table()) is None, "users of the other gateway leave")
    until(lambda: here.rollback_commits(), "Git is told meanwhile")
    assert _split(second.kept()) is not None, "it would begin with its last table"
    second.start()
    return _end(here, switched)


def replica_killed(here: World) -> Told:
    """One of three replicas is killed under load during the trial, and a new process takes its place."""
    assert here.extra is not None
    runner = here.start_runner()
    _running(here)
    with users(*(gateway.listen for gateway in here.gateways)) as asked:
        until(lambda: asked.answered > 30, "users are served")
        here.extra.kill()
        until(lambda: "UNKNOWN" in runner.holds(), "it is missed")
        answered = asked.answered
        until(lambda: asked.answered > answered + 30, "users are served")
        here.extra.start()
        begun = time.monotonic()
        until(lambda: _serves_everywhere(here), "healed")
        healed = time.monotonic() - begun
        answered = asked.answered
        until(lambda: asked.answered > answered + 30, "users are served")
    assert asked.failed == [], f"{len(asked.failed)} of {asked.answered}: {asked.failed[0]}"
    assert [found and found[0] for found in here.on_trial()] == [here.candidate] * 2, "the trial goes on"
    assert here.rollback_commits() == []
    return Told((), healed)


def engine_unreachable(here: World) -> Told:
    """No engine answers anything while the candidate goes back."""
    here.start_runner()
    _running(here)
    assert here.extra is not None and here.extra.process is not None
    for engine in here.engines:
        engine.control(models="hang", health="hang", fault="disconnect")
    os.kill(here.extra.process.pid, signal.SIGSTOP)
    try:
        here.write(USERS, failing=True)
        switched = seconds_until(lambda: off(here), "users leave without an engine")
        until(lambda: here.rollback_commits(), "Git is told")
    finally:
        os.kill(here.extra.process.pid, signal.SIGCONT)
        for engine in here.engines:
            engine.control(models="ok", health="ok", fault="none")
    return _end(here, switched)


def crash(here: World, at: int, how: str) -> Told | None:
    """A runner is killed at a journal entry of a rollback; None where it ended before it came to that entry."""
    here.back()
    here.write(USERS, failing=True)
    if here.start_runner(until="rolled back", die_at=at, how=how).end(None) == 0:
        return None
    here.start_runner()
    return _end(here)


FAULTS: dict[str, Callable[[World], Told]] = {
    "remote away": remote_away,
    "remote diverged": remote_diverged,
    "branch protected": protected_branch,
    "revert conflicts": revert_conflict,
    "journal's disk full": journal_full,
    "clock an hour back": clock_stepped_back,
    "clock back, remote away": clock_stepped_back_while_git_is_away,
    "gateway killed": gateway_killed,
    "replica killed": replica_killed,
    "engines unreachable": engine_unreachable,
}

_ROLLOUT_LINES = ("    rollout: # ask Ada first", "      candidate: chat-v1.1", "      stage: canary")
_PROTECTS = """#!/bin/sh
while read old new ref; do
  if [ "$ref" = refs/heads/main ]; then echo "main is protected: open a pull request" >&2; exit 1; fi
done
"""
_MOVES_FIRST = """#!/bin/sh
if [ ! -e "{flag}" ]; then
  touch "{flag}"
  env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {tip}
fi
"""


def off(here: World) -> bool:
    """Whether no gateway leads anybody to the candidate."""
    return here.on_trial() == [None] * len(here.gateways)


def until_some(find: Callable[[], list[str]], what: str) -> str:
    until(lambda: find(), what)
    return find()[0]


def _end(here: World, switched: float | None = None, commits: int = 1) -> Told:
    """Wait until Git, live and status agree, and say what is missing."""
    agreed = seconds_until(here.agreed, "Git, live and status agree")
    lost = []
    if len(here.rollback_commits()) != 1:
        lost.append(f"{len(here.rollback_commits())} rollback commits")
    if len(here.commits()) != commits:
        lost.append(f"{len(here.commits())} commits in the branch, not {commits}")
    if here.lost_entries:
        lost.append(f"{here.lost_entries} entries of the journal")
    if [each.served for each in here.memory().past] != [here.candidate]:
        lost.append("the record of the rollback")
    assert not lost, "; ".join(lost)
    return Told((), agreed, switched)


def _running(here: World) -> None:
    """Wait until the runner has seen the trial in force."""
    assert here.runner is not None
    runner = here.runner
    until(lambda: len(runner.passes()) > 1 and runner.passes()[-1]["assessment"], "the runner is at work")


def _pending(here: World) -> bool:
    return any(each["git"] == "pending" for each in here.status()["rollbacks"])


def _waits(here: World, branch: str) -> bool:
    """Whether status says that a branch waits for a person."""
    return any(branch in str(hold.get("next", "")) for hold in here.status()["holds"])


def _branches(here: World, prefix: str) -> list[str]:
    said = git(here.remote, "for-each-ref", "--format=%(refname:short)", f"refs/heads/{prefix}*")
    return said.split()


def _split(table: dict[str, Any]) -> Any:
    (route,) = table["routes"]
    return route["split"]


def _serves_everywhere(here: World) -> bool:
    wanted = {stub.url for stub in here.engines} | ({here.extra.url} if here.extra else set())
    return here.status()["verdict"] == "in sync" and all(
        set(gateway.table()["replicas"][served]) == wanted
        for gateway in here.gateways
        for served in (here.candidate, here.bench.served())
    )


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def _hook(here: World, name: str, text: str) -> None:
    path = here.remote / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
