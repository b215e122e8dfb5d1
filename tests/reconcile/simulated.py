"""A small deployment in memory behind the reconciler's ports: replicas, gateways, a store, a clock to turn.

It keeps to the rules of the real thing: a restarted replica has forgotten everything, a gateway refuses an
older generation, a name that is loaded cannot be loaded from elsewhere. Tests change it between passes.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from runner.errors import Unknown, terminal, transient
from runner.reconcile.actions import AdvanceStage, ConcludeRollout
from runner.reconcile.apply import Report, apply
from runner.reconcile.desired import Adapter, Desired, Limits, Role, Trial
from runner.reconcile.memory import Entry, Kind, fold
from runner.reconcile.observe import observe
from runner.reconcile.observed import Data, GatewayView, Memory, Observed, Rollback, ServedModel, Standing
from runner.reconcile.plan import Plan, plan
from runner.reconcile.ports import Proof, World
from runner.rollout.verdict import Assessment
from runner.serving.routes import RouteTable, Version

STORE = "/store"
T = TypeVar("T")

_LOOP = asyncio.Runner()
"""For every pass of every simulation: a loop of its own would cost more than the pass, mostly for its threads."""
atexit.register(_LOOP.close)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine does."""
    return _LOOP.run(work)


def version(name: str, seed: str = "") -> Version:
    """Return a version whose digest is made of its name."""
    return Version(name, ((seed or name).encode().hex() * 64)[:64])


def adapter(name: str, role: Role = Role.BASELINE, rank: int = 8) -> Adapter:
    return Adapter(version(name), role, f"adapters/{name}", rank)


def desired(
    baseline: str = "v1",
    standby: str | None = None,
    candidate: str | None = None,
    weight: float = 0.05,
    revision: str = "r1",
    **changes: Any,
) -> Desired:
    """Return an environment that wants these versions out of `v0` to `v9`, each the next one's parent."""
    roles = [(Role.BASELINE, baseline), (Role.STANDBY, standby), (Role.CANDIDATE, candidate)]
    names = [f"v{number}" for number in range(10)]
    library = [adapter(name, Role.HELD) for name in names]
    wanted = [(role, name) for role, name in roles if name]
    first = {name: role for role, name in reversed(wanted)}
    settings: dict[str, Any] = {
        "environment": "production",
        "revision": revision,
        "spec_digest": f"spec-of-{revision}",
        "alias": "chat",
        "baseline": version(baseline),
        "adapters": tuple(adapter(name, role) for name, role in first.items()),
        "standby": version(standby) if standby else None,
        "trial": Trial(version(candidate), "canary", weight, next_stage="small", by_person=False)
        if candidate
        else None,
        "tells": True,
        "library": {a.served: a for a in library},
        "ancestors": {name: frozenset(names[:at]) for at, name in enumerate(names)},
        "limits": Limits(slots=8, max_lora_rank=16, prune_limit=3, grace_period=600.0),
    }
    return Desired(**{**settings, **changes})


@dataclass
class SimulatedReplica:
    """One engine; a load of `refuses` ends in a lasting error, `no_ops` are served as the base."""

    process: int = 1
    up: bool = True
    adapters: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    no_ops: set[str] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)

    def restart(self) -> None:
        self.process += 1
        self.adapters.clear()

    def check(self) -> None:
        if not self.up:
            raise transient("the engine cannot be reached")

    async def models(self) -> tuple[ServedModel, ...]:
        self.check()
        return (ServedModel("base", "/base"), *(ServedModel(n, p, "base") for n, p in self.adapters.items()))

    async def version(self) -> str:
        self.check()
        return "0.32.0"

    async def health(self) -> None:
        self.check()

    async def instance(self) -> str:
        self.check()
        return f"process-{self.process}"

    async def load(self, name: str, path: str) -> None:
        self.check()
        self.loads.append(name)
        if name in self.refuses:
            raise terminal("the engine did not load it: status 500")
        if self.adapters.setdefault(name, path) != path:
            raise terminal("already loaded from another path: status 400")

    async def unload(self, name: str) -> None:
        self.check()
        self.adapters.pop(name, None)


@dataclass
class SimulatedGateway:
    """One gateway, with what is under way by served name."""

    table: RouteTable = field(default_factory=RouteTable)
    up: bool = True
    in_flight: dict[str, int] = field(default_factory=dict)
    taken: list[RouteTable] = field(default_factory=list)

    async def view(self) -> GatewayView:
        if not self.up:
            raise transient("the gateway cannot be reached")
        return GatewayView(self.table, dict(self.in_flight))

    async def put(self, table: RouteTable) -> None:
        if not self.up:
            raise transient("the gateway cannot be reached")
        if table.generation <= self.table.generation:
            raise transient(f"generation {table.generation} is not above {self.table.generation}")
        self.table = table
        self.taken.append(table)


