"""What the demo says must have happened: a claim that does not come true ends it, with what was found instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 600.0
"""How long anything may take on a machine several times slower than two usual cores."""
LOOK_S = 0.25
T = TypeVar("T")


class Unfulfilled(Exception):
    """Something that the demo claims did not happen."""


def claim(holds: object, what: str, found: object = "") -> None:
    """Demand that something holds. Raises Unfulfilled with what was found instead."""
    if not holds:
        raise Unfulfilled(f"{what}\n  found: {found}" if found != "" else what)


def until(
    look: Callable[[], T | None],
    what: str,
    patience_s: float = PATIENCE_S,
    instead: Callable[[], object] = lambda: "nothing of it",
) -> T:
    """Wait until `look` returns something true, and return it.

    Raises Unfulfilled with what is there `instead`, where it does not in time.
    """
    end = time.monotonic() + patience_s
    while True:
        if found := look():
            return found
        if time.monotonic() > end:
            raise Unfulfilled(f"{what}\n  found: {instead()} within {patience_s:.0f} s")
        time.sleep(LOOK_S)
