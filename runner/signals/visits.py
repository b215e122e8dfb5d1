"""How often a user came lately: what keeps one user from counting as a crowd.

`sessions` asks for the number of each session as it begins to speak; `rollout` leaves out what has a high one. A
window begins with the first session that a user has after the one before, whatever the session says and
whichever arm it is on, so that leaving sessions out favours no arm. Names of sessions play no part. Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from runner.signals.sights import fingerprint

MOST_USERS = 200_000
"""Users of whom it is remembered; beyond that who has been away longest is taken for a new one."""


class Visits:
    """Users' sessions within `window` seconds from each one's first."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._rows: OrderedDict[int, tuple[float, int]] = OrderedDict()

    def number(self, user: str, at: float) -> int:
        """Count a session at `at` (seconds since 1970); return its number in its user's window, from 1."""
        key = fingerprint(user)
        begun, count = self._rows.get(key, (at, 0))
        if abs(at - begun) >= self._window:
            begun, count = at, 0
        self._rows[key] = (begun, count + 1)
        self._rows.move_to_end(key)
        if len(self._rows) > MOST_USERS:
            self._rows.popitem(last=False)
        return count + 1

    def to_json(self) -> list[list[Any]]:
        """Return the windows, that of the user who was away longest first."""
        return [[key, begun, count] for key, (begun, count) in self._rows.items()]

    @classmethod
    def from_json(cls, window: float, value: Any) -> Visits:
        """Read them back."""
        visits = cls(window)
        visits._rows.update((int(key), (float(begun), int(count))) for key, begun, count in value)
        return visits
