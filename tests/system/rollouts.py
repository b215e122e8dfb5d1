"""A whole deployment in which rollouts happen in seconds: real engine, a proxy that lets versions fail, two gateways.

Called by the tests of rollouts, and by hand to watch one: `python -m tests.system.rollouts`. The repository is a
scratch one with a bare remote that the runner follows; the engineer who puts versions on trial works in a clone of
his own, as people do. Users ask the bookshop's questions without a pause and say what they think of the answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import yaml

from runner import digest
from runner.serving import launcher
from runner.serving.engine import EngineClient
from runner.serving.processes import ManagedProcess
from runner.simulation.replay.plan import Crowd, Material, Rate, ReplayPlan, Target
from runner.simulation.replay.play import Traffic, traffic
from runner.simulation.replay.result import Progress, ReplayResult
from tests.doubles.faulty_replica import FaultyReplica, faulty_replica
from tests.engine.models import engine_program
from tests.system import candidates, scratch
from tests.system.candidates import Character
from tests.system.scratch import Scratch, free_ports, get, git
from tests.waiting import PATIENCE_S, until

VERSIONS = {
    "chat-v1.1": Character.GOOD,
    "chat-v1.2": Character.GOOD,
    "chat-v1.3": Character.RAMBLING,
    "chat-v1.4": Character.REFUSING,
    "chat-v1.5": Character.WRONG,
    "chat-v1.6": Character.GOOD,
}
STAGES = ("canary", "small", "half", "full")
RATE, USERS, FEEDBACK = 20.0, 600, 0.6
"""Requests a second, how many people ask, and the share of answers that they judge."""
LONGEST_S = 1800.0
POLICY = """\
# The shipped policy's conditions and stages, scaled to what some twenty requests a second can show in seconds.
decision:
  alpha: 1%
  advance_evidence: 20
  margin: 40%
  session_gap: 1s
  user_window: 1s
  every: 1s
always:
  errors: error_rate > 20%
  slow: latency_p95 > baseline * 3
  refuses: refusal_rate > baseline * 1.5
  less-satisfied: satisfaction < baseline * 0.8
stages:
  - {name: canary, traffic: 30%, duration: 3s, advance: auto, on_inconclusive: hold}
  - {name: small, traffic: 40%, duration: 3s, advance: auto, on_inconclusive: hold}
  - {name: half, traffic: 50%, duration: 3s, advance: auto, on_inconclusive: hold}
  - {name: full, traffic: 100%, duration: stable, on_inconclusive: hold}
holdback: 5%
"""
PRODUCTION = """\
  production:
    engine: {{replicas: ['{engine}'], max_loras: 4, max_cpu_loras: 4, max_lora_rank: 16}}
    gateway:
      listen: 127.0.0.1:{ports[0]}
      admin: 127.0.0.1:{ports[1]}
      alias: chat
      more: [{{listen: '127.0.0.1:{ports[2]}', admin: '127.0.0.1:{ports[3]}'}}]
    baseline: chat-v1.0    # trusted

