"""A rollout with real parts: a bare remote, a runner's checkout, gateways, events; only the engines are stubs.

`world` brings it up once; `trial` puts a candidate on trial and remembers everything, so that `back` begins every test
with the same trial in force. Used by the tests of crashes, faults and several runners, and by `benchmarks.faults`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from runner import digest
from runner.events.schema import Kind
from runner.events.writer import SegmentWriter
from runner.reconcile.journal import read
from runner.reconcile.memory import Entry, fold
from runner.reconcile.observed import Memory
from runner.reconcile.routing import rollout_id
from runner.reconcile.state import StatePaths
from runner.serving.routes import Version
from tests.cli.workbench import PRODUCTION, Bench, git, post
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.reconcile.real_parts import CHECKOUT, free_addresses, gateway_process
from tests.waiting import PATIENCE_S, until

ENVIRONMENT = "production"
BASE = "bookshop-base"
WEIGHT, WIDER = 0.2, 0.5
POLL = "200ms"
POLICY: dict[str, Any] = {
    "decision": {"session_gap": "1s", "user_window": "1s", "every": "100ms"},
    "always": {"errors": "error_rate > 20%"},
    "stages": [
        {"name": "canary", "traffic": f"{WEIGHT:.0%}", "duration": "1s", "advance": "auto"},
        {"name": "wide", "traffic": f"{WIDER:.0%}", "duration": "24h", "advance": "pull_request"},
        {"name": "full", "traffic": "100%", "duration": "stable", "advance": "pull_request"},
    ],
}


@dataclass
class Runners:
    """The server that forks runners."""

    process: subprocess.Popen[str]

    def _ask(self, job: dict[str, Any]) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(json.loads(self.process.stdout.readline()))

    def start(
        self, root: Path, *, until: str = "never", die_at: int | None = None, how: str = "before"
    ) -> Runner:
        """Start a runner of the checkout at `root`."""
        log = root.parent / f"{root.name}.log"
        job = {"root": str(root), "until": until, "die_at": die_at, "how": how, "log": str(log)}
        return Runner(self, root, log, self._ask(job))

    def wait(self, pid: int) -> int:
        return self._ask({"wait": pid})


@dataclass
class Runner:
    """A resident runner; `code` is how it ended, minus the signal where one killed it."""

    server: Runners
    root: Path
    log: Path
    pid: int
    code: int | None = None

    def tell(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """Stop it (or let it come to its end) and return how it ended."""
        if self.code is None:
            if number is not None:
                os.kill(self.pid, number)
            self.code = self.server.wait(self.pid)
        return self.code

    @property
    def paths(self) -> StatePaths:
        return StatePaths(self.root, ENVIRONMENT)

    def passes(self) -> list[dict[str, Any]]:
        """Return what it saw and planned in every pass, oldest first, also of the runners before it."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        found = []
        for line in lines:
            if line.startswith("pass "):
                found.append(json.loads(line.removeprefix("pass ")))
        return found

    def holds(self) -> set[str]:
        """Return why things waited in its last pass."""
        passes = self.passes()
        return {reason for reason, _, _ in passes[-1]["holds"]} if passes else set()


@dataclass
class EngineProcess:
    """A stub engine in a process of its own, which can be killed and started again at the same address."""

    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.doubles.stub_engine", "--base-model", BASE]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        until(lambda: post_ok(f"{self.url}/health"), "the engine answers")

    def control(self, **changes: Any) -> dict[str, Any]:
        """Change its behaviour, as `RunningStub.control` does; return what it has loaded and was asked."""
        return post(f"{self.url}/_stub/control", changes)

    def become(self, adapters: dict[str, str]) -> None:
        """Behave well again, with these adapters loaded."""
        if self.process is None:
            self.start()
        loaded = self.control(fault="none", only_model=None)["adapters"]
        for name, path in adapters.items():
            if name not in loaded:
                body = json.dumps({"lora_name": name, "lora_path": path}).encode()
                url, media = f"{self.url}/v1/load_lora_adapter", {"content-type": "application/json"}
                urllib.request.urlopen(urllib.request.Request(url, body, media), timeout=PATIENCE_S).close()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


