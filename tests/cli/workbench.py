"""A repository with the shipped policies, two small versions and free addresses, and `loop` called on it.

Commands run in this process, so that an error nobody turned into a message fails the test that met it. What must
be seen from outside (signals, a terminal) runs in a process of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runner import digest
from runner.cli.main import main
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.reconcile.real_parts import free_addresses, gateway_process, make_adapter
from tests.spec.repository import DIGESTS, Repository
from tests.waiting import PATIENCE_S

CHECKOUT = Path(__file__).resolve().parents[2]
PRODUCTION = ("loop.yaml", "environments", "production")
MODELS = tuple(DIGESTS)
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


def call(*arguments: str) -> Said:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return Said(code, out.getvalue(), err.getvalue())


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "runner.cli.main", *arguments]


def refused(said: Said, *parts: str) -> None:
    """Hold a command to the one form of errors: exit code 1, on standard error, with all these parts."""
    assert said.code == 1, said
    assert said.err.startswith("error: "), said.err
    for part in parts:
        assert part in said.err, f"{part!r} is not in:\n{said.err}"


class Bench:
    """One repository: `files` is what the next commit will say of the desired state."""

    def __init__(self, root: Path, engine: str = "", admin: str = "", listen: str = "") -> None:
        self.root, self.admin, self.listen = root, admin, listen
        self.files = Repository()
        self.files.remove("loop.yaml", "base_model", "digest")
        # A deployment of whoever runs the tests may live at the shipped addresses.
        free = iter(free_addresses(16))
        self.files.texts["loop.yaml"] = ADDRESS.sub(lambda _: next(free), self.files.texts["loop.yaml"])
        for name in MODELS:
            make_adapter(root, name)
            path = f"adapters/{name}"
            self.files.set(f"models/{name}.yaml", "adapter", "path", to=path)
            self.files.set(f"models/{name}.yaml", "adapter", "digest", to=digest.of_directory(root / path))
            self.files.set(f"models/{name}.yaml", "adapter", "rank", to=8)
        self.files.set("models/chat-v1.1.yaml", "parent", to="chat-v1.0")
        self.files.remove(*PRODUCTION, "promote_after")
        if engine:
            self.files.set(*PRODUCTION, "engine", to={"replicas": [engine], "max_cpu_loras": 8})
            gateway = {"listen": listen, "admin": admin, "alias": "chat"}
            self.files.set(*PRODUCTION, "gateway", to=gateway)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("the desired state")

    def loop(self, *arguments: str) -> Said:
        """Run a command on this repository, in this process."""
        return call("--root", str(self.root), *arguments)

    def argv(self, *arguments: str) -> list[str]:
        """Return the same command for a process of its own."""
        return argv("--root", str(self.root), *arguments)

    def write(self) -> None:
        """Write `files` into the working tree, and take away those that are not in it any more."""
        for folder in ("models", "datasets", "policies"):
            for path in (self.root / folder).glob("*.yaml"):
                if path.relative_to(self.root).as_posix() not in self.files.texts:
                    path.unlink()
        for path_, text in self.files.texts.items():
            target = self.root / path_
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def commit(self, message: str) -> str:
        """Write `files`, commit them, and return the commit."""
        self.write()
        (self.root / ".gitignore").write_text(".loop/\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD").strip()

    def roll_out(self, stage: str = "canary") -> None:
        """Put chat-v1.1 on trial in `files`."""
        self.files.set(*PRODUCTION, "rollout", to={"candidate": "chat-v1.1", "stage": stage})

    @property
    def engine(self) -> str:
        """The address of production's managed engine."""
        address: str = yaml.safe_load(self.files.texts["loop.yaml"])["environments"]["production"]["engine"][
            "listen"
        ]
        return f"http://{address}"

    def served(self, name: str = "chat-v1.0") -> str:
        """Return the engine's name for a version."""
        return digest.served_name(name, digest.of_directory(self.root / "adapters" / name))

    def git(self, *arguments: str) -> str:
        return git(self.root, *arguments)

    def state(self, name: str) -> Path:
        """Return the path of one of the runner's own files, its folder made."""
        path = self.root / ".loop" / "production" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def git(root: Path, *arguments: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    who = {
        f"GIT_{role}_{what}": "ada@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        env={**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@dataclass(frozen=True)
class Live:
    """A repository whose production environment runs: a stub engine and a real gateway process."""

    bench: Bench
    engine: RunningStub

    def gateway_state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.bench.admin}/state", timeout=PATIENCE_S) as answer:
            value: dict[str, Any] = json.loads(answer.read())
        return value


@contextmanager
def live(root: Path, **gateway: Any) -> Iterator[Live]:
    """Run engine and gateway for a new repository at `root` until the block ends.

    `gateway` are further settings of the gateway process.
    """
    admin, listen = free_addresses(2)
    with stub_engine(base_model="bookshop-base") as engine:
        bench = Bench(root, engine.url, admin, listen)
        with gateway_process(bench.state("gateway.json").parent, admin, listen, **gateway):
            yield Live(bench, engine)


def post(url: str, value: Any) -> dict[str, Any]:
    """Send JSON and return the JSON that came back. Raises urllib's errors."""
    request = urllib.request.Request(url, json.dumps(value).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        read: dict[str, Any] = json.loads(answer.read())
    return read
