"""A real gateway process in front of a stub engine, for replays that end in a second."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner.serving.routes import Route, RouteTable, Split, Version, to_json
from runner.simulation.replay.plan import Crowd, Material, Rate, ReplayPlan, Target
from runner.simulation.replay.traces import AZURE_HEADER
from tests.doubles.stub_engine import RunningStub, stub_engine

ROOT = Path(__file__).parents[3]
BASELINE = Version("chat-v1.0", "a" * 64)
CROWD = Crowd()
CANDIDATE = Version("chat-v1.1", "b" * 64)


@dataclass
class Stage:
    """Everything a replay needs, and the ways to break it."""

    home: Path
    engine: RunningStub
    process: subprocess.Popen[str]
    url: str
    admin: str
    progress: list[Any] = field(default_factory=list)

    @property
    def events(self) -> Path:
        return self.home / "state" / "events"

    def route(self, split: Split | None = None, generation: int = 1) -> None:
        """Put a route table into force."""
        versions = [BASELINE] + ([split.candidate] if split else [])
        table = RouteTable(
            generation=generation,
            routes=(Route("chat", BASELINE, split),),
            replicas={version.served: (self.engine.url,) for version in versions},
        )
        body = json.dumps(to_json(table)).encode()
        request = urllib.request.Request(
            f"{self.admin}/routes", body, {"content-type": "application/json"}, method="PUT"
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200

    def plan(self, number: int, rate: float = 100.0, crowd: Crowd = CROWD, **target: Any) -> ReplayPlan:
        """Return a plan of `number` recorded arrivals at a mean rate."""
        return ReplayPlan(
            material(self.home, number), Rate(rate), crowd, Target(self.url, events=self.events, **target)
        )


def material(home: Path, number: int) -> Material:
    """Write a trace of `number` arrivals, bursts among them, and questions."""
    rows = [f"2023-11-16 18:15:{n // 4 % 60:02d}.{n % 4}000000,{100 + n},{n % 9 + 1}" for n in range(number)]
    (home / "trace.csv").write_text("\n".join([AZURE_HEADER, *rows]) + "\n")
    (home / "asked.csv").write_text(
        "text,category\n" + "".join(f"where is shelf {n}?,x\n" for n in range(20))
    )
    return Material(str(home / "trace.csv"), str(home / "asked.csv"), home)


@contextmanager
def gateway(home: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run a real gateway process on free ports."""
    config = {
        "environment": "test",
        "state_dir": str(home / "state"),
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "segment_age_s": 0.5,
    }
    (home / "state").mkdir()
    (home / "gateway.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "runner.serving.gateway", "--config", str(home / "gateway.json")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        url, admin = re.findall(r"http://\S+?(?=,|$|\s)", first)
        yield process, url, admin
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with (
        stub_engine(adapters=(BASELINE.served, CANDIDATE.served)) as engine,
        gateway(tmp_path) as (process, url, admin),
    ):
        made = Stage(tmp_path, engine, process, url, admin)
        made.route()
        yield made


@pytest.fixture
def silent() -> Callable[[Any], None]:
    return lambda _: None
