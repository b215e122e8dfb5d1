"""What a person asks of a resident runner: a file for each wish, answered by a file beside it.

Written by `loop rollback`, read by the runner that holds the journal many times a second. A wish that nobody
answers in time is taken back by who wrote it; one that is older than the runner is still granted.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from runner.reconcile.lookout import Wish
from runner.reconcile.state import write_json

SUFFIX, ANSWER = ".wish.json", ".answer.json"


@dataclass(frozen=True, slots=True)
class Inbox:
    """The wishes of one environment, as its runner reads them."""

    directory: Path

    def take(self) -> tuple[Wish, ...]:
        """Return the wishes that came, each once, oldest first."""
        try:
            names = sorted(path for path in self.directory.iterdir() if path.name.endswith(SUFFIX))
        except FileNotFoundError:
            return ()
        found = (self._read(path) for path in names)
        return tuple(wish for wish in found if wish is not None)

    def _read(self, path: Path) -> Wish | None:
        answer = path.with_name(path.name.removesuffix(SUFFIX) + ANSWER)
        try:
            value = json.loads(path.read_bytes())
            wish = Wish(
                str(value["reason"]), str(value["by"]), lambda text: write_json(answer, {"text": text})
            )
        except (OSError, ValueError, LookupError, TypeError):
            wish = None
        path.unlink(missing_ok=True)
        return wish


def ask(directory: Path, reason: str, by: str, seconds: float) -> str | None:
    """Write a rollback wish and return the runner's answer, or None where none came within `seconds`."""
    name = f"{time.time_ns()}-{os.getpid()}-{uuid4().hex[:8]}"
    wish, answer = directory / f"{name}{SUFFIX}", directory / f"{name}{ANSWER}"
    write_json(wish, {"reason": reason, "by": by})
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if answer.exists():
                return str(json.loads(answer.read_bytes())["text"])
            time.sleep(0.02)
        return None
    finally:
        wish.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