def post_ok(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2.0) as answer:
        return bool(answer.status == 200)


@dataclass
class GatewayProcess:
    """A gateway that can be killed and started again with its state."""

    directory: Path
    admin: str
    listen: str
    settings: dict[str, Any]
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        context = gateway_process(self.directory, self.admin, self.listen, **self.settings)
        self._stack.enter_context(context)

    def kill(self) -> None:
        """End it as SIGKILL does."""
        self._stack.close()

    def table(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.admin}/state", timeout=PATIENCE_S) as answer:
            table: dict[str, Any] = json.loads(answer.read())["table"]
        return table

    def kept(self) -> dict[str, Any]:
        """Return the table that it would begin with."""
        path = Path(self.settings["state_dir"]) / self.settings["routes_name"]
        value: dict[str, Any] = json.loads(path.read_text())
        return value

    def put(self, table: dict[str, Any]) -> None:
        body = json.dumps(table).encode()
        request = urllib.request.Request(
            f"http://{self.admin}/routes", body, {"content-type": "application/json"}, method="PUT"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            answer.read()


@dataclass
class World:
    """The systems that outlive runners. `home` holds the remote, the runner's checkout and the engineer's clone."""

    home: Path
    bench: Bench
    engines: list[RunningStub]
    extra: EngineProcess | None
    gateways: list[GatewayProcess]
    runners: Runners
    runner: Runner | None = None
    _kept: dict[str, Any] = field(default_factory=dict)

    # what is there

    @property
    def remote(self) -> Path:
        return self.home / "remote.git"

    @property
    def root(self) -> Path:
        return self.home / "runner"

    @property
    def paths(self) -> StatePaths:
        return StatePaths(self.root, ENVIRONMENT)

    @property
    def candidate(self) -> str:
        return self.bench.served("chat-v1.1")

    @property
    def rollout(self) -> str:
        return rollout_id(self.version("chat-v1.1"), self.version("chat-v1.0"))

    def version(self, name: str) -> Version:
        return Version(name, digest.of_directory(self.root / "adapters" / name))

    def entries(self) -> list[Entry]:
        """Return the journal; raises where a line of it was changed or lost."""
        return list(read(self.paths.journal))

    def memory(self) -> Memory:
        return fold(self.entries())

    def tip(self, branch: str = "main") -> str:
        return git(self.remote, "rev-parse", f"refs/heads/{branch}").strip()

    def show(self, path: str, branch: str = "main") -> str:
        return git(self.remote, "show", f"{branch}:{path}")

    def commits(self) -> list[str]:
        """Return the messages of what came to the remote's branch since the trial began, oldest first."""
        said = git(self.remote, "log", "--reverse", "-z", "--format=%B", f"{self._kept['tip']}..main")
        return [message for message in said.split("\0") if message]

    def rollback_commits(self) -> list[str]:
        return [each for each in self.commits() if f"Loop-Rollback: {self.candidate}" in each]

    def declared(self, branch: str = "main") -> dict[str, Any] | None:
        """Return the rollout that the remote declares."""
        value = yaml.safe_load(self.show("loop.yaml", branch))
        rollout: dict[str, Any] | None = value["environments"][ENVIRONMENT].get("rollout")
        return rollout

    def quarantined(self, branch: str = "main") -> list[str]:
        """Return the served names that the remote's quarantine.yaml holds."""
        try:
            value = yaml.safe_load(self.show("quarantine.yaml", branch))
        except subprocess.CalledProcessError:
            return []
        return [entry["served"] for entry in value["quarantined"]]

    def on_trial(self) -> list[tuple[str, float] | None]:
        """Return the candidate and its weight on every gateway, None where users are led to none."""
        found: list[tuple[str, float] | None] = []
        for gateway in self.gateways:
            for route in gateway.table()["routes"]:
                split = route["split"]
                version = split and split["candidate"]
                name = version and digest.served_name(version["name"], version["digest"])
                found.append((name, split["weight"]) if split else None)
        return found

    def status(self, runner: Path | None = None) -> dict[str, Any]:
        path = StatePaths(runner or self.root, ENVIRONMENT).status
        value: dict[str, Any] = json.loads(path.read_text())
        return value

    def generations(self) -> list[int]:
        """Return the generation of the table that each gateway obeys."""
        return [gateway.table()["generation"] for gateway in self.gateways]

    def agreed(self, runner: Path | None = None) -> bool:
        """Whether Git, live and status (of the runner at that root) say the same of a candidate rolled back."""
        status = self.status(runner)
        pending = [each for each in status["rollbacks"] if each["git"] == "pending"]
        marks = [mark for gateway in self.gateways for mark in gateway.table()["quarantined"]]
        return (
            self.declared() is None
            and self.quarantined() == [self.candidate]
            and self.on_trial() == [None] * len(self.gateways)
            and not marks
            and not pending
            and status["revision"] == self.tip()
            and status["verdict"] == "in sync"
        )

    # what happens

    def start_runner(self, **job: Any) -> Runner:
        self.runner = self.runners.start(self.root, **job)
        return self.runner

    def write(self, count: int, *, failing: bool = False, step_s: float = 0.0) -> None:
        """Log requests as a gateway does: `count` users, every fifth drawn to the candidate.

        `step_s` is how far the clock is off by which events are stamped.
        """
        writer = SegmentWriter(self.paths.events, Kind.REQUEST, _now_us)
        at = _now_us() + int(step_s * 1_000_000)
        writer.append(*(self._event(number, at, failing) for number in range(count)))
        writer.close()

    def _event(self, number: int, at: int, failing: bool) -> dict[str, Any]:
        arm = "candidate" if number % 5 == 0 else "baseline"
        version = self.version_of[arm]
        failed = failing and arm == "candidate"
        event: dict[str, Any] = {
            "event.id": uuid4().hex,
            "event.time": at + number,
            "loop.environment": ENVIRONMENT,
            "loop.request.id": uuid4().hex,
            "loop.user": uuid4().hex,
            "loop.group": "public",
            "loop.alias": "chat",
            "loop.arm": arm,
            "loop.arm.assigned": arm,
            "loop.version": version.name,
            "loop.version.assigned": version.name,
            "loop.weight": WEIGHT,
            "loop.rollout": self.rollout_name,
            "loop.outcome": "error" if failed else "ok",
            "loop.fell_back": False,
            "loop.latency_ms": 20.0,
            "http.response.status_code": 502 if failed else 200,
        }
        return event

    def push(self, edit: Callable[[Path], None], message: str) -> str:
        """Let an engineer commit and push an edit of his clone; return the commit."""
        desk = self.home / "engineer"
        git(desk, "fetch", "--quiet", "origin", "main")
        git(desk, "reset", "--quiet", "--hard", "origin/main")
        edit(desk)
        git(desk, "add", "--all")
        git(desk, "commit", "--quiet", "--allow-empty", f"--message={message}")
        git(desk, "push", "--quiet", "origin", "HEAD:main")
        return git(desk, "rev-parse", "HEAD").strip()

    def break_candidate(self) -> None:
        """Let every engine fail whoever asks the candidate."""
        for engine in [*self.engines, *([self.extra] if self.extra else ())]:
            engine.control(fault="500", only_model=self.candidate)

    # the same beginning for every test

    def keep(self) -> None:
        """Remember everything as it is now; nothing may be running but gateways and engines."""
        self.version_of = {"candidate": self.version("chat-v1.1"), "baseline": self.version("chat-v1.0")}
        self.rollout_name = self.rollout
        aside = self.home / "kept"
        for name in ("remote.git", "runner"):
            _copy(self.home / name, aside / name)
        self._kept = {
            "tip": self.tip(),
            "entries": self.entries(),
            "tables": [gateway.table() for gateway in self.gateways],
            "adapters": [dict(engine.state.adapters) for engine in self.engines],
        }

    @property
    def appended(self) -> list[Entry]:
        """Return what the journal got since the trial began."""
        return self.entries()[len(self._kept["entries"]) :]

    @property
    def lost_entries(self) -> int:
        """Return how many of the journal's entries from before are not there as they were."""
        before = self._kept["entries"]
        return sum(one != other for one, other in zip_longest(before, self.entries()[: len(before)]))

    def appended_about(self, action: str) -> list[Entry]:
        return [entry for entry in self.appended if entry.body.get("action") == action]

    def back(self) -> None:
        """Bring everything to where it was; engines keep their processes, so that what was verified still is."""
        if self.runner is not None:
            self.runner.end()  # with its git commands, which would write into what is replaced here
            self.runner.log.unlink(missing_ok=True)
        self.runner = None
        aside = self.home / "kept"
        for name in ("remote.git", "runner"):
            _replace(aside / name, self.home / name)
        if self.extra is not None:
            self.extra.become(self._kept["adapters"][0])
        for engine, adapters in zip(self.engines, self._kept["adapters"], strict=True):
            engine.state.behaviour = type(engine.state.behaviour)()
            engine.state.adapters.clear()
            engine.state.adapters.update(adapters)
        for gateway, table in zip(self.gateways, self._kept["tables"], strict=True):
            gateway.put({**table, "generation": gateway.table()["generation"] + 1})


KEEPS = ("adapters", "events", "routes", "gateway", "user-hash")
"""What below the state directory is not copied: it belongs to systems that go on, or never changes."""


def _ignored(folder: str, names: list[str]) -> list[str]:
    state = Path(folder).parent.name == ".loop"
    return [name for name in names if state and name.startswith(KEEPS)]


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=_ignored, symlinks=True)


