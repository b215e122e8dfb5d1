"""The reconciler itself: look at everything, plan from scratch, apply, and do it again.

Level-triggered: no pass knows what "just changed". A pass that did something is followed by the next one at
once, since what it saw is stale by then; a quiet one by a wait that a new commit or a wake-up ends. Called by
`loop run`, `loop up` and `loop apply`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from runner.errors import LoopError, TerminalError, Unknown
from runner.reconcile.actions import Outward
from runner.reconcile.apply import Report, apply
from runner.reconcile.distil import Declared
from runner.reconcile.guard import Guard
from runner.reconcile.journal import Journal
from runner.reconcile.lookout import Evidence, Lookout, News, Wish
from runner.reconcile.memory import Kind
from runner.reconcile.observe import SECONDS, observe
from runner.reconcile.observed import Memory, Observed, Standing
from runner.reconcile.plan import Plan, plan
from runner.reconcile.ports import World
from runner.reconcile.trial import stage_in_force, subject_of

FIRST_POLL_S = 2.0
"""Between looks for a desired state while there is none yet."""
GUARD_S = 0.1
"""Between looks at the evidence; a look costs less than a millisecond where nothing happened."""
LAST_WORDS_S = 10.0
"""How long a commit or a notification under way is waited for when the runner is stopped."""


class Source(Protocol):
    """Where the desired state is read from."""

    def refresh(self) -> None:
        """Look for newer revisions where they come from; may take long. Raises LoopError."""

    def revision(self) -> str:
        """Return the revision that should be applied, of those that are known here."""

    def declared(self, revision: str) -> Declared:
        """Return what a revision says. Raises TerminalError."""

    def standing(self, revision: str, ours: str) -> Standing:
        """Return whether a revision that a gateway obeys comes after ours."""

    def contains(self, commit: str, ours: str) -> bool:
        """Return whether a commit is part of our revision's history."""

    def lacks(self, commit: str, ours: str) -> bool:
        """Return whether a commit that was in force is not part of our revision's history: it went back in time."""


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
    evidence: Evidence
    wishes: Callable[[], Sequence[Wish]] = tuple
    observe_seconds: float = SECONDS
    declared: Declared | None = None
    world: World | None = None
    refusal: Refusal | None = None
    _newer: asyncio.Event = field(default_factory=asyncio.Event)
    _nudge: asyncio.Event = field(default_factory=asyncio.Event)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _told: dict[str, str] = field(default_factory=dict)
    _guard: Guard = field(init=False)
    _lookout: Lookout = field(init=False)
    _outward: asyncio.Task[Report] | None = None

    def __post_init__(self) -> None:
        """Guard by the same journal."""
        self._guard = Guard(self.journal)
        self._lookout = Lookout(self.evidence, self._guard, self.wishes, self.clock, self.trouble)

    async def look(self) -> tuple[Observed, Plan]:
        """Observe and plan, and do nothing. Raises LoopError where there is no desired state at all."""
        declared, world = await self._current()
        observed = await observe(world, self._guard.memory(), self.clock(), self.observe_seconds)
        observed = await asyncio.to_thread(self._with_history, observed, declared.desired.revision)
        return observed, plan(declared.desired, observed, self.clock())

    async def reconcile_once(self) -> Outcome:
        """Make one pass.

        Raises LoopError where there is no desired state at all, OSError without a journal.
        """
        observed, planned = await self.look()
        outcome = await self.carry_out(observed, planned)
        self._enter_stage(observed)
        return outcome

    async def carry_out(self, observed: Observed, planned: Plan) -> Outcome:
        """Apply a plan that was just made, note when all agree, and tell."""
        world = self.world
        assert world is not None, "a plan comes from `look`, which connects"  # noqa: S101
        self._guard.write_late()
        inward = tuple(action for action in planned.actions if not isinstance(action, Outward))
        report = await apply(
            replace(planned, actions=inward), observed, world, self.journal, self._newer.is_set
        )
        self._go_outward(planned, observed, world, report)
        if planned.in_sync:
            self._note_in_sync(planned)
            observed = replace(observed, memory=self.journal.memory())
        self.journal.rotate_if_long()
        outcome = Outcome(observed, planned, report, self.refusal)
        self.tell(outcome)
        return outcome

    async def roll_back(self, wish: Wish) -> None:
        """Do at once what a person asks for. Raises LoopError where there is no desired state at all."""
        declared, world = await self._current()
        await self._lookout.grant(wish, declared, world)

    async def settle(self, passes: int = 20) -> Outcome:
        """Make passes until nothing more can be done now, at most `passes`."""
        outcome = await self.reconcile_once()
        for _ in range(passes - 1):
            if self._outward is not None:
                await asyncio.wait({self._outward})
            elif not outcome.acted:
                break
            outcome = await self.reconcile_once()
        return outcome

    async def run(self, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Make passes until `stop` is set; `wake` begins the next one at once, else `poll` of loop.yaml passes.

        What stops a pass (a full disk, say) is told and does not end it: whatever serves goes on serving, nothing
        is done that cannot be written down, and the next pass tries again. Raises LoopError where there is no
        desired state at all.
        """
        with contextlib.suppress(LoopError, OSError):
            await asyncio.to_thread(self.source.refresh)
        duties = [asyncio.create_task(self._watch(stop)), asyncio.create_task(self._keep_guard(stop))]
        try:
            while not stop.is_set():
                if not await self._resident_pass():
                    await _first_of(self._poll, stop, wake, self._newer, self._nudge)
                    if wake.is_set():
                        self._hurry.set()
                    wake.clear()
                    self._nudge.clear()
        finally:
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*duties, return_exceptions=True)
            if self._outward is not None:
                await asyncio.wait({self._outward}, timeout=LAST_WORDS_S)
            self.evidence.close()

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
            self._tell_once("pass", f"this pass was given up, nothing more was done: {error}")
            return False
        self._told.pop("pass", None)
        return acted

    def _tell_once(self, what: str, text: str) -> None:
        """Tell a trouble when it begins or changes, not at every look."""
        if self._told.get(what) != text:
            self._told[what] = text
            self.trouble(text)

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
        if self.declared is None:
            self._hurry.set()  # from here on the poll of loop.yaml counts, and not the one before it was read
        self.world = world
        self.declared, self.refusal = declared, None

    async def _watch(self, stop: asyncio.Event) -> None:
        """Notice a newer revision also during a long pass, so that it need not wait for its end."""
        while not stop.is_set():
            await _first_of(self._poll, self._hurry)
            self._hurry.clear()
            try:
                await asyncio.to_thread(self.source.refresh)
                self._told.pop("git", None)
            except (LoopError, OSError) as error:
                self._tell_once("git", f"newer revisions cannot be looked for: {error}")
            with contextlib.suppress(LoopError, OSError):
                revision = await asyncio.to_thread(self.source.revision)
                if self.declared is not None and revision not in self._seen():
                    self._newer.set()

    async def _keep_guard(self, stop: asyncio.Event) -> None:
        """Look at the evidence many times between passes, and take users off a candidate at once."""
        while not stop.is_set():
            if self.declared is not None and self.world is not None:
                try:
                    news = await self._lookout.look(self.declared, self.world)
                    self._told.pop("evidence", None)
                except Exception as error:  # whatever it was, the next look must come
                    news = News.NOTHING
                    self._lookout.assessment = Unknown(f"{type(error).__name__}: {error}")
                    self._tell_once(
                        "evidence", f"the rollout is not guarded now: {type(error).__name__}: {error}"
                    )
                if news is News.ROLLED_BACK:
                    self._newer.set()  # a pass at work with an older plan ends before its next action
                if news is not News.NOTHING:
                    self._nudge.set()
            await asyncio.sleep(GUARD_S)

    def _with_history(self, observed: Observed, ours: str) -> Observed:
        """Add what the history says of revisions that gateways obey and of rollbacks that were written."""
        standing = {
            url: self.source.standing(view.table.revision, ours) for url, view in observed.known_gateways()
        }
        landed = frozenset(
            served
            for served, rollback in observed.memory.rollbacks.items()
            if rollback.written and self.source.contains(rollback.written, ours)
        )
        if Standing.NEWER in standing.values():
            self._hurry.set()
        past = observed.memory.past
        barred = frozenset(each.served for each in past if self.source.lacks(each.written, ours))
        assert self.declared is not None, "a pass has a declaration"  # noqa: S101
        return replace(
            observed,
            assessment=self._lookout.under(self.declared.policy, self.declared.detection),
            standing=standing,
            landed=landed,
            barred=barred,
        )

    def _go_outward(self, planned: Plan, observed: Observed, world: World, report: Report) -> None:
        """Begin what waits for Git or a network outside, one batch at a time; passes go on meanwhile."""
        if self._outward is not None and self._outward.done():
            finished, self._outward = self._outward, None
            if finished.exception() is not None:
                self._tell_once(
                    "outward", f"what was to be written outside was given up: {finished.exception()}"
                )
            else:
                report.done += finished.result().done
                report.failed += finished.result().failed
            return  # what was planned does not know of it yet
        actions = tuple(action for action in planned.actions if isinstance(action, Outward))
        if self._outward is None and actions:
            work = apply(replace(planned, actions=actions), observed, world, self.journal, _never)
            self._outward = asyncio.create_task(work)
            self._outward.add_done_callback(lambda _: self._look_again())

    def _look_again(self) -> None:
        """A commit of our own may have landed: look for it now, and not when the next poll is due."""
        self._hurry.set()
        self._nudge.set()

    def _enter_stage(self, observed: Observed) -> None:
        """Note the first sight of a stage in the live routes, and turn the evidence to it."""
        assert self.declared is not None, "a pass has a declaration"  # noqa: S101
        desired = self.declared.desired
        memory = self.journal.memory()
        entered = stage_in_force(desired, observed, memory, self.clock())
        if entered is not None and entered != memory.entered:
            self.journal.append(Kind.ENTERED, asdict(entered))
        self.evidence.follow(subject_of(self.declared, self.journal.memory().entered))

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


def _never() -> bool:
    return False


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
