"""The scratch repositories of the demo and what is done in them: a bare remote, and three clones of it.

`shop` is the machine that serves: `loop up` runs there. `desk` is where engineers and scheduled jobs work, as a
workflow does in its checkout. `review` is the reviewer's. The checkout that the demo is started from is only read.
Every step is a command of `loop` or of Git, so that what works here works by hand.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runner.demo.claims import Unfulfilled, claim
from runner.demo.quarter import SHORTER, shorten
from runner.reconcile.state import StatePaths

ENVIRONMENT = "production"
COMMAND_S, ENDING_S = 600.0, 60.0
IGNORED = ".venv\n.loop\n/.demo-*\n"
ENGINEER, REVIEWER, HURRIED = "Ada Engineer", "Grace Reviewer", "Hurried Harry"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: its code, what it printed as JSON (None where it printed none), its words, seconds."""

    code: int
    value: Any
    said: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Place:
    """The four repositories below `home`."""

    home: Path

    @property
    def remote(self) -> Path:
        """The bare repository: the one desired state."""
        return self.home / "remote.git"

    @property
    def shop(self) -> Path:
        """The clone of the machine that serves."""
        return self.home / "shop"

    @property
    def desk(self) -> Path:
        """The clone in which engineers and scheduled jobs work."""
        return self.home / "desk"

    @property
    def state(self) -> StatePaths:
        """Where the runner keeps what is not in Git."""
        return StatePaths(self.shop, ENVIRONMENT)

    def address(self, *path: str) -> str:
        """Return an address of production, as the desk has it: `gateway`, `listen`. Addresses never change."""
        spec = yaml.safe_load((self.desk / "loop.yaml").read_text(encoding="utf-8"))
        found: Any = spec["environments"][ENVIRONMENT]
        for key in path:
            found = found[key]
        return f"http://{found}"

    def declared(self) -> dict[str, Any]:
        """Return production as the remote's newest commit has it."""
        spec = yaml.safe_load(self.text("loop.yaml"))
        found: dict[str, Any] = spec["environments"][ENVIRONMENT]
        return found

    def text(self, path: str) -> str:
        """Return a file of the remote's newest commit, empty where it has none."""
        with suppress(subprocess.CalledProcessError):
            return git(self.remote, "show", f"main:{path}")
        return ""

    def branches(self) -> list[str]:
        """Return the remote's branches that wait to be merged."""
        listed = git(
            self.remote, "for-each-ref", "--format=%(refname:short)", "--no-merged=main", "refs/heads"
        )
        return listed.split()

    def subjects(self, span: str = "main") -> list[str]:
        """Return subjects of commits along the first parents, the oldest first."""
        return git(self.remote, "log", "--reverse", "--first-parent", "--format=%s", span).splitlines()

    def log(self) -> list[str]:
        """Return every commit of the remote as one line, the newest first, as a person reads it."""
        return git(self.remote, "log", "--format=%h %<(16,trunc)%an %s", "main").splitlines()

    def tip(self) -> str:
        """Return the remote's newest commit."""
        return git(self.remote, "rev-parse", "main").strip()

    def loop(self, *arguments: str, codes: Sequence[int] = (0,)) -> Done:
        """Run a `loop` command with `--json` at the desk. Raises Unfulfilled where it ends in none of `codes`."""
        begin = time.monotonic()
        done = subprocess.run(
            command(self.desk, *arguments, "--json"),
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
            env=_environ(ENGINEER),
        )
        with suppress(ValueError):
            value = json.loads(done.stdout)
            if done.returncode in codes:
                return Done(done.returncode, value, done.stderr, time.monotonic() - begin)
        told = f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
        raise Unfulfilled(f"`loop {' '.join(arguments)}` ended with code {done.returncode}\n{told}")

    def printed(self, *arguments: str, codes: Sequence[int] = (0, 2)) -> str:
        """Run a `loop` command at the desk as a person reads it. Raises Unfulfilled."""
        done = subprocess.run(
            command(self.desk, *arguments),
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
            env=_environ(ENGINEER),
        )
        claim(done.returncode in codes, f"`loop {' '.join(arguments)}` works", done.stdout + done.stderr)
        return done.stdout

    def dvc(self, *arguments: str) -> None:
        """Run DVC at the desk. Raises Unfulfilled with its words."""
        program = Path(sys.executable).parent / "dvc"
        done = subprocess.run(
            [program, *arguments],
            cwd=self.desk,
            capture_output=True,
            text=True,
            check=False,
            env=_environ(ENGINEER),
        )
        claim(done.returncode == 0, f"`dvc {' '.join(arguments)}` works", done.stdout + done.stderr)

    def refresh(self) -> None:
        """Bring the desk to the remote's newest commit, as a job's checkout is."""
        git(self.desk, "fetch", "--quiet", "origin", "main")
        git(self.desk, "reset", "--quiet", "--hard", "FETCH_HEAD")

    def discard(self, version: str) -> None:
        """Forget a version that was trained at the desk and never asked for, as a job's checkout is thrown away."""
        self.refresh()
        git(self.desk, "clean", "--quiet", "--force", "-d", "models")
        shutil.rmtree(self.desk / "models" / version, ignore_errors=True)

    def push(self, message: str, change: Callable[[Path], object], who: str = ENGINEER) -> str:
        """Change files and push the commit straight to main; return it."""
        self.refresh()
        change(self.desk)
        git(self.desk, "add", "--update", who=who)
        git(self.desk, "commit", "--quiet", "--message", message, who=who)
        git(self.desk, "push", "--quiet", "origin", "HEAD:main")
        return git(self.desk, "rev-parse", "HEAD").strip()

    def ask(self, branch: str, message: str, change: Callable[[Path], object], who: str = ENGINEER) -> None:
        """Change files, and push the commit to a branch of its own: a person's pull request."""
        self.refresh()
        change(self.desk)
        git(self.desk, "add", "--update", who=who)
        git(self.desk, "commit", "--quiet", "--message", message, who=who)
        git(self.desk, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        self.refresh()

    def merge(self, branch: str, title: str) -> str:
        """Merge a branch as a reviewer does, bring the desk to the result, and return the merge."""
        review = self.home / "review"
        if not review.exists():
            git(self.home, "clone", "--quiet", str(self.remote), str(review))
        git(review, "fetch", "--quiet", "--prune", "origin")
        git(review, "reset", "--quiet", "--hard", "origin/main")
        git(
            review,
            "merge",
            "--quiet",
            "--no-ff",
            "--message",
            f"Merge: {title}",
            f"origin/{branch}",
            who=REVIEWER,
        )
        git(review, "push", "--quiet", "origin", "HEAD:main", who=REVIEWER)
        self.refresh()
        return git(review, "rev-parse", "HEAD").strip()

    def lift(self, version: str, reason: str) -> None:
        """`loop lift` a version out of quarantine, and push it."""
        self.refresh()
        self.printed("lift", version, "--reason", reason, codes=(0,))
        git(self.desk, "push", "--quiet", "origin", "HEAD:main")

    def revert(self, commit: str, who: str = REVIEWER) -> str:
        """`git revert` a commit and push it; return the new one."""
        self.refresh()
        git(self.desk, "revert", "--no-edit", commit, who=who)
        git(self.desk, "push", "--quiet", "origin", "HEAD:main", who=who)
        return git(self.desk, "rev-parse", "HEAD").strip()

    def status(self) -> dict[str, Any]:
        """Return what `loop status --json` prints."""
        found: dict[str, Any] = self.loop("status", codes=(0, 1, 2)).value
        return found

    def split(self) -> tuple[str, float] | None:
        """Return the candidate's name and its share of users on the gateway; None without one."""
        for route in self.routes():
            if route["split"]:
                return str(route["split"]["candidate"]["name"]), float(route["split"]["weight"])
        return None

    def serves_alone(self, name: str) -> bool:
        """Whether the gateway says that a version is the baseline and nothing is on trial beside it."""
        routes = self.routes()
        return bool(routes) and all(r["baseline"]["name"] == name and r["split"] is None for r in routes)

    def engine(self) -> int:
        """Return the process of the shop's engine."""
        record = self.state.directory / "run" / "engine.json"
        return int(json.loads(record.read_text(encoding="utf-8"))["pid"])

    def served(self) -> str | None:
        """Return the name of the baseline that the gateway routes to; None where there is none."""
        return next((str(route["baseline"]["name"]) for route in self.routes()), None)

    def routes(self) -> list[dict[str, Any]]:
        """Return the gateway's routes; none where it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.address('gateway', 'admin')}/state", timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["table"]["routes"]
        except (OSError, ValueError, KeyError):
            return []
        return found

    def journal(self, action: str, served: str = "") -> list[dict[str, Any]]:
        """Return the journal's entries of one action about one version, the oldest first."""
        found = []
        for line in self.state.journal.read_text(encoding="utf-8").splitlines():
            if f'"action":"{action}"' in line and served in line:
                with suppress(ValueError):  # the last line may be half written
                    found.append(json.loads(line))
        return found

    def ask_question(self, question: str) -> tuple[str, str]:
        """Ask through the gateway; return the answer and the version that gave it."""
        body = {"model": "chat", "messages": [{"role": "user", "content": question}], "temperature": 0}
        request = urllib.request.Request(
            f"{self.address('gateway', 'listen')}/v1/chat/completions",
            json.dumps(body | {"max_tokens": 48}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["choices"][0]["message"]["content"].strip(), answer.headers[
                "x-loop-version"
            ]


def make(checkout: Path, home: Path) -> Place:
    """Copy the checkout as it is now into a repository of its own, shorten its days, publish and clone it."""
    place, seed = Place(home), home / "seed"
    _copy(checkout, seed)
    git(seed, "init", "--quiet", "--initial-branch=main")
    git(seed, "add", "--all")
    git(seed, "commit", "--quiet", "--message", "The bookshop as it ships")
    shorten(seed)
    git(seed, "commit", "--quiet", "--all", "--message", SHORTER.capitalize())
    git(home, "clone", "--quiet", "--bare", str(seed), str(place.remote))
    shutil.rmtree(seed)
    for clone in (place.shop, place.desk):
        git(home, "clone", "--quiet", str(place.remote), str(clone))
        (clone / ".venv").symlink_to(sys.prefix)  # stages of dvc.yaml run `.venv/bin/loop`
        (clone / ".git/info/exclude").write_text(IGNORED, encoding="utf-8")
    (place.shop / ".loop").mkdir()
    (place.desk / ".loop").symlink_to(place.shop / ".loop")  # as the workflows do, on the machine that serves
    return place


def _copy(checkout: Path, target: Path) -> None:
    listed = subprocess.run(
        ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
        env=_without_git(),  # his own settings say what he ignores, and whom he trusts
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source = checkout / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


@contextmanager
def running(place: Place, kept: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `loop up` at the shop until the block ends, however it ends; its log and journal stay in `kept`."""
    with (place.home / "up.log").open("a", encoding="utf-8") as out:
        process = subprocess.Popen(
            command(place.shop, "up", "--environment", ENVIRONMENT),
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=_environ(ENGINEER),
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_S)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        for record in (place.home / "up.log", place.state.journal):
            with suppress(OSError):  # a full disk keeps nothing from being ended
                shutil.copy2(record, kept)  # what a failed quarter is understood by
        # What a runner left that did not end by itself; where it did, this finds nothing.
        subprocess.run(
            command(place.shop, "down", "--environment", ENVIRONMENT), capture_output=True, check=False
        )


def command(root: Path, *arguments: str) -> list[str]:
    """Return the command line of a `loop` command on a repository."""
    return [sys.executable, "-m", "runner.cli.main", "--root", str(root), *arguments]


def git(root: Path, *arguments: str, who: str = ENGINEER) -> str:
    """Run git in a repository, in somebody's name. Raises CalledProcessError."""
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, env=_environ(who)
    )
    return done.stdout


def _environ(who: str) -> dict[str, str]:
    """Return this environment without anything that leads git elsewhere, and with an identity for commits."""
    email = f"{who.split()[0].lower()}@bookshop.example"
    identity = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", who), ("EMAIL", email))
    }
    # Whose checkout this is may sign, hook and ignore as he likes; the quarter's commits are not his.
    return _without_git() | identity | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def _without_git() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "LOOP_"))}