def _replace(source: Path, target: Path) -> None:
    """Make `target` what `source` is, less what systems that go on have in it."""
    for name in sorted({path.name for folder in (source, target) for path in folder.iterdir()}):
        there = target / name
        if name == ".loop":
            _replace_state(source / name / ENVIRONMENT, there / ENVIRONMENT)
            continue
        if there.is_dir():
            shutil.rmtree(there)
        else:
            there.unlink(missing_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, there, symlinks=True)
        elif (source / name).exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, there)


def _replace_state(source: Path, target: Path) -> None:
    for path in target.iterdir():
        if path.name.startswith("events"):
            for segment in path.glob(f"{Kind.REQUEST.value}-*.jsonl"):
                os.truncate(segment, 0)  # a gateway that has it open goes on at its end
        elif not path.name.startswith(KEEPS):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in source.iterdir():
        if path.is_dir():
            shutil.copytree(path, target / path.name, dirs_exist_ok=True)
        else:
            shutil.copy2(path, target / path.name)


def _now_us() -> int:
    return time.time_ns() // 1000


@contextmanager
def runners() -> Iterator[Runners]:
    """Run the server of runners until the block ends."""
    command = [sys.executable, "-m", "tests.reconcile.rollout_crash_server"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield Runners(server)
        assert server.stdin is not None
        server.stdin.close()


@contextmanager
def world(home: Path, *, gateways: int = 2, engines: int = 1, extra_engine: bool = False) -> Iterator[World]:
    """Bring up everything but a runner, with the first version declared and pushed."""
    listens, admins = free_addresses(gateways), free_addresses(gateways)
    with ExitStack() as stack:
        stubs = [stack.enter_context(stub_engine(base_model=BASE)) for _ in range(engines)]
        extra = EngineProcess(int(free_addresses(1)[0].rpartition(":")[2])) if extra_engine else None
        if extra is not None:
            extra.start()
            stack.callback(extra.kill)
        bench = _bench(
            home, [*(stub.url for stub in stubs), *([extra.url] if extra else ())], listens, admins
        )
        state = StatePaths(bench.root, ENVIRONMENT).directory
        state.mkdir(parents=True, exist_ok=True)
        processes = []
        for number, (admin, listen) in enumerate(zip(admins, listens, strict=True), 1):
            settings = {"state_dir": str(state), "routes_name": f"routes-{number}.json"}
            processes.append(GatewayProcess(state / f"gateway-{number}", admin, listen, settings))
            processes[-1].start()
            stack.callback(processes[-1].kill)
        here = World(home, bench, stubs, extra, processes, stack.enter_context(runners()))
        stack.callback(lambda: here.runner and here.runner.end(signal.SIGKILL))
        yield here


def _bench(home: Path, engines: list[str], listens: list[str], admins: list[str]) -> Bench:
    root = home / "runner"
    root.mkdir(parents=True)
    bench = Bench(root, engines[0], admins[0], listens[0])
    more = [{"listen": one, "admin": other} for one, other in zip(listens[1:], admins[1:], strict=True)]
    bench.files.set(*PRODUCTION, "engine", "replicas", to=engines)
    bench.files.set(*PRODUCTION, "gateway", "more", to=more)
    bench.files.set("loop.yaml", "git", to={"remote": "origin", "branch": "main"})
    bench.files.set("loop.yaml", "poll", to=POLL)
    for name, value in POLICY.items():
        bench.files.set("policies/rollout.yaml", name, to=value)
    bench.commit("start")
    git(home, "init", "--quiet", "--bare", "--initial-branch=main", str(home / "remote.git"))
    bench.git("remote", "add", "origin", str(home / "remote.git"))
    bench.git("push", "--quiet", "--set-upstream", "origin", "main")
    git(home, "clone", "--quiet", str(home / "remote.git"), str(home / "engineer"))
    return bench


@contextmanager
def trial(
    home: Path, *, lasting: str = "1s", rules: Mapping[str, Any] | None = None, **what: Any
) -> Iterator[World]:
    """Bring up a world with chat-v1.1 on trial in its first stage, kept so that `back` returns to it.

    `lasting` is the least time in that stage, `rules` are further keys of the policy.
    """
    with world(home, **what) as here:
        for name, value in (rules or {}).items():
            here.bench.files.set("policies/rollout.yaml", name, to=value)
        here.bench.files.set("policies/rollout.yaml", "stages", 0, "duration", to=lasting)
        here.bench.commit("how long a stage lasts")
        here.bench.git("push", "--quiet", "origin", "main")
        runner = here.start_runner()
        until(lambda: all(gateway.table()["routes"] for gateway in here.gateways), "the first routes")
        here.bench.roll_out()
        here.bench.commit("Put chat-v1.1 on trial")
        here.bench.git("push", "--quiet", "origin", "main")
        expected = [(here.candidate, WEIGHT)] * len(here.gateways)
        until(lambda: here.on_trial() == expected, "the trial is in force")
        until(lambda: here.status()["verdict"] == "in sync" and here.memory().entered, "in sync")
        assert runner.end() == 0
        runner.log.unlink()
        here.runner = None
        here.keep()
        yield here


@dataclass
class Users:
    """People who ask a gateway without a pause, each a new user."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def users(*listens: str, pause_s: float = 0.02) -> Iterator[Users]:
    """Let users ask every one of these gateways until the block ends."""
    found, stop = Users(), threading.Event()

    def ask_on(listen: str) -> None:
        while not stop.is_set():
            try:
                ask(listen)
                found.answered += 1
            except urllib.error.HTTPError as error:
                with error:
                    found.failed.append(f"{error}: {error.read()!r}")
            except OSError as error:
                found.failed.append(repr(error))
            stop.wait(pause_s)

    threads = [threading.Thread(target=ask_on, args=(each,)) for each in listens]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def ask(listen: str) -> dict[str, Any]:
    """Ask a gateway one question as a user nobody has seen before."""
    body = {
        "model": "chat",
        "user": uuid4().hex,
        "max_tokens": 4,
        "messages": [{"role": "user", "content": "When do you open?"}],
    }
    return post(f"http://{listen}/v1/chat/completions", body)


SHARED = ("adapters", "events", "lake")
"""What the runners of one environment have in common on one machine: links lead to the first one's."""


def second_checkout(here: World, name: str = "other") -> Path:
    """Clone the remote for another runner on this machine, as an operator does; return its root."""
    root = here.home / name
    git(here.home, "clone", "--quiet", str(here.remote), str(root))
    state = StatePaths(root, ENVIRONMENT).directory
    state.mkdir(parents=True)
    for each in SHARED:
        (state / each).symlink_to(here.paths.directory / each)
    return root
