"""Which checkpoints of a run are whole: a run that was killed while it wrote one goes on from the one before.

The trainer writes a checkpoint file by file. Once all are there, the sizes and digests of what it holds are written
beside them, last; a checkpoint counts where these agree with its files. Called by `run` and `watch`. What it holds is
partly pickled (torch's optimiser): such files stay in the run's own folder, are read with `weights_only`, and are
deleted when the version is registered. No torch here.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner import digest
from runner.training.job import put

SEAL = "whole.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(checkpoint: Path, about: dict[str, Any]) -> None:
    """Say that a checkpoint is whole, and what else is to be known of the run at that moment. Raises OSError."""
    put(checkpoint / SEAL, json.dumps({"files": _files(checkpoint), "about": about}))


def last(folder: Path) -> Path | None:
    """Return the newest checkpoint that is whole, and delete those that are not. Raises OSError."""
    newest = None
    for _, checkpoint in sorted(_checkpoints(folder)):
        if _is_whole(checkpoint):
            newest = checkpoint
        else:
            shutil.rmtree(checkpoint)
    return newest


def about(checkpoint: Path) -> dict[str, Any]:
    """Return what was said when the checkpoint was sealed. Raises OSError, ValueError, KeyError."""
    found: dict[str, Any] = json.loads((checkpoint / SEAL).read_text())["about"]
    return found


def _checkpoints(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if found := _NAME.fullmatch(path.name):
            yield int(found[1]), path


def _is_whole(checkpoint: Path) -> bool:
    try:
        declared = json.loads((checkpoint / SEAL).read_text())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(declared == _files(checkpoint))


def _files(checkpoint: Path) -> dict[str, str]:
    return {
        path.relative_to(checkpoint).as_posix(): digest.of_file(path)
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != SEAL and not path.name.startswith(f".{SEAL}")
    }
