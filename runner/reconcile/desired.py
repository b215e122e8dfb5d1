"""What one environment should be, distilled from the spec of one revision for the planner.

Made once a revision by `runner.reconcile.loop`, read at every pass by `runner.reconcile.plan`. Computation
only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runner.reconcile.freeze import Window
from runner.serving.routes import Experiment, Shadow, Version


class Role(StrEnum):
    """Why an environment needs an adapter; in this order slots are given and adapters loaded."""

    BASELINE = "baseline"
    STANDBY = "standby"
    CANDIDATE = "candidate"
    SHADOW = "shadow"
    EXPERIMENT = "experiment"
    HELD = "held"
    """Not declared any more, but a promotion away from it is being held."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A version with where its bytes are (`source`, relative to the repository root) and its LoRA rank."""

    version: Version
    role: Role
    source: str
    rank: int

    @property
    def served(self) -> str:
        """The engine's name for these bytes."""
        return self.version.served


@dataclass(frozen=True, slots=True)
class Trial:
    """The rollout as declared: its candidate, the stage it stands in, and what that stage gives it.

    `next_stage` is None in the last one, after which it becomes the baseline; `by_person` says that a person merges
    the step there, and `protected` that a rollback is written back by a pull request.
    """

    candidate: Version
    stage: str
    weight: float
    groups: tuple[str, ...] = ()
    next_stage: str | None = None
    by_person: bool = True
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Soak:
    """What another environment has to show of a candidate before it goes on trial here.

    `since` is when the candidate became baseline there (seconds since 1970), None where it is not. `doubts` say in
    words what its evaluation lacks: gates that it has not passed, a report that is of other bytes.
    """

    environment: str
    seconds: float
    since: float | None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine can hold and how much one pass may remove. `grace_period` is in seconds."""

    slots: int = 1
    max_lora_rank: int = 16
    prune_limit: int = 3
    grace_period: float = 600.0


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything the planner needs to know of the spec.

    `adapters` are those declared, each once, in order of role; `library` holds every version of `models/` by
    its served name; `ancestors` holds, by version name, the names of its parents up to the base.
    `engine_config` is a digest of the engine's settings: failures that only another setting can cure refer to
    it.
    """

    environment: str
    revision: str
    spec_digest: str
    alias: str
    baseline: Version
    adapters: tuple[Adapter, ...]
    standby: Version | None = None
    trial: Trial | None = None
    shadow: Shadow | None = None
    experiments: tuple[Experiment, ...] = ()
    quarantine: frozenset[str] = frozenset()
    """Served names that `quarantine.yaml` of this revision holds."""
    taken: frozenset[str] = frozenset()
    """Stages that automation has brought this trial to before, by the history of this revision; also BASELINE."""
    tells: bool = False
    """Whether anybody outside is to be told of rollbacks: a webhook, or the forge's commit status."""
    soak: Soak | None = None
    """What the candidate still has to show elsewhere; None where nothing is asked for."""
    library: Mapping[str, Adapter] = field(default_factory=dict)
    ancestors: Mapping[str, frozenset[str]] = field(default_factory=dict)
    engine_config: str = ""
    limits: Limits = Limits()
    suspended: bool = False
    freezes: tuple[Window, ...] = ()
