"""What the systems said in one observation, and what the journal remembers. Values; `observe` fills them.

Silence is a value too, `Unknown(reason)`: the planner may keep what such a system had, never prune it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runner.errors import Unknown
from runner.rollout.verdict import Assessment
from runner.serving.routes import Experiment, RouteTable, Shadow, Version


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A line of the engine's registry: an adapter where `parent` names a base, else the base itself."""

    name: str
    root: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """A vLLM server that answered. `instance` names the process: another process forgot every adapter."""

    instance: str
    models: tuple[ServedModel, ...] = ()
    version: str = ""

    def root_of(self, served: str) -> str | None:
        """Return the path under which an adapter is registered, or None where it is not."""
        return next((m.root for m in self.models if m.name == served and m.parent is not None), None)


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway that answered: the table it obeys and, by served name, the requests it has under way."""

    table: RouteTable
    in_flight: Mapping[str, int] = field(default_factory=dict)

    @property
    def generation(self) -> int:
        """Generation of the table in force."""
        return self.table.generation


@dataclass(frozen=True, slots=True)
class Data:
    """Paths tracked by DVC whose bytes are not in the working tree; what bytes are there is proven when placed."""

    missing: frozenset[str] = frozenset()


class FailureKind(StrEnum):
    """Whether trying the same thing again can help."""

    TERMINAL = "terminal"
    TRANSIENT = "transient"


@dataclass(frozen=True, slots=True)
class Failure:
    """The failures of one thing in a row.

    `config` names the circumstances in which a terminal one stays true.
    """

    kind: FailureKind
    count: int
    at: float
    message: str
    config: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """Which arms an alias was last given, whether or not they could be served at that moment."""

    baseline: Version
    candidate: Version | None = None
    weight: float = 0.0
    groups: tuple[str, ...] = ()
    shadow: Shadow | None = None
    experiments: tuple[Experiment, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """The last time live and spec agreed in everything."""

    revision: str
    spec_digest: str
    at: float


class Standing(StrEnum):
    """How the revision that a gateway obeys stands to the one that this runner applies."""

    CURRENT = "current"
    """The same, an older one, or one that is in no history: this runner may replace it."""
    NEWER = "newer"
    """It comes after ours: another runner knows more, so this one touches nothing."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Since when the live routes have given a rollout its stage; seconds since 1970.

    `generation` is that of the first route table that was seen to give it.
    """

    rollout_id: str
    stage: str
    started: float
    since: float
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Rollback:
    """A rollback that was decided: what was proven of which bytes, by whom, and how far Git knows of it.

    `evidence` are lines for people. `written` is what became of the commit: empty while Git does not know, a
    revision, or the address (or branch) of a pull request that waits for a person. `notified` once told outside.
    """

    served: str
    rollout_id: str
    baseline: str
    stage: str
    weight: float
    condition: str
    evidence: tuple[str, ...]
    at: float
    by: str = "guard"
    revision: str = ""
    written: str = ""
    written_at: float = 0.0
    notified: bool = False


BASELINE = "the baseline"
"""What follows the last stage, where stages are listed; no stage has this name."""


def step_of(rollout_id: str, towards: str) -> str:
    """Return the name of a step: of this rollout to a stage, or to BASELINE."""
    return f"{rollout_id} {towards}"


@dataclass(frozen=True, slots=True)
class Memory:
    """What the journal says that no system can be asked.

    owned: served names whose files we placed or that we loaded: the inventory, all that may ever be pruned.
    verified: (replica, served) -> instance on which the probe passed.
    failures: subject or target of an action -> its failures in a row.
    released: served -> when nothing needed its files any more; the grace period counts from it.
    trusted: served names in the order in which they first became baseline.
    accepted: the arms last given to the alias; promotions are measured against it.
    generation, content: of the last route table that was written.
    loaded: (replica, served) that we loaded, so that a name in our place is known from one of somebody else's.
    entered: the stage that the live routes have given, and since when.
    rollbacks: served -> rollback that `quarantine.yaml` does not show yet; as good as quarantined.
    past: the last rollbacks that Git shows, the newest last.
    proposed: `step_of` a rollout -> commit that took that step, or pull request (or branch) that asks for it.
    """

    owned: frozenset[str] = frozenset()
    verified: Mapping[tuple[str, str], str] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    released: Mapping[str, float] = field(default_factory=dict)
    trusted: tuple[str, ...] = ()
    accepted: Intent | None = None
    generation: int = 0
    content: str = ""
    applied: Applied | None = None
    loaded: frozenset[tuple[str, str]] = frozenset()
    entered: Entered | None = None
    rollbacks: Mapping[str, Rollback] = field(default_factory=dict)
    past: tuple[Rollback, ...] = ()
    proposed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation. `store` is the directory of placed adapters, absolute, as the engine sees it.

    `placed` are the served names that have complete files there.
    """

    at: float
    store: str
    replicas: Mapping[str, Replica | Unknown]
    gateways: Mapping[str, GatewayView | Unknown]
    placed: frozenset[str] | Unknown
    data: Data | Unknown = Data()
    memory: Memory = Memory()
    assessment: Assessment | Unknown | None = None
    """What the evidence says of the rollout; None without one, Unknown where it cannot be read."""
    holding: tuple[str, ...] = ()
    """What the signals say that the candidate has to wait for, in words."""
    standing: Mapping[str, Standing] = field(default_factory=dict)
    """Gateway -> how its revision stands to ours."""
    landed: frozenset[str] = frozenset()
    """Served names whose rollback's commit is part of the revision's history, whatever came after it."""
    barred: frozenset[str] = frozenset()
    """Served names that were rolled back by a commit which our revision's history lost: it went back in time."""

    def path(self, served: str) -> str:
        """Return where an adapter's files belong."""
        return f"{self.store}/{served}"

    def known_replicas(self) -> Iterator[tuple[str, Replica]]:
        """Yield the replicas that answered, in order of address."""
        for url, replica in sorted(self.replicas.items()):
            if isinstance(replica, Replica):
                yield url, replica

    def known_gateways(self) -> Iterator[tuple[str, GatewayView]]:
        """Yield the gateways that answered, in order of address."""
        for url, gateway in sorted(self.gateways.items()):
            if isinstance(gateway, GatewayView):
                yield url, gateway

    def unknowns(self) -> Iterator[tuple[str, Unknown]]:
        """Yield everything that did not answer, with its name."""
        named: list[tuple[str, object]] = [
            (f"replica {url}", value) for url, value in sorted(self.replicas.items())
        ]
        named += [(f"gateway {url}", value) for url, value in sorted(self.gateways.items())]
        named += [("adapter store", self.placed), ("data", self.data)]
        for name, value in named:
            if isinstance(value, Unknown):
                yield name, value

    def live(self) -> RouteTable | None:
        """Return the newest table that a gateway obeys, or None where none answered."""
        tables = [gateway.table for _, gateway in self.known_gateways()]
        return max(tables, key=lambda table: table.generation, default=None)
