"""The first thing that every scheduled round does, in a repository in which no data set was made yet."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.cli.workbench import call

ROOT = Path(__file__).resolve().parents[2]
PULL = re.compile(r"\bdvc (pull\b.*)")


def in_folder(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True)


def test_what_there_is_is_fetched_before_any_data_set_was_made(tmp_path: Path) -> None:
    """The commands stand in the workflows and in the jobs of the example without a Git host."""
    files = [*(ROOT / ".github/workflows").glob("*.yml"), *(ROOT / "examples").glob("*/ops/*.sh")]
    fetching = {found for file in files for found in PULL.findall(file.read_text())}
    assert fetching
    base, shop = tmp_path / "base", tmp_path / "shop"
    base.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (base / name).write_text('{"model_type": "qwen2"}')
    model = ("--base-model", str(base), "--dvc-remote", str(tmp_path / "store"))
    said = call("init", str(shop), "--name", "shop", *model)
    assert said.code == 0, said.err
    in_folder(shop, sys.executable, "-m", "dvc", "push", "--quiet")
    for number, command in enumerate(sorted(fetching)):
        clone = tmp_path / str(number)
        in_folder(shop, "git", "clone", "--quiet", ".", str(clone))
        in_folder(clone, sys.executable, "-m", "dvc", *command.split())
        assert (clone / "models/base/model.safetensors").is_file()
