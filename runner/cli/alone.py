"""One process at a time does certain work on this machine: spends the day's tokens, augments, curates.

Called by the commands that do such work, before they read what they build on; nobody else changes it until they end.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import transient


@contextmanager
def alone(lock: Path, work: str) -> Iterator[None]:
    """Hold the file `lock` while the block runs; the kernel gives it back also where the process is killed.

    `work` says what is done, as in "another process is WORK". Raises TransientError where another process holds it,
    OSError where it cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            summary = f"another process is {work}"
            raise transient(summary, f"it holds {lock}", fix="wait until it has ended") from error
        yield