@dataclass
class SimulatedStore:
    """The placed adapters; `sources` are the paths that have the declared bytes."""

    files: dict[str, str] = field(default_factory=dict)
    bad_sources: set[str] = field(default_factory=set)
    path: str = STORE
    up: bool = True

    def placed(self) -> frozenset[str]:
        if not self.up:
            raise OSError("input/output error")
        return frozenset(self.files)

    def place(self, served: str, source: str, digest: str) -> None:
        if source in self.bad_sources:
            raise terminal("it has another digest than declared")
        self.files[served] = digest

    def intact(self, served: str, digest: str) -> bool:
        return self.files.get(served) == digest

    def sweep(self) -> None:
        pass

    def remove(self, served: str) -> None:
        self.files.pop(served, None)


@dataclass
class SimulatedScribe:
    """Git and people outside: a branch of one file, in memory. Tests change `trial` and `quarantine` as people do."""

    up: bool = True
    commits: list[str] = field(default_factory=list)
    pulls: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def roll_back(self, rollback: Rollback, by_pull_request: bool) -> Mapping[str, str]:
        return self._write(f"roll back {rollback.served}", by_pull_request)

    async def advance(self, action: AdvanceStage) -> Mapping[str, str]:
        return self._write(
            f"advance {action.served} {action.before} -> {action.stage}", action.by_pull_request
        )

    async def conclude(self, action: ConcludeRollout) -> Mapping[str, str]:
        return self._write(f"conclude {action.baseline} -> {action.served}", action.by_pull_request)

    def _write(self, subject: str, by_pull_request: bool) -> Mapping[str, str]:
        if not self.up:
            raise transient("the remote cannot be reached")
        if by_pull_request:
            self.pulls.append(subject)
            return {"written": f"https://forge/{len(self.pulls)}"}
        self.commits.append(subject)
        return {"written": f"{len(self.commits):040d}"}

    async def notify(self, rollback: Rollback) -> Mapping[str, str]:
        if not self.up:
            raise transient("nobody can be told")
        self.told.append(rollback.served)
        return {}


class MemoryJournal:
    """The journal without a disk."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.now = 0.0

    def append(self, kind: Kind, body: Mapping[str, Any]) -> Entry:
        entry = Entry(len(self.entries) + 1, self.now, kind, dict(body), "", "")
        self.entries.append(entry)
        return entry

    def memory(self) -> Memory:
        return fold(self.entries)


@dataclass
class Simulation:
    """A deployment and a reconciler at work on it."""

    replicas: dict[str, SimulatedReplica]
    gateways: dict[str, SimulatedGateway]
    store: SimulatedStore = field(default_factory=SimulatedStore)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    now: float = 1_000_000.0
    discovered: bool = True
    missing: set[str] = field(default_factory=set)
    scribe: SimulatedScribe = field(default_factory=SimulatedScribe)
    assessment: Assessment | Unknown | None = None
    standing: dict[str, Standing] = field(default_factory=dict)
    landed: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)
    holding: tuple[str, ...] = ()

    @classmethod
    def of(cls, replicas: int = 1, gateways: int = 1) -> Simulation:
        return cls(
            {f"http://r{i}": SimulatedReplica() for i in range(replicas)},
            {f"http://g{i}": SimulatedGateway() for i in range(gateways)},
        )

    def world(self) -> World:
        async def discover() -> list[str]:
            if not self.discovered:
                raise transient("the name does not resolve")
            return list(self.replicas)

        async def probe(url: str, served: str, path: str) -> Proof:
            replica = self.replicas[url]
            replica.check()
            wrong = served in replica.no_ops or replica.adapters.get(served) != path
            return Proof(not wrong, wrong, ("difference from the base 0.0",) if wrong else ())

        def pull(source: str) -> None:
            self.missing.discard(source)

        def data() -> Data:
            return Data(frozenset(self.missing))

        replica = self.replicas.__getitem__
        return World(
            *(discover, replica, self.gateways, self.store, probe, data, pull, self.scribe),
            signals=lambda _: self.holding,
        )

    def observe(self) -> Observed:
        self.journal.now = self.now
        observed = run(observe(self.world(), self.journal.memory(), self.now))
        return replace(
            observed,
            assessment=self.assessment,
            standing=dict(self.standing),
            landed=frozenset(self.landed),
            barred=frozenset(self.barred),
        )

    def plan(self, wanted: Desired) -> Plan:
        return plan(wanted, self.observe(), self.now)

    def step(self, wanted: Desired) -> tuple[Plan, Report]:
        """Make one pass and let a second go by."""
        observed = self.observe()
        planned = plan(wanted, observed, self.now)
        report = run(apply(planned, observed, self.world(), self.journal, lambda: False))
        self.now += 1.0
        return planned, report

    def settle(self, wanted: Desired, passes: int = 12) -> Plan:
        """Make passes until one finds nothing to do; fails where that takes too many."""
        for _ in range(passes):
            planned, _ = self.step(wanted)
            if not planned.actions:
                return planned
        raise AssertionError(f"still changing after {passes} passes: {planned.actions}")

    def table(self, gateway: str = "http://g0") -> RouteTable:
        return self.gateways[gateway].table

    def hand_written(self, **changes: Any) -> None:
        """Change every gateway's table as a person would who knows the admin API."""
        for gateway in self.gateways.values():
            gateway.table = replace(gateway.table, generation=gateway.table.generation + 1, **changes)
