"""One deployment to roll back in: a bare remote, a runner that follows it, two gateways, an engine, an engineer.

All are processes as in use, but for the engine, which is the stub of the tests: what is measured is the way back and
not a model. The gateways share one directory of events. Everything ends with the block that opened it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner import digest
from runner.events.reader import EventReader
from runner.events.schema import Kind
from runner.reconcile.state import StatePaths
from tests.cli.workbench import git
from tests.reconcile.real_parts import CHECKOUT, free_addresses, gateway_process, make_adapter
from tests.spec.repository import MODEL, Plain, shipped_texts

BASELINE, BASE, ENVIRONMENT = "chat-v1.0", "bookshop-base", "production"
WEIGHT = 0.5
POLICY = {
    "decision": {"alpha": "1%", "session_gap": "60s", "user_window": "60s", "every": "1s"},
    "always": {"errors": "error_rate > 5%"},
    "stages": [
        {"name": "trial", "traffic": f"{WEIGHT:.0%}", "duration": "24h", "advance": "pull_request"},
        {"name": "full", "traffic": "100%", "duration": "stable", "advance": "pull_request"},
    ],
}
PATIENCE_S = 60.0


class TooLateError(RuntimeError):
    """Something did not happen in time; says what."""


@dataclass
class Arrivals:
    """When requests that a candidate should answer arrived on any gateway, by the rollout's id; seconds since 1970."""

    reader: EventReader
    by_candidate: dict[str, list[float]] = field(default_factory=dict)
    first_failure: dict[str, float] = field(default_factory=dict)
    """Of a candidate that gave no answer: the earliest arrival."""

    def collect(self) -> None:
        """Take what was written since."""
        for event in self.reader.read().events:
            if event.get("loop.arm.assigned") == "candidate":
                served = digest.served_name(
                    event["loop.version.assigned"], event["loop.adapter.digest.assigned"]
                )
                at = event["event.time"] / 1e6
                self.by_candidate.setdefault(served, []).append(at)
                if event.get("loop.arm.failure"):
                    self.first_failure[served] = min(at, self.first_failure.get(served, at))


