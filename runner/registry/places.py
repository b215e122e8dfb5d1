"""Where a version serves, by what Git says: in each environment as what, and whether it is quarantined.

Called by `loop models` and by promotions. Pure: a spec in, facts out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from runner import digest
from runner.spec.environment import Environment
from runner.spec.load import Spec
from runner.spec.quarantine import Quarantined


class Role(StrEnum):
    """What a version is in an environment."""

    BASELINE = "baseline"
    STANDBY = "standby"
    CANDIDATE = "candidate"
    SHADOW = "shadow"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True)
class Place:
    """One role in one environment; `detail` is a candidate's stage or an experiment's name."""

    environment: str
    role: Role
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.environment}: {self.role.value}{f' ({self.detail})' if self.detail else ''}"


def places(spec: Spec, version: str) -> tuple[Place, ...]:
    """Return every role that a version has, environments in their order."""
    return tuple(
        Place(name, role, detail)
        for name, environment in spec.loop.environments.items()
        for role, held_by, detail in _roles(environment)
        if held_by == version
    )


def quarantine_of(spec: Spec, version: str) -> Quarantined | None:
    """Return the newest entry that quarantines a version's bytes, under whatever name they were rolled back."""
    short = digest.short(spec.models[version].adapter.digest)
    return next(
        (entry for entry in reversed(spec.quarantine) if entry.served.rpartition("--")[2] == short), None
    )


def _roles(environment: Environment) -> Iterator[tuple[Role, str, str]]:
    yield Role.BASELINE, environment.baseline, ""
    if environment.standby is not None:
        yield Role.STANDBY, environment.standby, ""
    if environment.rollout is not None:
        yield Role.CANDIDATE, environment.rollout.candidate, environment.rollout.stage
    if environment.shadow is not None:
        yield Role.SHADOW, environment.shadow.version, ""
    for experiment in environment.experiments:
        yield from ((Role.EXPERIMENT, version, experiment.name) for version in experiment.versions)
