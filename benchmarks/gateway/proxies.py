"""Starts what is measured, each in processes of its own, and reads how much CPU they used."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway.upstream import MODEL
from runner.serving.routes import Route, RouteTable, Version, to_json

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
LITELLM = Path(".venv-bench/bin/litellm")
LITELLM_ENVIRONMENT = {
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
}
LITELLM_CONFIG = """model_list:
  - model_name: chat
    litellm_params: {{model: openai/chat, api_base: {url}/v1, api_key: none}}
litellm_settings: {{telemetry: false, num_retries: 0}}
general_settings: {{master_key: {key}}}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Something that answers chat completions at `url`; `pid` is the root of its processes."""

    name: str
    url: str
    pid: int

    def cpu_us(self) -> float:
        """Return the CPU time, in microseconds, that its processes have used."""
        return sum(_ticks(pid) for pid in _tree(self.pid)) * TICK_US


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


@contextlib.contextmanager
def _process(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | environment
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def upstream(folder: Path) -> Iterator[Proxy]:
    """Run the constant upstream."""
    command = [sys.executable, "-m", "benchmarks.gateway.upstream"]
    with _process(command, folder / "upstream.log") as process:
        assert process.stdout
        yield Proxy("direct", process.stdout.readline().strip(), process.pid)


@contextlib.contextmanager
def gateway(folder: Path, upstream_url: str, key: str) -> Iterator[Proxy]:
    """Run our gateway with the event log on, facts and masked content; `key` is the one API key it knows."""
    config = folder / "gateway.json"
    settings = {"environment": "bench", "state_dir": str(folder / "state"), "listen": "127.0.0.1:0"}
    known = {"name": "bench", "group": "public", "sha256": hashlib.sha256(key.encode()).hexdigest()}
    config.write_text(json.dumps(settings | {"admin": "127.0.0.1:0", "keys": [known]}))
    command = [sys.executable, "-m", "runner.serving.gateway", "--config", str(config)]
    with _process(command, folder / "gateway.log") as process:
        assert process.stdout
        public, admin = re.findall(r"http://[\d.:]+", process.stdout.readline())
        name, _, digest = MODEL.partition("--")
        version = Version(name, digest.ljust(64, "a"))
        table = RouteTable(1, "bench", (Route("chat", version),), (), {version.served: (upstream_url,)})
        _request(f"{admin}/routes", "PUT", to_json(table))
        _wait(f"{public}/readyz")
        yield Proxy("gateway", public, process.pid)


@contextlib.contextmanager
def litellm(folder: Path, upstream_url: str, key: str) -> Iterator[Proxy | None]:
    """Run LiteLLM's proxy: one worker, no database, no telemetry, one API key; None where not installed."""
    if not LITELLM.exists():
        yield None
        return
    config = folder / "litellm.yaml"
    config.write_text(LITELLM_CONFIG.format(url=upstream_url, key=key))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with _process([*command, "--num_workers", "1"], folder / "litellm.log", **LITELLM_ENVIRONMENT) as process:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/health/liveliness")
        yield Proxy("litellm", url, process.pid)


def _request(url: str, method: str = "GET", body: object = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=5) as response:
        return int(response.status)


def _wait(url: str, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            _request(url)
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
