"""A scratch repository with the checkout's own content, on free ports, in which a whole deployment can run.

Used by tests that start `loop up` for real. Data is copied, not pulled, so that a test of something else needs no
DVC.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = ("models/base", "models/chat-v1.0", "datasets/bookshop")
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Scratch:
    """One scratch repository and what it serves."""

    root: Path
    gateway: str
    admin: str
    engine: str
    monitor: str
    console: str

    def loop(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `loop` command to its end."""
        done = subprocess.run(
            command(self.root, *arguments),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a `loop` command that stays; its output goes to files beside the repository."""
        with (self.root / f".loop-{arguments[0]}.out").open("a") as out:
            return subprocess.Popen(
                command(self.root, *arguments),
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def output(self, name: str) -> str:
        """Return what a started command has said so far."""
        return (self.root / f".loop-{name}.out").read_text()

    def commit(self, message: str) -> None:
        """Commit everything that changed."""
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "-m", message)

    def ask(self, question: str, **body: Any) -> dict[str, Any]:
        """Ask through the gateway; raises urllib's errors."""
        messages = [{"role": "user", "content": question}]
        value = {"model": "chat", "messages": messages, "temperature": 0, "max_tokens": 48, **body}
        return post(f"{self.gateway}/v1/chat/completions", value)

    def status(self) -> dict[str, Any]:
        """Return what `loop status --json` prints."""
        value: dict[str, Any] = json.loads(self.loop("status", "--json", check=False).stdout)
        return value


def command(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "runner.cli.main", "--root", str(root), *arguments]


def post(url: str, value: Any, method: str = "POST") -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(value).encode(), {"content-type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        text = answer.read()
    try:
        read: dict[str, Any] = json.loads(text)
    except ValueError:
        return {"text": text.decode()}
    return read


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        value: dict[str, Any] = json.loads(answer.read())
    return value


def git(root: Path, *arguments: str) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**clean, **identity},
    )
    return done.stdout


def make(root: Path) -> Scratch:
    """Copy the checkout to `root`, commit it there, and give every address a free port."""
    listed = subprocess.run(
        ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source = CHECKOUT / name
        if source.is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, root / name)
    for name in DATA:
        shutil.copytree(CHECKOUT / name, root / name, dirs_exist_ok=True)
    spec = root / "loop.yaml"
    ports = iter(free_ports(len(ADDRESS.findall(spec.read_text()))))
    spec.write_text(ADDRESS.sub(lambda _: f"127.0.0.1:{next(ports)}", spec.read_text()))
    git(root, "init", "-q", "-b", "main")
    (root / ".git" / "info" / "exclude").write_text(".loop-*\n.venv\n")
    (root / ".venv").symlink_to(sys.prefix)  # the stages of dvc.yaml run `.venv/bin/loop`
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "the checkout as it is")
    from runner.spec.files import DirectoryFiles
    from runner.spec.load import load_or_raise

    production = load_or_raise(DirectoryFiles(root)).loop.environments["production"]
    assert production.monitor is not None and production.console is not None
    addresses = (
        *(production.gateway.listen, production.gateway.admin, production.engine.listen),
        *(production.monitor.listen, production.console.listen),
    )
    return Scratch(root, *(f"http://{address}" for address in addresses))


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def processes_of(root: Path) -> list[int]:
    """Return the living processes that carry the mark of this repository's records, or name it in their arguments."""
    sign, found = str(root).encode(), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            known = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if sign in known and state != "Z":
            found.append(int(entry.name))
    return found


def end(process: subprocess.Popen[str], number: int = signal.SIGINT, seconds: float = PATIENCE_S) -> int:
    """Signal a started command and return its exit code."""
    process.send_signal(number)
    return process.wait(seconds)
