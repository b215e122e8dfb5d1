"""The loop: what it observes in time, which revision it applies, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import TerminalError, Unknown, terminal, transient
from runner.reconcile import journal as journal_module
from runner.reconcile import status
from runner.reconcile.apply import apply
from runner.reconcile.desired import Desired
from runner.reconcile.distil import Declared
from runner.reconcile.journal import Journal, read
from runner.reconcile.lookout import NoEvidence
from runner.reconcile.loop import Outcome, Reconciler
from runner.reconcile.memory import Entry, Kind
from runner.reconcile.observe import observe
from runner.reconcile.observed import Memory, Replica
from runner.reconcile.plan import plan
from runner.reconcile.ports import Proof
from runner.reconcile.source import Stationary
from runner.reconcile.state import write_json
from runner.spec.environment import Engine, Environment, Gateway
from tests.reconcile.real_parts import POLICY
from tests.reconcile.simulated import Simulation, desired, version
from tests.waiting import PATIENCE_S


class ListedSource(Stationary):
    """Revisions in memory; one that is no `Desired` is an error to raise."""

    def __init__(self, **revisions: Desired | Exception) -> None:
        self.revisions: Mapping[str, Desired | Exception] = revisions
        self.current: str | Exception = next(iter(revisions))
        self.read: list[str] = []
        self.poll = 10.0

    def revision(self) -> str:
        if isinstance(self.current, Exception):
            raise self.current
        return self.current

    def declared(self, revision: str) -> Declared:
        self.read.append(revision)
        found = self.revisions[revision]
        if isinstance(found, Exception):
            raise found
        environment = Environment(engine=Engine(), gateway=Gateway(), baseline="v1")
        return Declared(replace(found, revision=revision), environment, "base", self.poll, POLICY)


Work = Callable[[Reconciler], Awaitable[None]]


def at_work(s: Simulation, source: ListedSource, path: Path, work: Work) -> list[Outcome]:
    told: list[Outcome] = []
    troubles: list[str] = []

    async def go() -> None:
        with Journal(path / "journal.jsonl", lambda: s.now) as journal:
            await work(
                Reconciler(
                    source,
                    lambda _: s.world(),
                    journal,
                    lambda: s.now,
                    told.append,
                    troubles.append,
                    NoEvidence(),
                )
            )

    asyncio.run(go())
    return told


def test_a_slow_system_is_unknown_and_delays_no_other() -> None:
    s = Simulation.of(3, 1)

    async def never() -> str:
        await asyncio.sleep(3600)
        return ""

    s.replicas["http://r1"].instance = never  # type: ignore[method-assign]
    observed = asyncio.run(observe(s.world(), Memory(), 0.0, seconds=0.05))
    assert observed.replicas["http://r1"] == Unknown("no answer within 0.05 s")
    assert isinstance(observed.replicas["http://r0"], Replica)
    assert isinstance(observed.replicas["http://r2"], Replica)


def test_a_replica_that_cannot_say_which_process_it_is_is_unknown() -> None:
    s = Simulation.of()

    async def nobody() -> None:
        return None

    s.replicas["http://r0"].instance = nobody  # type: ignore[assignment,method-assign]
    observed = s.observe()
    unknown = observed.replicas["http://r0"]
    assert isinstance(unknown, Unknown)
    assert "process_start_time_seconds" in unknown.reason


def test_replicas_that_cannot_be_looked_up_are_unknown_and_not_gone() -> None:
    s = Simulation.of(2)
    s.settle(desired("v1"))
    s.discovered = False
    observed = s.observe()
    assert set(observed.replicas) == {"discovery", "http://r0", "http://r1"}
    assert all(isinstance(value, Unknown) for value in observed.replicas.values())
    assert not s.plan(desired("v1")).actions


def test_a_commit_that_is_not_valid_leaves_the_last_good_one_in_force_and_is_told(tmp_path: Path) -> None:
    s = Simulation.of()
    source = ListedSource(
        good=desired("v1"), bad=terminal("loop.yaml:3: unknown key 'basline'"), better=desired("v2")
    )

    async def work(reconciler: Reconciler) -> None:
        await reconciler.settle()
        for source.current in ("bad", "bad", "better"):
            s.replicas["http://r0"].restart()
            await reconciler.settle()

    told = at_work(s, source, tmp_path, work)
    assert source.read == ["good", "bad", "better"], "each revision is read once"
    refusals = [outcome.refusal for outcome in told if outcome.refusal]
    assert {refusal.revision for refusal in refusals} == {"bad"}
    assert "unknown key 'basline'" in refusals[0].message
    assert told[-1].refusal is None
    assert s.table().routes[0].baseline == version("v2")


def test_without_any_good_revision_there_is_nothing_to_do_but_say_so(tmp_path: Path) -> None:
    s = Simulation.of()

    async def work(reconciler: Reconciler) -> None:
        await reconciler.reconcile_once()

    with pytest.raises(TerminalError, match="unknown key"):
        at_work(s, ListedSource(bad=terminal("unknown key")), tmp_path, work)
    assert list(read(tmp_path / "journal.jsonl")) == []


def test_while_git_does_not_answer_the_last_revision_is_kept_in_force(tmp_path: Path) -> None:
    s = Simulation.of()
    source = ListedSource(good=desired("v1"))

    async def work(reconciler: Reconciler) -> None:
        await reconciler.settle()
        source.current = transient("git is locked")
        s.replicas["http://r0"].restart()
        await reconciler.settle()

    told = at_work(s, source, tmp_path, work)
    assert told[-1].plan.in_sync
    assert told[-1].refusal is not None


def test_agreement_is_written_down_once_a_revision(tmp_path: Path) -> None:
    s = Simulation.of()
    source = ListedSource(one=desired("v1"), two=desired("v1"))

    async def work(reconciler: Reconciler) -> None:
        for source.current in ("one", "two"):
            await reconciler.settle()
            await reconciler.settle()

    at_work(s, source, tmp_path, work)
    agreed = [e.body["revision"] for e in read(tmp_path / "journal.jsonl") if e.kind is Kind.IN_SYNC]
    assert agreed == ["one", "two"]


def test_the_resident_loop_follows_wake_ups_and_new_commits_and_ends_when_told(tmp_path: Path) -> None:
    s = Simulation.of()
    source = ListedSource(one=desired("v1", "v0"), two=desired("v2", "v1"))
    source.poll = 3600.0

    async def until(held: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not held():  # noqa: ASYNC110 - what is awaited is a state and not an event
                await asyncio.sleep(0.005)

    def serves(name: str) -> bool:
        routes = s.table().routes
        return bool(routes) and routes[0].baseline == version(name) and bool(s.table().replicas)

    async def work(reconciler: Reconciler) -> None:
        stop, wake = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(reconciler.run(stop, wake))
        await until(lambda: serves("v1"))
        s.hand_written(routes=())
        wake.set()
        await until(lambda: serves("v1"))
        source.current = "two"
        wake.set()
        await until(lambda: serves("v2"))
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)

    at_work(s, source, tmp_path, work)


def test_what_an_action_raises_by_mistake_is_written_down_and_stops_no_other(tmp_path: Path) -> None:
    s = Simulation.of()
    place = s.store.place

    def faulty(served: str, source: str, digest: str) -> None:
        if source == "adapters/v0":
            raise ZeroDivisionError("a fault of ours")
        place(served, source, digest)

    s.store.place = faulty  # type: ignore[method-assign]

    async def work(reconciler: Reconciler) -> None:
        await reconciler.settle()

    at_work(s, ListedSource(one=desired("v1", "v0")), tmp_path, work)
    failed = [entry for entry in read(tmp_path / "journal.jsonl") if entry.kind is Kind.FAILED]
    assert [entry.body["message"] for entry in failed] == ["ZeroDivisionError: a fault of ours"]
    assert s.table().routes[0].baseline == version("v1")


def test_a_bad_commit_that_was_taken_back_is_not_told_any_more(tmp_path: Path) -> None:
    s = Simulation.of()
    source = ListedSource(good=desired("v1"), bad=terminal("unknown key"))

    async def work(reconciler: Reconciler) -> None:
        for source.current in ("good", "bad", "good"):
            await reconciler.settle()

    told = at_work(s, source, tmp_path, work)
    assert any(outcome.refusal for outcome in told)
    assert told[-1].refusal is None


def test_a_proof_does_not_count_for_a_process_that_was_replaced_meanwhile() -> None:
    s = Simulation.of()
    replica = s.replicas["http://r0"]
    world = s.world()

    async def probe(url: str, served: str, path: str) -> Proof:
        proof = await world.probe(url, served, path)
        loaded = dict(replica.adapters)
        replica.restart()
        replica.adapters.update(loaded)
        return proof

    observed = s.observe()
    planned = plan(desired("v1"), observed, s.now)
    report = asyncio.run(apply(planned, observed, replace(world, probe=probe), s.journal, lambda: False))
    assert "the replica restarted meanwhile" in report.failed[0].message
    assert s.journal.memory().verified == {}


def test_a_load_counts_only_where_the_engine_then_serves_the_declared_path() -> None:
    s = Simulation.of()
    replica = s.replicas["http://r0"]

    async def elsewhere(name: str, path: str) -> None:
        replica.adapters[name] = f"{path}-old"

    replica.load = elsewhere  # type: ignore[method-assign]
    _, report = s.step(desired("v1"))
    assert "does not serve it from" in report.failed[0].message
    assert "probe_adapter" not in {action.kind for action in report.done}


def test_a_damaged_copy_is_deleted_and_placed_again_before_it_is_loaded() -> None:
    s = Simulation.of()
    s.store.files[version("v1").served] = "other bytes"
    for _ in range(5):
        s.step(desired("v1"))
    s.now += 10.0
    assert s.settle(desired("v1")).in_sync
    assert s.store.files[version("v1").served] == version("v1").digest


def test_a_damaged_copy_that_a_replica_may_read_is_not_deleted() -> None:
    s = Simulation.of(2)
    s.settle(desired("v1"))
    s.store.files[version("v1").served] = "other bytes"
    s.replicas["http://r1"].restart()
    _, report = s.step(desired("v1"))
    assert "a replica may still read it" in report.failed[0].message
    assert version("v1").served in s.store.files


def test_the_status_says_who_answers_what_is_held_and_since_when_all_agree(tmp_path: Path) -> None:
    s = Simulation.of(2)
    shown: list[dict[str, Any]] = []

    async def work(reconciler: Reconciler) -> None:
        await reconciler.settle()
        s.replicas["http://r1"].up = False
        await reconciler.settle()
        await reconciler.settle()

    told = at_work(s, ListedSource(one=desired("v1", "v0", "v2")), tmp_path, work)
    for outcome in told:
        write_json(tmp_path / "status.json", status.to_json(outcome))
        shown.append(status.to_json(outcome))
    last = shown[-1]
    assert last["verdict"] == "held"
    assert last["arms"]["baseline"] == version("v1").served
    assert last["arms"]["candidate"] == version("v2").served
    assert last["arms"]["weight"] == 0.05
    assert "cannot be reached" in last["replicas"]["http://r1"]["unknown"]
    assert last["holds"][0]["reason"] == "unknown"
    assert last["applied"]["revision"] == "one"


def test_a_resident_runner_outlives_a_journal_that_cannot_be_written_and_does_nothing_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = Simulation.of()
    source = ListedSource(one=desired("v1"))
    source.poll = 0.01
    full = True
    real = journal_module._write

    def write(file: int, entry: Entry) -> None:
        if full:
            os.write(file, b'{"half":')
            raise OSError(errno.ENOSPC, "no space left on device")
        real(file, entry)

    monkeypatch.setattr(journal_module, "_write", write)
    troubles: list[str] = []

    async def go() -> None:
        nonlocal full
        with Journal(tmp_path / "journal.jsonl", lambda: s.now) as journal:
            resident = Reconciler(
                source,
                lambda _: s.world(),
                journal,
                lambda: s.now,
                lambda _: None,
                troubles.append,
                NoEvidence(),
            )
            stop = asyncio.Event()
            running = asyncio.create_task(resident.run(stop, asyncio.Event()))
            async with asyncio.timeout(PATIENCE_S):
                while not troubles:  # noqa: ASYNC110 - what is awaited is a state and not an event
                    await asyncio.sleep(0.005)
                assert s.table().routes == ()
                full = False
                while not s.table().routes:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.005)
            stop.set()
            await running

    asyncio.run(go())
    assert len(troubles) == 1 and "no space left" in troubles[0]
    assert list(read(tmp_path / "journal.jsonl")), "the half line was taken back"
