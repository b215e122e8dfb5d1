"""Which version a user gets: a pure function of route, user and group, so that no gateway keeps state.

Called by the gateway for every request, and by whoever wants to foretell it. A user's place is fixed for a
rollout or an experiment; raising a weight or a share only adds users (nested), and another id draws anew. Each
purpose draws under a name of its own, so that taking part, the version got and a rollout's arm are independent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from runner.serving.routes import ArmName, Experiment, Route, Shadow, Split, Version

_BITS = 53  # a float holds 53 bits exactly, so the largest share stays below 1


class _Purpose(StrEnum):
    """What is drawn; part of the hash, at most 16 bytes. A rollout's own has been empty from the start."""

    ROLLOUT = ""
    PARTICIPATION = "participation"
    VERSION = "version"
    SHADOW = "shadow"


class Why(StrEnum):
    """How a user came to an arm."""

    ONLY = "only"
    """There is nothing to choose from."""
    ALWAYS = "always"
    """The group always gets the candidate: nothing was drawn."""
    DRAWN = "drawn"
    """By the hash, with a known probability."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a user gets of a route. `experiment` is the one he takes part in; then no rollout counts him."""

    arm: ArmName
    version: Version
    why: Why
    experiment: Experiment | None = None


def share(rollout_id: str, user: str) -> float:
    """Return the user's place in [0, 1) for this rollout: uniform over users, the same in every process."""
    return _place(_Purpose.ROLLOUT, rollout_id, user)


def assign(route: Route, user: str, group: str) -> Assigned:
    """Return what a user gets: the candidate where his group always does, else an experiment's version, else by split.

    Of several experiments the first that takes him in counts.
    """
    split = route.split
    if split is not None and group in split.groups:
        return Assigned(ArmName.CANDIDATE, split.candidate, Why.ALWAYS)
    for experiment in route.experiments:
        if takes_part(experiment, user, group):
            return Assigned(ArmName.EXPERIMENT, version_of(experiment, user), Why.DRAWN, experiment)
    if split is None:
        return Assigned(ArmName.BASELINE, route.baseline, Why.ONLY)
    if arm(split, user, group) is ArmName.CANDIDATE:
        return Assigned(ArmName.CANDIDATE, split.candidate, Why.DRAWN)
    return Assigned(ArmName.BASELINE, route.baseline, Why.DRAWN)


def arm(split: Split | None, user: str, group: str) -> ArmName:
    """Return the arm of a user: the candidate where share < weight, or where the group always gets it."""
    if split is None:
        return ArmName.BASELINE
    if group in split.groups or share(split.rollout_id, user) < split.weight:
        return ArmName.CANDIDATE
    return ArmName.BASELINE


def takes_part(experiment: Experiment, user: str, group: str) -> bool:
    """Return whether a user takes part in an experiment."""
    if experiment.groups and group not in experiment.groups:
        return False
    return _place(_Purpose.PARTICIPATION, experiment.id, user) < experiment.share


def version_of(experiment: Experiment, user: str) -> Version:
    """Return the version that a user gets if he takes part; whether he does has no influence on which."""
    place = _place(_Purpose.VERSION, experiment.id, user)
    edge = 0.0
    last = experiment.versions[0]
    for version, weight in zip(experiment.versions, experiment.weights, strict=True):
        edge += weight
        if weight > 0:
            last = version  # weights may add up to a little less than 1: nobody is left over
        if place < edge:
            return version
    return last


def is_copied(shadow: Shadow, request_id: str) -> bool:
    """Return whether a request is one of the share that the shadow gets a copy of."""
    return _place(_Purpose.SHADOW, shadow.version.served, request_id) < shadow.sample


def _place(purpose: _Purpose, drawing: str, of: str) -> float:
    name = drawing.encode()
    message = len(name).to_bytes(4, "big") + name + of.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(message, digest_size=8, person=purpose.encode()).digest()
    return float((int.from_bytes(digest, "big") >> (64 - _BITS)) / 2**_BITS)