git: {{remote: origin, branch: main}}
poll: 1s
grace_period: 1s
prune_limit: 3
"""
TRIAL = "    rollout: {{candidate: {name}, stage: {stage}}}  # put on trial by hand\n"


@dataclass
class Users:
    """Everybody who asks, on both gateways, in a thread; their counters can be read at any time."""

    plans: tuple[ReplayPlan, ...]
    going: list[Traffic] = field(default_factory=list)
    results: list[ReplayResult] = field(default_factory=list)

    def progress(self) -> Progress:
        """Return the counters of all together."""
        each = [one.progress() for one in self.going]
        total = (sum(getattr(one, name) for one in each) for name in Progress.__slots__)
        return Progress(*total)

    def answers(self, served: str) -> int:
        """Return how many answers a version has given."""
        name = served.rpartition("--")[0]
        replies = (sent.reply for one in self.going for sent in one.sent())
        return sum(reply is not None and reply.failure is None and reply.version == name for reply in replies)

    def failures(self) -> list[str]:
        """Return what users saw fail so far."""
        replies = (sent.reply for one in self.going for sent in one.sent())
        return [str(reply.failure) for reply in replies if reply is not None and reply.failure is not None]


@dataclass
class Shop:
    """The deployment."""

    place: Scratch
    desk: Path
    replica: FaultyReplica
    admins: tuple[str, str]
    users: Users

    @property
    def remote(self) -> Path:
        """The bare repository."""
        return self.place.root.parent / "remote.git"

    def served(self, name: str) -> str:
        """Return the engine's name for a version."""
        return digest.served_name(name, digest.of_directory(self.place.root / "models" / name))

    def put_on_trial(self, name: str, stage: str = STAGES[0]) -> str:
        """Commit and push a trial, and wait until both gateways lead users to it; return its served name."""
        self.push_trial(name, stage)
        served = self.served(name)
        until(lambda: self.live() == (served, served), f"the trial of {name}")
        return served

    def push_trial(self, name: str, stage: str = STAGES[0]) -> None:
        """Commit and push a trial, whatever becomes of it."""
        self.pull()
        spec = self.desk / "loop.yaml"
        text, mark = spec.read_text(), "    baseline: chat-v1.0    # trusted\n"
        assert text.count(mark) == 1
        spec.write_text(text.replace(mark, mark + TRIAL.format(name=name, stage=stage)))
        git(self.desk, "commit", "-q", "-a", "-m", f"{name} on trial")
        git(self.desk, "push", "-q", "origin", "HEAD:main")

    def pull(self) -> None:
        """Bring the engineer's clone to the remote's tip."""
        git(self.desk, "fetch", "-q", "origin", "main")
        git(self.desk, "reset", "-q", "--hard", "origin/main")

    def text(self, path: str) -> str:
        """Return a file as the remote's branch has it; empty where it has none."""
        with contextlib.suppress(subprocess.CalledProcessError):
            return git(self.remote, "show", f"main:{path}")
        return ""

    def stage(self) -> str | None:
        """Return the stage that Git gives the candidate; None without one."""
        rollout = yaml.safe_load(self.text("loop.yaml"))["environments"]["production"].get("rollout")
        return rollout["stage"] if rollout else None

    def quarantined(self) -> dict[str, str]:
        """Return the versions that Git has in quarantine, each with the condition that was proven."""
        value = yaml.safe_load(self.text("quarantine.yaml") or "{}") or {}
        return {each["served"]: each["condition"] for each in value.get("quarantined", ())}

    def live(self) -> tuple[str | None, ...]:
        """Return the candidate to which each gateway leads users."""
        return tuple(map(_candidate, self.admins))

    def commits(self, since: str = "") -> list[str]:
        """Return the subjects of the remote's commits, the oldest first, after a commit."""
        span = f"{since}..main" if since else "main"
        return git(self.remote, "log", "--reverse", "--format=%s", span).splitlines()

    def tip(self) -> str:
        """Return the remote's newest commit."""
        return git(self.remote, "rev-parse", "main").strip()

    def in_sync(self) -> bool:
        """Return whether the runner says that Git, live and status agree, about the remote's newest commit."""
        status = self.place.status()
        last = status["pass"]
        return bool(
            status["runner"] and last and last["verdict"] == "in sync" and last["revision"] == self.tip()
        )


@contextmanager
def shop(home: Path, engine: str) -> Iterator[Shop]:
    """Build it below `home` before an engine that serves the bare base, run it, and end it with the block."""
    place = scratch.make(home / "repo")
    with ExitStack() as stack:
        replica = stack.enter_context(faulty_replica(engine))
        ports = free_ports(4)
        _declare(place.root, replica.url, ports)
        candidates.make(place.root, VERSIONS)
        place.commit("versions and a policy of seconds")
        desk = _publish(place.root, home)
        gateways = tuple(f"http://127.0.0.1:{port}" for port in (ports[0], ports[2]))
        admins = (f"http://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[3]}")
        place = replace(place, gateway=gateways[0], admin=admins[0], engine=replica.url)
        running = place.start("up")
        stack.callback(_end, place, running)
        until(lambda: all(map(_serves, admins)) or running.poll() is not None, "the first routes")
        assert running.poll() is None, place.output("up")
        users = stack.enter_context(asking(home, gateways))
        yield Shop(place, desk, replica, admins, users)


