"""Runs what an example tells: its commands one after the other, in folders below one of the test's own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.docs.documents import commands
from tests.docs.scratch import LOOP, ROOT
from tests.waiting import PATIENCE_S

EXAMPLES = ROOT / "examples"


class Place:
    """A machine as an example has it: `/srv` is a folder of the test's, `loop` is that of this checkout.

    `other` replaces further words, such as addresses, wherever they stand in a command.
    """

    def __init__(self, root: Path, **other: str) -> None:
        self.root, self.cwd, self.other = root, root / "home", other
        self.srv = root / "srv"
        programs = root / "bin"
        for folder in (self.cwd, self.srv, programs):
            folder.mkdir(parents=True)
        loop = programs / "loop"
        loop.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{LOOP}" "$@"\n')
        loop.chmod(0o755)
        (root / "gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
        self.environ = {
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.cwd),
            "LOOP": str(ROOT),
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "HF_HUB_OFFLINE": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(root / "dvc"),
            "GIT_CONFIG_GLOBAL": str(root / "gitconfig"),
            "GIT_CONFIG_SYSTEM": os.devnull,
        }

    def here(self, text: str) -> str:
        """Return a text with its paths and addresses replaced by those of this place."""
        for word, instead in self.other.items():
            text = text.replace(word, instead)
        return re.sub(r"/srv\b", str(self.srv), text)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command line as it stands in an example, whatever its exit status; `cd` holds for the next ones."""
        words = shlex.split(self.here(command))
        if words[0] == "cd":
            self.cwd = (self.cwd / words[1].replace("~", self.environ["HOME"])).resolve(strict=True)
            return subprocess.CompletedProcess(words, 0, "", "")
        return subprocess.run(
            ["bash", "-c", self.here(command)],
            cwd=self.cwd,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @staticmethod
    def commands(example: str) -> list[str]:
        """Return every command of an example's page."""
        return commands((EXAMPLES / example / "README.md").read_text())

    def follow(
        self,
        example: str,
        not_here: Collection[str] = (),
        after: Mapping[str, Callable[[], None]] = MappingProxyType({}),
    ) -> dict[str, str]:
        """Run every command of an example's page but those in `not_here`, and return what each printed.

        `not_here` are patterns of whole commands, each of which has to fit one. `after` are further steps, by how the
        command before them begins. `loop plan` ends with 2 where something changes, every other command with 0.
        """
        said: dict[str, str] = {}
        unused = set(not_here)
        for command in self.commands(example):
            if found := [pattern for pattern in not_here if re.fullmatch(pattern, command)]:
                unused -= set(found)
                continue
            done = self.run(command)
            wanted = 2 if command.startswith("loop plan") else 0
            assert done.returncode == wanted, f"$ {command}\n{done.stdout}{done.stderr}"
            said[command] = done.stdout
            for begin, step in after.items():
                if command.startswith(begin):
                    step()
        assert not unused, "these patterns fit no command of the page"
        return said
