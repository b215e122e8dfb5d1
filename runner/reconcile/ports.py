"""What the reconciler needs of the outside, as narrow as it can be, so that tests replace it by functions.

`wiring` connects the real parts; `observe`, `apply` and `loop` know only these. Every call may raise
LoopError: TerminalError where trying again cannot help, TransientError where it can.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.reconcile.actions import AdvanceStage, ConcludeRollout
from runner.reconcile.observed import Data, GatewayView, Rollback
from runner.serving.routes import RouteTable


class ModelCard(Protocol):
    """A line of an engine's registry."""

    @property
    def name(self) -> str:
        """The name that requests use."""

    @property
    def root(self) -> str:
        """The path of its files."""

    @property
    def parent(self) -> str | None:
        """The base of an adapter; a base has none."""


class Engine(Protocol):
    """One replica."""

    async def models(self) -> Sequence[ModelCard]:
        """Return everything it has registered."""

    async def version(self) -> str:
        """Return the engine's version."""

    async def health(self) -> None:
        """Return where it can answer requests."""

    async def instance(self) -> str | None:
        """Return what tells this process from the one before and after it."""

    async def load(self, name: str, path: str) -> None:
        """Register an adapter."""

    async def unload(self, name: str) -> None:
        """Take an adapter's name away."""


class Gateway(Protocol):
    """The admin side of one gateway."""

    async def view(self) -> GatewayView:
        """Return the table that it obeys and the requests under way."""

    async def put(self, table: RouteTable) -> None:
        """Make it obey a table of a higher generation."""


class Store(Protocol):
    """The directory of placed adapters. Its calls read and write files: they are made in a thread."""

    @property
    def path(self) -> str:
        """The directory, absolute, as the engine sees it."""

    def placed(self) -> frozenset[str]:
        """Return the served names that have complete files."""

    def place(self, served: str, source: str, digest: str) -> None:
        """Copy an adapter from `source`, relative to the repository, verifying its digest."""

    def intact(self, served: str, digest: str) -> bool:
        """Return whether the placed bytes have this digest."""

    def sweep(self) -> None:
        """Delete what a runner that was killed left half done."""

    def remove(self, served: str) -> None:
        """Delete an adapter's files; that they are gone already is success."""


class Scribe(Protocol):
    """Who writes to Git and to people outside. Each call may take long, and says what became of it.

    The result's `written` is the commit that landed, or the address (or branch) of a pull request that waits.
    """

    async def roll_back(self, rollback: Rollback, by_pull_request: bool) -> Mapping[str, str]:
        """Take the rollout out of loop.yaml and put its bytes into quarantine.yaml; done already is success."""

    async def advance(self, action: AdvanceStage) -> Mapping[str, str]:
        """Write the next stage into loop.yaml. Raises TerminalError where it does not stand in the one before."""

    async def conclude(self, action: ConcludeRollout) -> Mapping[str, str]:
        """Make the candidate the baseline in loop.yaml. Raises TerminalError where it is not in the last stage."""

    async def notify(self, rollback: Rollback) -> Mapping[str, str]:
        """Tell the webhook and the commit's status."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe found; only `passed` lets an adapter have traffic, `disproved` says it never may here."""

    passed: bool
    disproved: bool
    evidence: tuple[str, ...]
    base_difference: float | None = None
    training_difference: float | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside.

    `discover` gives the replicas' addresses now; `probe` takes address, name and path; `signals` takes the time and
    returns what keeps the candidate at its stage.
    """

    discover: Callable[[], Awaitable[Sequence[str]]]
    engine: Callable[[str], Engine]
    gateways: Mapping[str, Gateway]
    store: Store
    probe: Callable[[str, str, str], Awaitable[Proof]]
    data: Callable[[], Data]
    pull: Callable[[str], None]
    scribe: Scribe
    signals: Callable[[float], tuple[str, ...]] = lambda _: ()
