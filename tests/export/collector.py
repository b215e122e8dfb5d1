"""A real OpenTelemetry collector on the loopback: Rotel, third-party code that reads OTLP and passes it on.

Its wheel (PyPI, the program inside) is locked in `collector.txt` and installed once into the cache, not into the
environment: only these tests need it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.reconcile.real_parts import free_addresses
from tests.waiting import PATIENCE_S

CHECKOUT = Path(__file__).parents[2]
LOCKED = Path(__file__).parent / "collector.txt"
UV = CHECKOUT / ".venv-uv" / "bin" / "uv"


def reason_to_skip() -> str:
    """Return why the collector cannot run here, or nothing."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "the collector's wheel is installed for Linux on x86-64 only"
    if not UV.exists():
        return f"{UV.relative_to(CHECKOUT)} is missing: `make setup` brings it, and the collector is installed with it"
    return ""


def installed() -> Path:
    """Return the collector's program, installing it where that was not done yet."""
    folder = CHECKOUT / ".cache" / "collector" / hashlib.sha256(LOCKED.read_bytes()).hexdigest()[:12]
    program = folder / "rotel" / "rotel-agent"
    if program.exists():
        return program
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    options = ("--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:")
    done = subprocess.run(
        [UV, "pip", "install", *options, "--python", sys.executable, "--target", building, "-r", LOCKED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"the collector could not be installed:\n{done.stderr}"
    try:
        building.rename(folder)
    except OSError:  # another run was quicker
        shutil.rmtree(building)
    return program


@contextmanager
def passing_on(to: str, log: Path) -> Iterator[str]:
    """Run a collector that passes everything on to another receiver, and give its address."""
    (grpc, http) = free_addresses(2)
    command = [
        *(str(installed()), "start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"),
        *("--otlp-exporter-endpoint", to, "--otlp-exporter-compression", "none", "--batch-timeout", "50ms"),
        *("--otlp-grpc-endpoint", grpc, "--otlp-http-endpoint", http),
        *("--pid-file", str(log.with_suffix(".pid")), "--log-file", str(log.with_suffix(".daemon"))),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            _wait(process, http, log)
            yield f"http://{http}"
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    host, port = address.split(":")
    for _ in range(300):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"the collector did not start:\n{log.read_text(errors='replace')}")
