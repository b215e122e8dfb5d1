"""Which arm a user gets: a pure function of rollout, user and weight, so that no gateway keeps state.

Called by the gateway for every request, and by whoever wants to foretell it. The share of a user is fixed for
a rollout; raising the weight only adds users to the candidate (nested), and another rollout draws anew.
"""

from __future__ import annotations

import hashlib

from runner.serving.routes import ArmName, Split

_BITS = 53  # a float holds 53 bits exactly, so the largest share stays below 1


def share(rollout_id: str, user: str) -> float:
    """Return the user's place in [0, 1) for this rollout: uniform over users, the same in every process."""
    rollout = rollout_id.encode()
    message = len(rollout).to_bytes(4, "big") + rollout + user.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(message, digest_size=8).digest()
    return float((int.from_bytes(digest, "big") >> (64 - _BITS)) / 2**_BITS)


def arm(split: Split | None, user: str, group: str) -> ArmName:
    """Return the arm of a user: the candidate where share < weight, or where the group always gets it."""
    if split is None:
        return ArmName.BASELINE
    if group in split.groups or share(split.rollout_id, user) < split.weight:
        return ArmName.CANDIDATE
    return ArmName.BASELINE
