"""Who was seen in which arm while the candidate had a certain share: what a check of the split needs.

`outcomes` puts users in, `rollout` compares the counts with the declared share. Users count once for each share,
by the arm in which they were first seen there. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

MOST_USERS = 100_000
"""Users of one share; beyond that counting stops, long after any wrong split has shown."""


@dataclass(slots=True)
class _Sight:
    """What was seen at one share."""

    candidate: int = 0
    baseline: int = 0
    users: set[int] = field(default_factory=set)


class Sights:
    """Unique drawn users for each share of the candidate."""

    def __init__(self) -> None:
        self._by_share: dict[float, _Sight] = {}

    @property
    def counts(self) -> dict[float, tuple[int, int]]:
        """Share of the candidate -> users seen with the candidate, and with the baseline."""
        return {share: (each.candidate, each.baseline) for share, each in self._by_share.items()}

    def saw(self, user: str, candidate: bool, share: float) -> None:
        """Count a user who was drawn into an arm."""
        sight = self._by_share.setdefault(share, _Sight())
        print_ = fingerprint(user)
        if print_ in sight.users or len(sight.users) >= MOST_USERS:
            return
        sight.users.add(print_)
        if candidate:
            sight.candidate += 1
        else:
            sight.baseline += 1

    def to_json(self) -> list[list[Any]]:
        """Return the counts and the users' fingerprints."""
        return [
            [share, each.candidate, each.baseline, sorted(each.users)]
            for share, each in self._by_share.items()
        ]

    @classmethod
    def from_json(cls, value: Any) -> Sights:
        """Read them back."""
        sights = cls()
        for share, candidate, baseline, users in value:
            sights._by_share[float(share)] = _Sight(candidate, baseline, set(users))
        return sights


def fingerprint(user: str) -> int:
    """Return 53 bits that stand for a user, which every reader of JSON holds exactly."""
    return int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "big") >> 11
