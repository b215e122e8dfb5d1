"""What may be taken away in the middle of the quarter: the engine's process, or the Git remote."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from runner.demo.place import Place


def kill_engine(place: Place) -> int:
    """Kill the engine of the shop as a machine would that runs out of memory; return its process."""
    pid = place.engine()
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    return pid


@contextmanager
def remote_away(place: Place) -> Iterator[None]:
    """Have the remote out of reach until the block ends."""
    hidden = place.remote.with_name("remote-is-away.git")
    place.remote.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(place.remote)
