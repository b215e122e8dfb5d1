"""The invariants that the reconciler carries, each shown on a deployment in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from runner.errors import transient
from runner.reconcile.actions import (
    HoldReason,
    LoadAdapter,
    ProbeAdapter,
    Reason,
    SwitchRoutes,
    UnloadAdapter,
)
from runner.reconcile.apply import apply
from runner.reconcile.desired import Desired
from runner.reconcile.plan import Verdict, plan
from runner.serving.routes import Route, RouteTable
from tests.reconcile.simulated import STORE, Simulation, desired, version

V0, V1, V2, V3 = (version(f"v{number}") for number in range(4))


def serving(wanted: Desired, replicas: int = 1, gateways: int = 1) -> Simulation:
    """Return a deployment that is in sync with what is wanted."""
    s = Simulation.of(replicas, gateways)
    assert s.settle(wanted).in_sync
    return s


def arms(s: Simulation) -> tuple[str, str | None, float]:
    (route,) = s.table().routes
    return (
        route.baseline.name,
        route.split.candidate.name if route.split else None,
        route.split.weight if route.split else 0.0,
    )


def test_invariant_1_live_is_a_function_of_the_revision_whatever_was_before() -> None:
    goal = desired("v1", "v0", "v2", weight=0.2, revision="goal")
    histories = [
        [],
        [desired("v0")],
        [desired("v2", "v1"), desired("v3", "v2", "v1", weight=0.5)],
        [desired("v1", "v0", "v2", weight=0.9)],
    ]
    ends = []
    for history in histories:
        s = Simulation.of(2, 2)
        for earlier in history:
            s.settle(earlier)
        s.settle(goal)
        table = replace(s.table(), generation=0, revision="")
        ends.append((table, {url: dict(r.adapters) for url, r in s.replicas.items()}))
    assert all(end == ends[0] for end in ends)


@pytest.mark.parametrize("silent", ["replica", "gateway", "discovery", "store"])
def test_invariant_3_an_outage_prunes_nothing(silent: str) -> None:
    s = serving(desired("v1", "v0", "v2"), replicas=2, gateways=2)
    before = {url: dict(replica.adapters) for url, replica in s.replicas.items()}
    if silent == "replica":
        s.replicas["http://r1"].up = False
    elif silent == "gateway":
        s.gateways["http://g1"].up = False
    elif silent == "discovery":
        s.discovered = False
    else:
        s.store.up = False
    files = dict(s.store.files)
    s.now += 10_000.0
    for _ in range(4):
        planned, _ = s.step(desired("v2", "v1", revision="r2"))
        if silent != "store":
            assert not [a for a in planned.actions if isinstance(a, UnloadAdapter)]
    assert s.store.files == files
    if silent != "store":
        assert {url: dict(replica.adapters) for url, replica in s.replicas.items()} == before
    assert HoldReason.UNKNOWN in {hold.reason for hold in planned.holds}


def test_invariant_3_an_outage_promotes_nothing_to_a_silent_replica() -> None:
    s = serving(desired("v1", "v0"), replicas=2)
    s.replicas["http://r1"].up = False
    for _ in range(4):
        s.step(desired("v1", "v0", "v2", revision="r2"))
    assert arms(s) == ("v1", "v2", 0.05)
    assert s.table().replicas[V2.served] == ("http://r0",)
    assert s.table().replicas[V1.served] == ("http://r0", "http://r1"), "what it had, it keeps"


def test_invariant_4_routes_name_only_pairs_that_were_proven_on_the_process_that_runs() -> None:
    s = serving(desired("v1", "v0"), replicas=2)
    replica = s.replicas["http://r0"]
    loaded = dict(replica.adapters)
    replica.restart()
    replica.adapters.update(loaded)
    planned, _ = s.step(desired("v1", "v0"))
    first = planned.actions[0]
    assert isinstance(first, SwitchRoutes)
    assert first.reason is Reason.PAIR_WITHDRAWN
    assert first.table.replicas == {V0.served: ("http://r1",), V1.served: ("http://r1",)}
    assert {a.served for a in planned.actions if isinstance(a, ProbeAdapter)} == {V0.served, V1.served}
    assert s.settle(desired("v1", "v0")).in_sync
    assert s.table().replicas[V1.served] == ("http://r0", "http://r1")


def test_invariant_4_an_adapter_that_is_served_as_the_base_gets_no_traffic() -> None:
    s = serving(desired("v1", "v0"))
    s.replicas["http://r0"].no_ops.add(V2.served)
    planned = s.settle(desired("v1", "v0", "v2", revision="r2"))
    assert arms(s) == ("v1", None, 0.0)
    assert {h.reason for h in planned.holds} == {HoldReason.TERMINAL, HoldReason.UNVERIFIED}
    assert planned.verdict is Verdict.HELD


def test_invariant_5_baseline_and_standby_stay_loaded_and_a_rollback_asks_no_engine() -> None:
    s = serving(desired("v1", "v0", "v2", weight=0.5), replicas=2)
    s.settle(desired("v2", "v1", revision="r2"))
    for replica in s.replicas.values():
        replica.up = False
    _, report = s.step(desired("v1", "v2", revision="r3"))
    assert arms(s) == ("v1", None, 0.0)
    assert [type(action) for action in report.done] == [SwitchRoutes]
    assert s.table().replicas[V1.served] == ("http://r0", "http://r1")


def test_invariant_13_names_and_paths_come_from_the_digest() -> None:
    s = serving(desired("v1", "v0", "v2"))
    other = replace(desired("v1"), baseline=replace(V1, digest="f" * 64))
    retrained = replace(
        other,
        adapters=tuple(replace(a, version=other.baseline) for a in desired("v1").adapters),
        revision="r2",
    )
    s.settle(retrained)
    adapters = s.replicas["http://r0"].adapters
    assert adapters[f"v1--{'f' * 12}"] == f"{STORE}/v1--{'f' * 12}"
    assert all(path == f"{STORE}/{served}" for served, path in adapters.items())
    assert V1.served not in adapters
    assert s.store.files[V1.served] == V1.digest, "its files stay for the grace period"


def test_invariant_14_one_bad_adapter_does_not_block_the_others() -> None:
    s = Simulation.of(2)
    s.store.bad_sources.add("adapters/v0")
    s.replicas["http://r0"].refuses.add(V2.served)
    planned = s.settle(desired("v1", "v0", "v2"), passes=4)
    assert arms(s) == ("v1", None, 0.0)
    assert s.table().replicas[V1.served] == ("http://r0", "http://r1")
    held = {h.subject: h.reason for h in planned.holds}
    assert held[f"load_adapter {V2.served}"] is HoldReason.TERMINAL
    assert held[f"place_files {V0.served} disk"] is HoldReason.BACKOFF, (
        "its file may be put right without a commit"
    )


def test_invariant_14_one_silent_replica_does_not_block_the_others() -> None:
    s = Simulation.of(3)
    s.replicas["http://r1"].up = False
    s.settle(desired("v1", "v0", "v2"))
    assert arms(s) == ("v1", "v2", 0.05)
    assert s.table().replicas[V2.served] == ("http://r0", "http://r2")


def test_invariant_14_a_replica_that_fails_twice_in_a_pass_is_left_alone_until_the_next() -> None:
    s = Simulation.of(2)
    asked: list[str] = []

    async def hangs(name: str, path: str) -> None:
        asked.append(name)
        raise transient(f"no answer to the load of {name} from {path}")

    s.replicas["http://r0"].load = hangs  # type: ignore[method-assign]
    _, report = s.step(desired("v1", "v0", "v2"))
    assert len(asked) == 2
    assert {why for _, why in report.skipped} >= {"http://r0 failed 2 times in this pass"}
    assert set(s.replicas["http://r1"].adapters) == {V0.served, V1.served, V2.served}


def test_invariant_14_a_newer_commit_is_not_blocked_by_the_retries_of_an_older_one() -> None:
    s = serving(desired("v1", "v0"))
    s.replicas["http://r0"].refuses.add(V2.served)
    s.store.bad_sources.add("adapters/v3")
    s.step(desired("v1", "v0", "v2", revision="r2"))
    s.step(desired("v1", "v0", "v3", revision="r3"))
    s.settle(desired("v0", revision="r4"), passes=4)
    assert arms(s) == ("v0", None, 0.0)


def test_invariant_14_a_long_pass_ends_where_something_newer_came() -> None:
    s = Simulation.of(1)
    wanted = desired("v1", "v0", "v2")
    observed = s.observe()
    planned = plan(wanted, observed, s.now)
    asked = iter([False, False, True, True, True])
    report = asyncio.run(apply(planned, observed, s.world(), s.journal, lambda: next(asked)))
    assert report.interrupted
    assert len(report.done) == 2
    assert s.settle(desired("v3", revision="r2")).in_sync


def test_a_baseline_that_is_not_proven_leaves_the_routes_as_they_are() -> None:
    s = serving(desired("v1", "v0"))
    s.replicas["http://r0"].refuses.add(V2.served)
    planned = s.settle(desired("v2", "v1", revision="r2"))
    assert arms(s) == ("v1", None, 0.0)
    assert HoldReason.UNVERIFIED in {hold.reason for hold in planned.holds}
    assert V1.served in s.replicas["http://r0"].adapters


def test_routes_that_were_changed_by_hand_are_put_back() -> None:
    s = serving(desired("v1", "v0", "v2", weight=0.2))
    s.hand_written(routes=(Route("chat", V2),))
    planned, _ = s.step(desired("v1", "v0", "v2", weight=0.2))
    assert [action.reason for action in planned.actions] == [Reason.CHANGED_BY_HAND]
    assert arms(s) == ("v1", "v2", 0.2)


def test_a_gateway_that_lost_its_table_gets_it_again_with_a_higher_generation() -> None:
    s = serving(desired("v1", "v0"), gateways=2)
    before = s.table().generation
    s.gateways["http://g0"].table = RouteTable()
    s.gateways["http://g1"].up = False
    s.step(desired("v1", "v0"))
    assert arms(s) == ("v1", None, 0.0)
    assert s.table().generation > before


def test_an_adapter_that_was_unloaded_by_hand_is_loaded_and_proven_again() -> None:
    s = serving(desired("v1", "v0"), replicas=2)
    del s.replicas["http://r0"].adapters[V1.served]
    planned, _ = s.step(desired("v1", "v0"))
    assert [type(action) for action in planned.actions] == [SwitchRoutes, LoadAdapter, ProbeAdapter]
    assert s.settle(desired("v1", "v0")).in_sync
    assert s.table().replicas[V1.served] == ("http://r0", "http://r1")