@dataclass
class Place:
    """The addresses and files of a deployment that is up."""

    home: Path
    engine: str
    gateways: tuple[str, str]
    admins: tuple[str, str]
    runner: subprocess.Popen[bytes]
    arrivals: Arrivals

    @property
    def remote(self) -> Path:
        """The bare repository."""
        return self.home / "remote.git"

    @property
    def state(self) -> StatePaths:
        """Where the runner keeps what is not in Git."""
        return StatePaths(self.home / "runner", ENVIRONMENT)

    def put_on_trial(self, name: str) -> str:
        """Commit and push a new version and its trial, as an engineer does; return its served name."""
        desk = self.home / "engineer"
        git(desk, "fetch", "--quiet", "origin", "main")
        git(desk, "reset", "--quiet", "--hard", "origin/main")
        make_adapter(self.home / "runner", name)
        content = digest.of_directory(self.home / "runner" / "adapters" / name)
        (desk / f"models/{name}.yaml").write_text(_model(name, content))
        _commit(desk, f"{name}: a new version")
        value = yaml.safe_load((desk / "loop.yaml").read_text())
        value["environments"][ENVIRONMENT]["rollout"] = {"candidate": name, "stage": "trial"}
        (desk / "loop.yaml").write_text(_plain(value))
        _commit(desk, f"{name}: on trial")
        git(desk, "push", "--quiet", "origin", "HEAD:main")
        self.runner.send_signal(signal.SIGHUP)  # what a push hook does
        return digest.served_name(name, content)

    def on_trial(self) -> tuple[str | None, ...]:
        """Return the candidate that each gateway leads users to, None where it leads to none."""
        return tuple(map(_candidate, self.admins))

    def misbehave(self, **changes: Any) -> None:
        """Change how the engine behaves; the fields are those of the stub."""
        body = json.dumps(changes).encode()
        request = urllib.request.Request(
            f"{self.engine}/_stub/control", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def journalled(self, served: str) -> dict[str, dict[str, Any]]:
        """Return the journal's entries about rolling a version back, by their kind."""
        found = {}
        for line in self.state.journal.read_bytes().splitlines():
            if b'"action":"roll_back"' in line and served.encode() in line:
                with contextlib.suppress(ValueError):  # the last line may be half written
                    entry = json.loads(line)
                    found[entry["kind"]] = {"at": entry["at"], **entry["body"]}
        return found

    def tip(self) -> str:
        """Return the commit that the remote's branch is at, empty while the remote is away."""
        try:
            return (self.remote / "refs/heads/main").read_text().strip()
        except OSError:
            return ""

    def landed(self, served: str) -> bool:
        """Return whether the remote's newest commit takes a version back."""
        if not self.tip():
            return False
        return served in git(self.remote, "log", "-1", "--format=%B", "main")


def until(true: Callable[[], bool], what: str, seconds: float = PATIENCE_S, pause_s: float = 0.02) -> float:
    """Wait until something is true and return the time, seconds since 1970. Raises TooLateError."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if true():
                return time.time()
        if time.monotonic() > deadline:
            raise TooLateError(f"{what} did not happen within {seconds:g} s")
        time.sleep(pause_s)


@contextmanager
def place(home: Path) -> Iterator[Place]:
    """Bring everything up below `home` and end it with the block."""
    listens, admins = free_addresses(2), free_addresses(2)
    with ExitStack() as stack:
        engine = stack.enter_context(_engine())
        _write(home, engine, listens, admins)
        state = StatePaths(home / "runner", ENVIRONMENT).directory
        for number, (listen, admin) in enumerate(zip(listens, admins, strict=True), 1):
            stack.enter_context(_gateway(state, number, admin, listen))
        runner = stack.enter_context(_runner(home / "runner"))
        arrivals = Arrivals(EventReader(state / "events", Kind.REQUEST))
        gateways, admin_urls = ([f"http://{each}" for each in side] for side in (listens, admins))
        here = Place(
            home, engine, (gateways[0], gateways[1]), (admin_urls[0], admin_urls[1]), runner, arrivals
        )
        until(lambda: all(_routes(admin) for admin in here.admins), "the first routes")
        yield here


@contextmanager
def _engine() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.doubles.stub_engine", "--base-model", BASE]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def _gateway(state: Path, number: int, admin: str, listen: str) -> Iterator[None]:
    """Run a gateway that shares the state directory with the others, as `loop up` starts several."""
    settings = state / f"gateway-{number}"
    changes = {"state_dir": str(state), "routes_name": f"routes-{number}.json"}
    with gateway_process(settings, admin, listen, **changes):
        yield


@contextmanager
def _runner(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "runner.cli.main", "--root", str(root), "run", "-e", ENVIRONMENT]
    with (root.parent / "runner.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=CHECKOUT, stdout=log, stderr=log, env=dict(os.environ))
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _write(home: Path, engine: str, listens: list[str], admins: list[str]) -> None:
    """Make the remote, the engineer's clone and the runner's, with the first version in place."""
    desk = home / "engineer"
    for path, text in shipped_texts().items():
        (desk / path).parent.mkdir(parents=True, exist_ok=True)
        (desk / path).write_text(text)
    (desk / "models/chat-v1.1.yaml").unlink()
    make_adapter(home / "runner", BASELINE)
    content = digest.of_directory(home / "runner" / "adapters" / BASELINE)
    (desk / f"models/{BASELINE}.yaml").write_text(_model(BASELINE, content))
    (desk / "loop.yaml").write_text(_plain(_loop(desk, engine, listens, admins)))
    (desk / "policies/rollout.yaml").write_text(_plain(POLICY))
    (desk / ".gitignore").write_text(".loop/\nadapters/\n")
    git(desk, "init", "--quiet", "--initial-branch=main")
    _commit(desk, "the desired state")
    git(home, "init", "--quiet", "--bare", "--initial-branch=main", str(home / "remote.git"))
    git(desk, "remote", "add", "origin", str(home / "remote.git"))
    git(desk, "push", "--quiet", "--set-upstream", "origin", "main")
    adapters = (home / "runner" / "adapters").rename(home / "adapters")
    git(home, "clone", "--quiet", str(home / "remote.git"), str(home / "runner"))
    shutil.move(adapters, home / "runner" / "adapters")


def _loop(desk: Path, engine: str, listens: list[str], admins: list[str]) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((desk / "loop.yaml").read_text())
    del value["base_model"]["digest"]
    value["poll"], value["grace_period"] = "1s", "60s"
    value["git"] = {"remote": "origin", "branch": "main"}
    production = value["environments"][ENVIRONMENT]
    first, *more = ({"listen": listen, "admin": admin} for listen, admin in zip(listens, admins, strict=True))
    production["engine"] = {"replicas": [engine], "max_cpu_loras": 8}
    production["gateway"] = {**first, "alias": "chat", "more": more}
    del production["promote_after"]
    value["environments"] = {ENVIRONMENT: production}
    return value


def _model(name: str, content: str) -> str:
    value = yaml.safe_load(
        MODEL.format(name=name, digest=content, type="SFT", recipe="sft", dataset="bookshop-sft")
    )
    value["adapter"] |= {"path": f"adapters/{name}", "rank": 8}
    return _plain(value)


def _plain(value: Any) -> str:
    return yaml.dump(value, Dumper=Plain, sort_keys=False, allow_unicode=True)


def _commit(desk: Path, message: str) -> None:
    git(desk, "add", "--all")
    git(desk, "commit", "--quiet", f"--message={message}")


def _routes(admin: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{admin}/state", timeout=5) as answer:
        routes: list[dict[str, Any]] = json.loads(answer.read())["table"]["routes"]
    return routes


def _candidate(admin: str) -> str | None:
    for route in _routes(admin):
        if route["split"]:
            version = route["split"]["candidate"]
            return digest.served_name(version["name"], version["digest"])
    return None
