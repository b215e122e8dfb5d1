"""The reconciler itself: look at everything, plan from scratch, apply, and do it again.

Level-triggered: no pass knows what "just changed". A pass that did something is followed by the next one at
once, since what it saw is stale by then; a quiet one by a wait that a new commit or a wake-up ends. Called by
`loop run`, `loop up` and `loop apply`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from runner.errors import LoopError, TerminalError
from runner.reconcile.apply import Report, apply
from runner.reconcile.distil import Declared
from runner.reconcile.journal import Journal
from runner.reconcile.memory import Kind
from runner.reconcile.observe import SECONDS, observe
from runner.reconcile.observed import Memory, Observed
from runner.reconcile.plan import Plan, plan
from runner.reconcile.ports import World

FIRST_POLL_S = 2.0
"""Between looks for a desired state while there is none yet."""


class Source(Protocol):
    """Where the desired state is read from."""

    def revision(self) -> str:
        """Return the revision that should be applied."""

    def declared(self, revision: str) -> Declared:
        """Return what a revision says. Raises TerminalError."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A revision that cannot be applied; the last good one stays in force."""

    revision: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One pass: what was seen, what was planned, what became of it, and a newer revision that was refused."""

    observed: Observed
    plan: Plan
    report: Report
    refusal: Refusal | None = None

    @property
    def acted(self) -> bool:
        """Something was done, so that what was observed is stale."""
        return bool(self.report.done) or self.report.interrupted


@dataclass(slots=True)
class Reconciler:
    """One environment's reconciler. `connect` turns a declaration into the systems that it names."""

    source: Source
    connect: Callable[[Declared], World]
    journal: Journal
    clock: Callable[[], float]
    tell: Callable[[Outcome], None]
    trouble: Callable[[str], None]
    observe_seconds: float = SECONDS
    declared: Declared | None = None
    world: World | None = None
    refusal: Refusal | None = None
    _newer: asyncio.Event = field(default_factory=asyncio.Event)
    _told: str = ""

    async def look(self) -> tuple[Observed, Plan]:
        """Observe and plan, and do nothing. Raises LoopError where there is no desired state at all."""
        declared, world = await self._current()
        return await look(declared, world, self.journal.memory(), self.clock, self.observe_seconds)

    async def reconcile_once(self) -> Outcome:
        """Make one pass.

        Raises LoopError where there is no desired state at all, OSError without a journal.
        """
        observed, planned = await self.look()
        return await self.carry_out(observed, planned)

    async def carry_out(self, observed: Observed, planned: Plan) -> Outcome:
        """Apply a plan that was just made, note when all agree, and tell."""
        world = self.world
        assert world is not None, "a plan comes from `look`, which connects"  # noqa: S101
        report = await apply(planned, observed, world, self.journal, self._newer.is_set)
        if planned.in_sync:
            self._note_in_sync(planned)
            observed = replace(observed, memory=self.journal.memory())
        self.journal.rotate_if_long()
        outcome = Outcome(observed, planned, report, self.refusal)
        self.tell(outcome)
        return outcome

    async def settle(self, passes: int = 20) -> Outcome:
        """Make passes until nothing more can be done now, at most `passes`."""
        outcome = await self.reconcile_once()
        for _ in range(passes - 1):
            if not outcome.acted:
                break
            outcome = await self.reconcile_once()
        return outcome

    async def run(self, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Make passes until `stop` is set; `wake` begins the next one at once, else `poll` of loop.yaml passes.

        What stops a pass (a full disk, say) is told and does not end it: whatever serves goes on serving, nothing
        is done that cannot be written down, and the next pass tries again. Raises LoopError where there is no
        desired state at all.
        """
        watcher = asyncio.create_task(self._watch(stop))
        try:
            while not stop.is_set():
                if not await self._resident_pass():
                    await _first_of(self._poll, stop, wake, self._newer)
                    wake.clear()
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    @property
    def _poll(self) -> float:
        return self.declared.poll if self.declared else FIRST_POLL_S

    async def _resident_pass(self) -> bool:
        """Make a pass and return whether it acted; what stopped it is told once, until another thing does."""
        try:
            acted = (await self.reconcile_once()).acted
        except (LoopError, OSError) as error:
            if self.declared is None:
                raise
            if str(error) != self._told:
                self.trouble(f"this pass was given up, nothing more was done: {error}")
            self._told = str(error)
            return False
        self._told = ""
        return acted

    async def _current(self) -> tuple[Declared, World]:
        """Return the newest good declaration; a bad one is told and leaves the last good one in force."""
        self._newer.clear()
        try:
            revision = await asyncio.to_thread(self.source.revision)
            if self.declared is None or revision not in self._seen():
                await self._adopt(revision)
            elif revision == self.declared.desired.revision:
                self.refusal = None
        except (LoopError, OSError) as error:
            if self.declared is None:
                raise
            self.refusal = Refusal("the newest revision", str(error))
        assert self.declared is not None and self.world is not None, "adopted or raised"  # noqa: S101
        return self.declared, self.world

    def _seen(self) -> set[str]:
        in_force = {self.declared.desired.revision} if self.declared else set()
        return in_force | ({self.refusal.revision} if self.refusal else set())

    async def _adopt(self, revision: str) -> None:
        try:
            declared = await asyncio.to_thread(self.source.declared, revision)
        except TerminalError as error:
            if self.declared is None:
                raise
            self.refusal = Refusal(revision, str(error))
            return
        world = self.connect(declared)
        # This is the only runner (it holds the journal), so what is half done was left by one that was killed.
        with contextlib.suppress(LoopError, OSError):  # what cannot be tidied only takes space
            await asyncio.to_thread(world.store.sweep)
        self.world = world
        self.declared, self.refusal = declared, None

    async def _watch(self, stop: asyncio.Event) -> None:
        """Notice a newer revision also during a long pass, so that it need not wait for its end."""
        while not stop.is_set():
            await asyncio.sleep(self._poll)
            with contextlib.suppress(LoopError, OSError):
                revision = await asyncio.to_thread(self.source.revision)
                if self.declared is not None and revision not in self._seen():
                    self._newer.set()

    def _note_in_sync(self, planned: Plan) -> None:
        """Write down the first agreement of a revision; later ones say nothing new."""
        applied = self.journal.memory().applied
        if applied is None or (applied.revision, applied.spec_digest) != (
            planned.revision,
            planned.spec_digest,
        ):
            body = {
                "revision": planned.revision,
                "spec_digest": planned.spec_digest,
                "plan": planned.digest[:12],
            }
            self.journal.append(Kind.IN_SYNC, body)


async def look(
    declared: Declared, world: World, memory: Memory, clock: Callable[[], float], seconds: float = SECONDS
) -> tuple[Observed, Plan]:
    """Observe and plan: all that `loop plan` does. `memory` may come from a journal that is only read."""
    observed = await observe(world, memory, clock(), seconds)
    return observed, plan(declared.desired, observed, clock())


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
