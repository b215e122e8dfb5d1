"""A scratch clone of this checkout as it is now, uncommitted work included, with a `loop` of its own.

The environment is never linked into the clone, and there is no `python` in the clone's: a set-up that runs
there would follow either of them and alter the real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
LOOP = "import sys; from runner.cli.main import main; sys.exit(main())"


class Clone:
    """A repository of one commit on `main`, or a copy of such a `Clone`; `run` runs a shell command in it."""

    def __init__(self, root: Path, like: Clone | None = None) -> None:
        self.root = root
        self.environ = {
            **{key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ},
            "HOME": str(root.parent),
            "PYTHONPATH": str(root),
            "NO_COLOR": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(root.parent / "dvc"),
            "GIT_CONFIG_GLOBAL": str(root.parent / "gitconfig"),
            "GIT_CONFIG_SYSTEM": os.devnull,
        }
        self.environ["PATH"] = f"{root}/.venv/bin:{self.environ['PATH']}"
        (root.parent / "gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
        if like is None:
            self._fill()
        else:
            shutil.copytree(like.root, root)
        self._provide_loop()

    def run(self, command: str, seconds: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run a command line as a user would; whatever its exit status."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        """Run git, which has to succeed."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=self.environ, check=True, capture_output=True, text=True
        )
        return done.stdout

    def _fill(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
            source, target = ROOT / name, self.root / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        for compiled in ROOT.glob("runner/**/__pycache__"):  # spares each clone a compilation of its own
            shutil.copytree(compiled, self.root / compiled.relative_to(ROOT))
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "as it is now")

    def _provide_loop(self) -> None:
        target = self.root / ".venv/bin/loop"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{LOOP}" "$@"\n')
        target.chmod(0o755)
