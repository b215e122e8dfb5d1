"""Real DVC repositories for the tests of data tracking: the command itself is the oracle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


class Pipeline:
    """A Git and DVC repository with its own store, edited with the real commands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(root.parent / "config"),
            "CI": "1",
        }
        root.mkdir(parents=True)
        self.call("git", "init", "--quiet")
        self.dvc("init", "--quiet")
        self.dvc("remote", "add", "--quiet", "--default", "store", str(root.parent / "store"))

    def call(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environ, check=True, capture_output=True, text=True
        )
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return self.call(sys.executable, "-m", "dvc", *arguments)

    def write(self, path: str, content: bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def data_status(self) -> dict[str, Any]:
        """What `dvc data status` says."""
        return dict(json.loads(self.dvc("data", "status", "--json")))

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def paths(self) -> tuple[str, ...]:
        """The files of the working tree outside the folders of Git and DVC."""
        found = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        return tuple(sorted(p.as_posix() for p in found if p.parts[0] not in (".git", ".dvc")))


PIPELINE = b"""
stages:
  make:
    wdir: data
    cmd: mkdir -p out && echo 1 > made && echo 2 > out/x && echo '{}' > m.json
    outs: [made, out]
    metrics: [{m.json: {cache: false}}]
  each:
    foreach: [k, l]
    do:
      cmd: echo ${item} > e-${item} && echo ${item} > held-${item}
      outs: ["e-${item}", {"held-${item}": {cache: false}}]
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A pipeline that was run and pushed, and files that were added; tests copy it."""
    pipeline = Pipeline(tmp_path_factory.mktemp("dvc") / "built")
    pipeline.write("data/one.txt", b"a\r\nb\n")
    for name in ("b.txt", "a/z.bin", "a-b", "ü/한.txt", ".hidden", "Z"):
        pipeline.write(f"data/folder/{name}", name.encode())
    (pipeline.root / "data/folder/empty").mkdir()
    pipeline.write(".dvcignore", b"# comment\n*.tmp\njunk/\n")
    pipeline.write("dvc.yaml", PIPELINE)
    pipeline.dvc("add", "--quiet", "data/one.txt", "data/folder")
    pipeline.dvc("repro", "--quiet")
    pipeline.dvc("push", "--quiet")
    return pipeline
