"""Gateways for tests: in a thread (quick, with a disk of the test's choice) or as the real process."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from runner.events.schema import Kind
from runner.events.writer import OS_DISK, Disk
from runner.serving import routes
from runner.serving.gateway import config, server
from runner.serving.routes import Experiment, Route, RouteTable, Shadow, Split, Version
from tests.waiting import PATIENCE_S, until

BASELINE = Version("chat-v1.0", "a" * 64)
CANDIDATE = Version("chat-v1.1", "b" * 64)
OTHER = Version("chat-v1.2", "c" * 64)
SERVED = (BASELINE.served, CANDIDATE.served, OTHER.served)
QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "where is the harbour book"}]}


@dataclass
class RunningGateway:
    """A gateway that is up."""

    url: str
    admin: str
    state_dir: Path
    process: subprocess.Popen[str] | None = None

    def put(self, table: RouteTable) -> httpx.Response:
        return httpx.put(f"{self.admin}/routes", json=routes.to_json(table), timeout=PATIENCE_S)

    def state(self) -> dict[str, Any]:
        value: dict[str, Any] = httpx.get(f"{self.admin}/state", timeout=PATIENCE_S).json()
        return value

    def ask(self, **changes: Any) -> httpx.Response:
        headers = changes.pop("headers", {})
        return httpx.post(
            f"{self.url}/v1/chat/completions", json=QUESTION | changes, headers=headers, timeout=PATIENCE_S
        )

    def leave(self, when: Callable[[], object], **changes: Any) -> None:
        """Ask, and hang up without an answer as soon as it is time."""
        with asked_and_left(f"{self.url}/v1/chat/completions", QUESTION | changes):
            until(when, "the question is where it is to be")

    def events(self, kind: Kind = Kind.REQUEST) -> list[dict[str, Any]]:
        """Return all complete events on the disk, in order of their segments."""
        found = []
        for path in sorted((self.state_dir / "events").glob(f"{kind}-*.jsonl")):
            *lines, _torn = path.read_bytes().split(b"\n")
            found += [json.loads(line) for line in lines]
        return found


def table(
    *replicas: str,
    generation: int = 1,
    weight: float | None = None,
    groups: tuple[str, ...] = (),
    shadow: Shadow | None = None,
    experiments: tuple[Experiment, ...] = (),
) -> RouteTable:
    """Return a table with the alias `chat`; with a `weight` there is a candidate on trial."""
    split = None if weight is None else Split("trial-1", CANDIDATE, weight, groups)
    return RouteTable(
        generation,
        "revision",
        (Route("chat", BASELINE, split, shadow, experiments),),
        (BASELINE,),
        dict.fromkeys(SERVED, replicas),
    )


def settings(state_dir: Path, **changes: Any) -> dict[str, Any]:
    """Return a configuration as its JSON values."""
    value = {
        "environment": "test",
        "state_dir": str(state_dir),
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "pinning_groups": ["public"],
        "commit_interval_s": 0.005,
        "health_interval_s": 0.2,
    }
    return value | changes


@contextmanager
def gateway(state_dir: Path, *, disk: Disk = OS_DISK, **changes: Any) -> Iterator[RunningGateway]:
    """Run a gateway in a thread until the block ends."""
    settled = config.from_json(settings(state_dir, **changes))
    up = threading.Event()
    found: dict[str, Any] = {}

    def ready(public: str, admin: str, stop: Any) -> None:
        found.update(public=public, admin=admin, stop=stop, loop=asyncio.get_running_loop())
        up.set()

    def run() -> None:
        asyncio.run(server.serve(settled, ready, server.system_sources(), disk))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert up.wait(PATIENCE_S), "the gateway did not start"
    try:
        yield RunningGateway(found["public"], found["admin"], state_dir)
    finally:
        for _ in range(2):
            found["loop"].call_soon_threadsafe(found["stop"])
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@contextmanager
def gateway_process(
    state_dir: Path,
    descriptors: int | None = None,
    soft_descriptors: int | None = None,
    config_name: str = "gateway.json",
    **changes: Any,
) -> Iterator[RunningGateway]:
    """Run the real process until the block ends; killed then if it is still there.

    It may open so many file descriptors, or so many before it raises that itself.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    file = state_dir / config_name
    file.write_text(json.dumps(settings(state_dir, **changes)))
    command = [sys.executable, "-m", "runner.serving.gateway", "--config", str(file)]
    for flag, most in (("-n", descriptors), ("-S -n", soft_descriptors)):
        if most is not None:
            command = ["sh", "-c", f'ulimit {flag} {most} && exec "$@"', "sh", *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            public, admin = re.findall(r"http://[\d.:]+", process.stdout.readline())
            yield RunningGateway(public, admin, state_dir, process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


@contextmanager
def gateway_processes(state_dir: Path, count: int = 2, **changes: Any) -> Iterator[list[RunningGateway]]:
    """Run several real processes over one state directory, started at the same moment."""
    names = [""] + [f"-{number}" for number in range(2, count + 1)]
    waiting = [
        gateway_process(
            state_dir, config_name=f"gateway{name}.json", routes_name=f"routes{name}.json", **changes
        )
        for name in names
    ]
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        yield list(pool.map(stack.enter_context, waiting))


@contextmanager
def asked_and_left(url: str, body: dict[str, Any]) -> Iterator[None]:
    """Send a question, and close the connection with the block, whatever has come by then."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=PATIENCE_S)
    try:
        connection.request("POST", where.path, json.dumps(body), {"content-type": "application/json"})
        yield
    finally:
        connection.close()
