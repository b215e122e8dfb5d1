"""Runs stages of `dvc.yaml` and records what they made, by DVC's own command; what DVC does stays DVC's.

Called by `loop data curate` and by training. `dvc repro`, `dvc diff` and `dvc push` by hand do the same as ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.data.command import Ended, dvc
from runner.errors import LoopError, terminal, transient

STAGE_SECONDS = 6 * 3600.0
_KEPT_LINES = 20


def commit(
    root: Path, stage: str, progress: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> None:
    """Record in `dvc.lock` what a stage's outputs are now, without running it. Raises LoopError."""
    _run(root, ["commit", "--force", "--no-relink", stage], progress, environ)


def repro(
    root: Path, stage: str, progress: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> None:
    """Run one stage, and no other, where its inputs or parameters changed. Raises LoopError."""
    _run(root, ["repro", "--single-item", stage], progress, environ)


def _run(
    root: Path, arguments: Sequence[str], progress: Callable[[str], None], environ: Mapping[str, str]
) -> None:
    ended = dvc(root, arguments, progress, STAGE_SECONDS, environ)
    if ended.expired or ended.status:
        raise _failure(" ".join(arguments), ended)


def _failure(command: str, ended: Ended) -> LoopError:
    words = [line for line in ended.said if line.startswith(("ERROR", "error", "  "))] or list(ended.said)
    shown = words[-_KEPT_LINES:]
    if ended.expired:
        return transient(f"`dvc {command}` did not end within {STAGE_SECONDS:g} s", *shown)
    if any("no module named dvc" in line.lower() for line in ended.said):
        return terminal("DVC is not installed", fix="run `make setup`")
    if any("unable to acquire lock" in line.lower() for line in ended.said):
        return transient("another DVC command is at work here", *shown)
    return terminal(
        f"`dvc {command}` failed", *shown, fix="mend what it says, and run the same command again"
    )
