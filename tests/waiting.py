"""Waiting for what other processes and threads do: the one place that says how long a test is patient.

Patience is a limit for what hangs and no claim about speed, so that it is far more than a busy machine of two slow
cores needs; speed is measured in benchmarks. Nothing here may be used to leave time for something to happen.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

T = TypeVar("T")

PATIENCE_S = 240.0
PATIENCE_MS = PATIENCE_S * 1000

NOT_YET = (OSError, ValueError, subprocess.CalledProcessError, httpx.TransportError)
"""What is raised while something is being started or written: no connection yet, half a document."""


def until(true: Callable[[], T], what: str) -> T:
    """Wait until `true()` is, and return what it gave. Raises AssertionError where it never is.

    It pauses as long as the look took, so that looking never takes more than half of a core.
    """
    begun = time.monotonic()
    while True:
        looked = time.monotonic()
        with contextlib.suppress(*NOT_YET):
            if found := true():
                return found
        now = time.monotonic()
        assert now - begun < PATIENCE_S, f"within {PATIENCE_S:g} s it never came to this: {what}"
        time.sleep(max(0.02, now - looked))


def seconds_until(true: Callable[[], object], what: str) -> float:
    """Wait like `until`, and return the seconds that it took."""
    begun = time.monotonic()
    until(true, what)
    return time.monotonic() - begun
