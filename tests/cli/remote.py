"""A live deployment that follows a bare repository, a `loop run` beside it, and a person with a clone of his own."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.reconcile.journal import holder
from runner.reconcile.state import StatePaths
from tests.cli import workbench
from tests.cli.workbench import Bench, Live, git
from tests.waiting import PATIENCE_S, until

POLICY = "policies/rollout.yaml"
STAGES = [
    {"name": "half", "traffic": "50%", "duration": "1h", "advance": "auto", "on_inconclusive": "hold"},
    {"name": "full", "traffic": "100%", "duration": "stable"},
]


@dataclass
class Runner:
    """A `loop run` at work."""

    bench: Bench
    process: subprocess.Popen[bytes]
    said: Path

    def agrees_with(self, revision: str) -> None:
        """Wait until it has found everything as a revision says."""

        def agrees() -> bool:
            assert self.process.poll() is None, self.said.read_text()
            last = last_pass(self.bench)
            return bool(last) and (last["revision"], last["verdict"]) == (revision, "in sync")

        until(agrees, f"in sync at {revision}")


@contextmanager
def running(bench: Bench) -> Iterator[Runner]:
    """Keep `loop run` at work until the block ends."""
    said = bench.root.parent / f"run-{time.monotonic_ns()}.txt"
    with said.open("w") as out:
        process = subprocess.Popen(bench.argv("run"), stdout=out, stderr=subprocess.STDOUT)
    journal = StatePaths(bench.root, "production").journal
    try:
        until(lambda: holder(journal) == process.pid or process.poll() is not None, "a runner at work")
        yield Runner(bench, process, said)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()


@contextmanager
def on_trial(root: Path, poll: str = "1s", remote: bool = True, **first: Any) -> Iterator[tuple[Live, Path]]:
    """Run a deployment whose Git has chat-v1.1 on trial at half of the users, and yield it with its remote.

    `first` changes the stage that it is in.
    """
    bare = root.parent / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    with workbench.live(root) as live:
        bench = live.bench
        bench.files.set("loop.yaml", "poll", to=poll)
        bench.files.set(POLICY, "always", to={"errors-over-baseline": "error_rate > baseline * 1.5"})
        bench.files.set(POLICY, "stages", to=[{**STAGES[0], **first}, STAGES[1]])
        if remote:
            bench.files.set("loop.yaml", "git", to={"remote": "origin", "branch": "main"})
        bench.commit("Rollouts by halves")
        bench.roll_out("half")
        bench.commit("Put chat-v1.1 on trial")
        bench.git("remote", "add", "origin", str(bare))
        bench.git("push", "--quiet", "origin", "main")
        yield live, bare


def clone(bare: Path, path: Path) -> Path:
    """Return a person's clone."""
    subprocess.run(["git", "clone", "--quiet", str(bare), str(path)], check=True)
    return path


def revert_trial(bare: Path, path: Path) -> str:
    """Take the trial back as a person does: revert its commit in a clone, and push. Returns the commit."""
    person = clone(bare, path)
    begun = git(person, "log", "--format=%H", "--grep=^Put chat-v1.1 on trial$").split()[-1]
    git(person, "revert", "--no-edit", begun)
    git(person, "push", "--quiet", "origin", "main")
    return git(person, "rev-parse", "HEAD").strip()


def last_pass(bench: Bench) -> dict[str, Any]:
    """Return what the runner wrote last, empty where it has written nothing."""
    try:
        value: dict[str, Any] = json.loads(bench.state("status.json").read_bytes())
    except FileNotFoundError:
        return {}
    return value


def candidate(live: Live) -> str | None:
    """Return who is the candidate in the gateway's routes."""
    (route,) = live.gateway_state()["table"]["routes"]
    return route["split"] and served(route["split"]["candidate"])


def served(version: dict[str, str]) -> str:
    return f"{version['name']}--{version['digest'][:12]}"


def trailers(repository: Path, revision: str = "main") -> dict[str, str]:
    """Return the trailers of a commit as git reads them."""
    said = git(repository, "log", "-1", "--format=%(trailers:only,unfold)", revision)
    return dict(line.split(": ", 1) for line in said.splitlines() if line)


def asks(live: Live, *users: str) -> list[str]:
    """Send a question of each user and return the versions that the engine was asked for."""
    before = len(live.engine.generations())
    for user in users:
        body = {"model": "chat", "user": user, "messages": [{"role": "user", "content": "Open?"}]}
        workbench.post(f"http://{live.bench.listen}/v1/chat/completions", {**body, "max_tokens": 4})
    return live.engine.generations()[before:]
