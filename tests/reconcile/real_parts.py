"""A reconciler of real parts but for the engine: files on the disk, HTTP, a gateway process, a journal."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import digest
from runner.reconcile.desired import Adapter, Desired, Limits, Role, Trial
from runner.reconcile.distil import Declared
from runner.serving.gateway import config
from runner.serving.gateway.config import GatewayConfig
from runner.serving.routes import Version
from runner.spec.environment import Engine, Environment, Gateway
from runner.spec.rollout import RolloutPolicy
from tests.waiting import PATIENCE_S

CHECKOUT = Path(__file__).resolve().parents[2]
POLICY = RolloutPolicy.model_validate(
    {
        "stages": [
            {"name": "canary", "traffic": 0.05, "duration": 60},
            {"name": "full", "traffic": 1, "duration": "stable"},
        ]
    }
)


def make_adapter(root: Path, name: str, rank: int = 8) -> None:
    """Write the files of an adapter that a stub engine takes; its bytes are made of its name."""
    folder = root / "adapters" / name
    folder.mkdir(parents=True)
    header = json.dumps({"__metadata__": {"made_for": name}}).encode()
    (folder / "adapter_config.json").write_text(
        json.dumps({"r": rank, "base_model_name_or_path": "bookshop-base"})
    )
    (folder / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


@dataclass(frozen=True)
class Addresses:
    """Where the systems are: base URLs of replicas, and the admin address of the gateway."""

    replicas: tuple[str, ...]
    admin: str


def declare(
    root: Path,
    at: Addresses,
    revision: str,
    baseline: str,
    standby: str | None = None,
    candidate: str | None = None,
    grace_period: float = 0.0,
    slots: int = 200,
    policy: RolloutPolicy = POLICY,
) -> Declared:
    """Return what an environment over `root/adapters` declares."""
    roles = {baseline: Role.BASELINE}
    for role, name in ((Role.STANDBY, standby), (Role.CANDIDATE, candidate)):
        if name:
            roles.setdefault(name, role)
    adapters = tuple(adapter(root, name, role) for name, role in roles.items())
    desired = Desired(
        environment="production",
        revision=revision,
        spec_digest=digest.of_value(revision),
        alias="chat",
        baseline=adapters[0].version,
        adapters=adapters,
        trial=Trial(adapter(root, candidate, Role.CANDIDATE).version, "canary", 0.05) if candidate else None,
        library={a.served: a for a in adapters},
        limits=Limits(slots=slots, prune_limit=3, grace_period=grace_period),
    )
    environment = Environment(
        engine=Engine(replicas=at.replicas), gateway=Gateway(admin=at.admin), baseline=baseline
    )
    return Declared(desired, environment, "base", 10.0, policy)


def adapter(root: Path, name: str, role: Role) -> Adapter:
    version = Version(name, digest.of_directory(root / "adapters" / name))
    return Adapter(version, role, f"adapters/{name}", 8)


@contextmanager
def gateway_process(
    directory: Path, admin: str, listen: str, **changes: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real gateway until the block ends; `directory` is its state, so that it can be run again.

    `changes` are further fields of its configuration.
    """
    directory.mkdir(parents=True, exist_ok=True)
    settings = GatewayConfig("production", str(directory), listen=listen, admin=admin, health_interval_s=0.2)
    file = directory / "gateway.json"
    file.write_text(json.dumps(config.to_json(settings) | changes))
    command = [sys.executable, "-m", "runner.serving.gateway", "--config", str(file)]
    log = (directory / "gateway.log").open("ab")
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=log, stderr=log, env=dict(os.environ))
    try:
        _wait_until_up(process, f"http://{admin}/healthz", directory / "gateway.log")
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the gateway ended: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=1.0):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("the gateway did not come up")


def free_addresses(count: int) -> list[str]:
    """Return addresses of the loopback that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()