@contextmanager
def asking(home: Path, urls: tuple[str, ...]) -> Iterator[Users]:
    """Let people ask every gateway until the block ends; then every answer under way has come."""
    users = Users(tuple(_plan(home, url, seed, RATE / len(urls)) for seed, url in enumerate(urls)))
    up, found = threading.Event(), dict[str, Callable[[], object]]()

    async def play() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        found["stop"] = lambda: loop.call_soon_threadsafe(stop.set)
        async with contextlib.AsyncExitStack() as stack:
            users.going += [await stack.enter_async_context(traffic(plan)) for plan in users.plans]
            up.set()
            await stop.wait()
            users.results += await asyncio.gather(*(one.stop() for one in users.going))

    thread = threading.Thread(target=lambda: asyncio.run(play()), daemon=True)
    thread.start()
    assert up.wait(PATIENCE_S), "the users did not come"
    try:
        yield users
    finally:
        found["stop"]()
        thread.join(PATIENCE_S)


def _plan(home: Path, url: str, seed: int, rate: float) -> ReplayPlan:
    rows = [
        f"2026-11-16 10:{at // 240:02d}:{at // 4 % 60:02d}.{at * 37 % 100:02d}00000,20,48"
        for at in range(480)
    ]
    trace = home / "trace.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows) + "\n")
    material = Material(str(trace), "bookshop", home, duration_s=LONGEST_S)
    crowd = Crowd(USERS, seed, stream_share=0.3, max_tokens=48, feedback_share=FEEDBACK)
    return ReplayPlan(material, Rate(rate), crowd, Target(url))


def _declare(root: Path, engine: str, ports: list[int]) -> None:
    spec = root / "loop.yaml"
    before = spec.read_text().partition("  production:\n")[0]
    spec.write_text(before + PRODUCTION.format(engine=engine, ports=ports))
    (root / "policies/rollout.yaml").write_text(POLICY)


def _publish(root: Path, home: Path) -> Path:
    """Make the bare remote and the engineer's clone; return the clone."""
    git(home, "init", "-q", "--bare", "-b", "main", str(home / "remote.git"))
    git(root, "remote", "add", "origin", str(home / "remote.git"))
    git(root, "push", "-q", "--set-upstream", "origin", "main")
    git(home, "clone", "-q", str(home / "remote.git"), str(home / "desk"))
    return home / "desk"


def _serves(admin: str) -> bool:
    return bool(get(f"{admin}/state")["table"]["routes"])


def _candidate(admin: str) -> str | None:
    for route in get(f"{admin}/state")["table"]["routes"]:
        if route["split"]:
            version = route["split"]["candidate"]
            return digest.served_name(version["name"], version["digest"])
    return None


def _end(place: Scratch, running: subprocess.Popen[str]) -> None:
    if running.poll() is None:
        scratch.end(running)
    for pid in scratch.processes_of(place.root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def own_engine(home: Path) -> Iterator[str]:
    """Run a vLLM of one's own, for use by hand; tests share one."""
    (port,) = free_ports(1)
    process = ManagedProcess(engine_program(port), home / "engine", os.environ)
    url = f"http://127.0.0.1:{port}"

    async def start() -> None:
        await process.start()
        async with aiohttp.ClientSession() as session:
            ready = launcher.serves(EngineClient(url, session, 5.0))
            await process.wait_ready(ready, launcher.START_TIMEOUT_S, lambda _phase: None)

    try:
        asyncio.run(start())
        yield url
    finally:
        asyncio.run(process.stop())


def main() -> None:
    """Put one version after the other on trial and tell what becomes of it."""
    with (
        tempfile.TemporaryDirectory(prefix="rollouts-") as name,
        own_engine(Path(name)) as engine,
        shop(Path(name), engine) as here,
    ):
        for version in reversed(VERSIONS):
            _tell(here, version)
        print(here.place.output("up"))


def _tell(here: Shop, version: str) -> None:
    begin, tip = time.monotonic(), here.tip()
    served = here.put_on_trial(version)
    with contextlib.suppress(AssertionError):
        until(lambda: served in here.quarantined() or here.stage() == STAGES[-1], "an end")
    print(f"{version} ({VERSIONS[version]}): {time.monotonic() - begin:.0f} s, now at {here.stage()}")
    print("\n".join(f"  {subject}" for subject in here.commits(tip)))
    print(f"  {here.quarantined().get(served)}  {here.users.progress()}", flush=True)


if __name__ == "__main__":
    main()
