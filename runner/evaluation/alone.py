"""One process at a time may spend the day's tokens of an environment.

Called by `loop signals sample`, which the monitor runs as well as people: what the day has cost is read once the lock
is held, and nobody else spends until it is given back.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import transient


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold the file `lock` while the block runs; the kernel gives it back also where the process is killed.

    Raises TransientError where another process holds it, OSError where it cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            summary = "another process is sampling this environment"
            raise transient(summary, f"it holds {lock}", fix="wait until it has ended") from error
        yield
