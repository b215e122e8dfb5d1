"""A resident runner guards between its passes: what it does at once, what waits, and what it is told by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Unknown
from runner.reconcile.desired import Desired
from runner.reconcile.distil import Declared
from runner.reconcile.guard import Cause, Guard
from runner.reconcile.journal import Journal, read
from runner.reconcile.lookout import NO_TRIAL, Lookout, Wish
from runner.reconcile.loop import Outcome, Reconciler
from runner.reconcile.memory import Kind
from runner.reconcile.source import Stationary
from runner.reconcile.trial import Subject
from runner.reconcile.wishes import Inbox, ask
from runner.rollout.verdict import Assessment, Because, Step
from runner.signals.detection import Detection
from runner.spec.environment import Engine, Environment, Gateway
from tests.reconcile.real_parts import POLICY
from tests.reconcile.simulated import Simulation, desired
from tests.reconcile.test_evidence import SUBJECT
from tests.reconcile.test_rollouts import TRIAL, V2, found
from tests.waiting import PATIENCE_S


class Branch(Stationary):
    """What Git says, changed by tests as people change it; it can be slow to answer."""

    def __init__(self, wanted: Desired) -> None:
        self.wanted = wanted
        self.refreshed = 0

    def refresh(self) -> None:
        self.refreshed += 1

    def revision(self) -> str:
        return self.wanted.revision

    def declared(self, revision: str) -> Declared:
        environment = Environment(engine=Engine(), gateway=Gateway(), baseline="v1")
        return Declared(replace(self.wanted, revision=revision), environment, "base", 30.0, POLICY)


@dataclass
class Told:
    """Evidence that a test dictates."""

    found: Assessment | Unknown | None = None
    about: Subject | None = None
    closed: bool = False

    def follow(self, subject: Subject | None) -> None:
        self.about = subject

    def subject(self) -> Subject | None:
        return self.about

    async def look(self, now: float) -> Assessment | Unknown | None:
        return self.found if self.about is not None else None

    def cause(self) -> Cause:
        return Cause("event-7", 7)

    def close(self) -> None:
        self.closed = True


@dataclass
class Resident:
    """A reconciler at work on a simulated deployment."""

    s: Simulation
    branch: Branch
    evidence: Told
    wake: asyncio.Event
    outcomes: list[Outcome]
    troubles: list[str]
    journal: Path
    wishes: list[Wish]

    def candidates(self) -> list[str | None]:
        tables = [gateway.table for gateway in self.s.gateways.values()]
        return [r.split.candidate.name if r.split else None for table in tables for r in table.routes]

    async def until(self, true: Callable[[], object], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not true():  # noqa: ASYNC110 - what is awaited is a state and not an event
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"it never came to this: {what}") from None

    def entries(self, action: str, kind: Kind = Kind.ATTEMPTED) -> list[dict[str, Any]]:
        found_ = (e.body for e in read(self.journal) if e.kind is kind and e.body.get("action") == action)
        return [dict(body) for body in found_]


Story = Callable[[Resident], Awaitable[None]]


def guarded(tmp_path: Path, story: Story, wanted: Desired = TRIAL, gateways: int = 2) -> Resident:
    """Run a resident reconciler until the story ends; it begins with the trial in force."""
    s = Simulation.of(1, gateways)

    async def go() -> Resident:
        stop = asyncio.Event()
        path = tmp_path / "journal.jsonl"
        r = Resident(s, Branch(wanted), Told(), asyncio.Event(), [], [], path, [])

        def take() -> list[Wish]:
            taken = r.wishes[:]
            r.wishes.clear()
            return taken

        with Journal(path, lambda: s.now) as journal:
            at_work = Reconciler(
                r.branch,
                lambda _: s.world(),
                journal,
                lambda: s.now,
                r.outcomes.append,
                r.troubles.append,
                r.evidence,
                take,
            )
            running = asyncio.create_task(at_work.run(stop, r.wake))
            await r.until(lambda: r.outcomes and r.outcomes[-1].plan.in_sync, "in sync")
            try:
                await story(r)
            finally:
                stop.set()
                await running
        return r

    return asyncio.run(go())


PROVEN = found(Step.ROLL_BACK, Because.PROVEN, evidence=123.0)


def test_users_leave_the_candidate_while_a_pass_still_waits_for_a_silent_engine(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        hanging, waiting = asyncio.Event(), asyncio.Event()

        answer = r.s.replicas["http://r0"].models

        async def models() -> Any:
            waiting.set()
            await hanging.wait()
            return await answer()

        r.s.replicas["http://r0"].models = models  # type: ignore[method-assign]
        r.wake.set()
        await waiting.wait()
        r.evidence.found = PROVEN
        await r.until(lambda: r.candidates() == [None, None], "the candidate is off")
        hanging.set()

    r = guarded(tmp_path, story)
    (attempt,) = r.entries("roll_back")
    assert attempt["rollback"]["served"] == V2.served
    assert attempt["cause"] == {"event": "event-7", "time_us": 7}
    assert any(text.startswith("rolled back: ") for text in r.troubles)


def test_a_pass_at_work_with_an_older_plan_does_not_bring_the_candidate_back(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        forward = desired("v1", candidate="v2", weight=0.5, revision="r2")
        put, begun, go_on = r.s.gateways["http://g1"].put, asyncio.Event(), asyncio.Event()

        async def slow(table: Any) -> None:
            if table.revision == "r2" and table.routes[0].split:
                begun.set()
                await go_on.wait()
            await put(table)

        r.s.gateways["http://g1"].put = slow  # type: ignore[method-assign]
        r.branch.wanted = forward
        r.wake.set()
        await begun.wait()
        r.evidence.found = PROVEN
        await r.until(lambda: r.candidates() == [None, None], "the candidate is off")
        go_on.set()
        await r.until(lambda: r.s.scribe.commits, "it is written to Git")
        assert r.candidates() == [None, None]

    guarded(tmp_path, story)


def test_a_rollback_is_written_to_git_beside_the_passes_and_these_go_on(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        go_on, asked = asyncio.Event(), asyncio.Event()
        write = r.s.scribe.roll_back

        async def slow(*arguments: Any) -> Any:
            asked.set()
            await go_on.wait()
            return await write(*arguments)

        r.s.scribe.roll_back = slow  # type: ignore[method-assign]
        r.evidence.found = PROVEN
        await asked.wait()
        passes = len(r.outcomes)
        r.s.replicas["http://r0"].restart()  # self-heal must not wait for Git
        r.wake.set()
        await r.until(lambda: r.s.replicas["http://r0"].adapters, "healed")
        await r.until(lambda: len(r.outcomes) > passes, "passes go on")
        go_on.set()
        await r.until(lambda: r.s.scribe.commits, "written")
        r.branch.wanted = replace(desired("v1", revision="r2"), quarantine=frozenset({V2.served}))
        r.wake.set()
        await r.until(lambda: r.outcomes[-1].plan.in_sync and r.s.scribe.told, "all agree")

    guarded(tmp_path, story)


def test_a_certified_stage_is_acted_on_at_once(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        r.evidence.found = found()
        await r.until(lambda: r.s.scribe.commits, "the step is committed")

    r = guarded(tmp_path, story)
    assert r.s.scribe.commits == [f"advance {V2.served} canary -> small"]
    assert r.evidence.closed


def test_the_first_sight_of_a_stage_is_written_down_once(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        await r.until(lambda: r.evidence.about is not None, "evidence is gathered")
        r.wake.set()
        passes = len(r.outcomes)
        await r.until(lambda: len(r.outcomes) > passes, "another pass")

    r = guarded(tmp_path, story)
    entered = [entry.body for entry in read(r.journal) if entry.kind is Kind.ENTERED]
    assert [body["stage"] for body in entered] == ["canary"]
    assert r.evidence.about is not None
    assert r.evidence.about.started == entered[0]["started"]


def test_a_person_rolls_back_by_hand(tmp_path: Path) -> None:
    said: list[str] = []

    async def story(r: Resident) -> None:
        r.wishes.append(Wish("wrong tone", "ada", said.append))
        await r.until(lambda: said, "an answer")
        assert r.candidates() == [None, None]
        r.wishes.append(Wish("again", "ada", said.append))
        await r.until(lambda: len(said) == 2, "another answer")

    r = guarded(tmp_path, story)
    assert said == ["rolled back", "it was rolled back before"]
    (attempt,) = r.entries("roll_back")
    assert (attempt["rollback"]["condition"], attempt["rollback"]["by"]) == ("wrong tone", "ada")


def test_without_a_candidate_a_wish_is_answered_so(tmp_path: Path) -> None:
    said: list[str] = []

    async def story(r: Resident) -> None:
        r.wishes.append(Wish("x", "ada", said.append))
        await r.until(lambda: said, "an answer")

    guarded(tmp_path, story, desired("v1"))
    assert said == [NO_TRIAL]


def test_evidence_that_cannot_be_read_stops_no_pass_and_is_told_once(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        async def fail(now: float) -> None:
            raise OSError(5, "input/output error")

        r.evidence.look = fail  # type: ignore[method-assign, assignment]
        await r.until(lambda: r.troubles, "told")
        passes = len(r.outcomes)
        r.wake.set()
        await r.until(lambda: len(r.outcomes) > passes, "another pass")

    r = guarded(tmp_path, story)
    assert len([text for text in r.troubles if "not guarded" in text]) == 1


def test_a_push_hook_has_the_remote_looked_at_at_once(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        before = r.branch.refreshed
        r.branch.wanted = desired("v1", revision="reverted")
        r.wake.set()
        await r.until(lambda: r.branch.refreshed > before, "fetched")
        await r.until(lambda: r.candidates() == [None, None], "the revert is in force")

    guarded(tmp_path, story)


def test_a_wish_goes_through_the_folder_and_comes_back_answered(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    assert inbox.take() == ()

    async def both() -> str | None:
        asking = asyncio.create_task(asyncio.to_thread(ask, tmp_path, "why not", "ada", 10.0))
        taken: tuple[Wish, ...] = ()
        while not taken:
            await asyncio.sleep(0.005)
            taken = inbox.take()
        assert (taken[0].reason, taken[0].by) == ("why not", "ada")
        taken[0].done("rolled back")
        return await asking

    assert asyncio.run(both()) == "rolled back"
    assert list(tmp_path.iterdir()) == []


def test_a_wish_that_nobody_takes_is_taken_back(tmp_path: Path) -> None:
    assert ask(tmp_path, "why not", "ada", 0.05) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", '{"reason": 1}', "[]"])
def test_a_wish_that_is_none_is_thrown_away(tmp_path: Path, content: str) -> None:
    (tmp_path / "1.wish.json").write_text(content)
    assert Inbox(tmp_path).take() == ()
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_ours_in_one_look_does_not_end_the_guard(tmp_path: Path) -> None:
    async def story(r: Resident) -> None:
        look = r.evidence.look

        async def fail(now: float) -> None:
            raise ValueError("a stage that nobody knows")

        r.evidence.look = fail  # type: ignore[method-assign, assignment]
        await r.until(lambda: r.troubles, "told")
        r.evidence.look = look  # type: ignore[method-assign]
        r.evidence.found = PROVEN
        await r.until(lambda: r.candidates() == [None, None], "it guards again")

    guarded(tmp_path, story)


def test_what_was_judged_by_another_policy_is_no_basis_for_a_plan(tmp_path: Path) -> None:
    lookouts: list[Lookout] = []

    async def story(r: Resident) -> None:
        evidence = Told(found(), about=replace(SUBJECT, policy=POLICY))
        lookout = Lookout(evidence, Guard(r.s.journal), tuple, lambda: 0.0, r.troubles.append)
        await lookout.look(r.branch.declared("r1"), r.s.world())
        lookouts.append(lookout)

    guarded(tmp_path, story)
    assert lookouts[0].under(POLICY, Detection()) == found()
    assert lookouts[0].under(POLICY.model_copy(update={"holdback": 0.2}), Detection()) is None
    assert lookouts[0].under(POLICY, Detection(keywords=("ask a colleague",))) is None
