"""A mock of GitHub's API that refuses what GitHub's own OpenAPI description does not allow.

The description and the mock server (Prism) are npm packages, locked beside this file and installed once into the
cache; then nothing but the part that the tests need is kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S, until

CONTRACT = Path(__file__).parent / "forge_contract"
CACHE = Path(__file__).parents[2] / ".cache" / "forge-contract"
PATHS = (
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/statuses/{sha}",
)
DESCRIPTION = "node_modules/@octokit/openapi/generated"
PRISM = "node_modules/@stoplight/prism-cli/dist/index.js"
OLDEST_NODE = 18


def reason_to_skip() -> str:
    """Return why the mock cannot run here, or nothing."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "node and npm are not installed: the mock of GitHub's API needs them"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    found = int(said.strip().removeprefix("v").partition(".")[0])
    return "" if found >= OLDEST_NODE else f"node {found} is too old: the mock needs {OLDEST_NODE}"


def installed() -> Path:
    """Return the folder with the mock and the cut description, installing them where that was not done yet."""
    names = ("package-lock.json", "cut.mjs")
    content = b"".join((CONTRACT / name).read_bytes() for name in names) + repr(PATHS).encode()
    folder = CACHE / hashlib.sha256(content).hexdigest()[:12]
    if folder.is_dir():
        return folder
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.copytree(CONTRACT, building, ignore=shutil.ignore_patterns("node_modules"))
    _run(building, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    _run(building, "node", "cut.mjs", f"{DESCRIPTION}/api.github.com.json", "github.json", *PATHS)
    shutil.rmtree(building / DESCRIPTION)  # 390 MB that nobody reads again
    try:
        building.rename(folder)
    except OSError:  # another run was quicker
        shutil.rmtree(building)
    return folder


@contextmanager
def described(log: Path) -> Iterator[str]:
    """Run the mock and give its address; a test that asks for it where it cannot run is skipped with the reason."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    with running(log) as address:
        yield address


@contextmanager
def running(log: Path) -> Iterator[str]:
    """Run the mock on the loopback and give its address; it ends with the block."""
    folder, port = installed(), _free_port()
    # GitHub's examples do not all fit its schemas, so the mock makes its answers from the schemas alone.
    command = ["node", PRISM, "mock", "--errors", "--ignoreExamples", "-h", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "github.json"], cwd=folder, stdout=out, stderr=out)
        try:
            _wait(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    def decided() -> bool:
        with socket.socket() as probe:
            return process.poll() is not None or probe.connect_ex(("127.0.0.1", port)) == 0

    until(decided, "the mock's start")
    assert process.poll() is None, f"the mock did not start:\n{log.read_text(errors='replace')}"


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
