"""The observation of a declaration that is fully applied: a plan of that declaration finds nothing to do in it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.reconcile.actions import HoldReason, LoadAdapter, UnloadAdapter
from runner.reconcile.desired import Desired
from runner.reconcile.freeze import Window
from runner.reconcile.observed import Observed
from runner.reconcile.plan import Verdict, plan
from runner.reconcile.steady import steady
from runner.serving.routes import RouteTable, Shadow
from tests.reconcile.accidents import specs
from tests.reconcile.simulated import Simulation, desired, version

NOW = 1_000_000.0
GATEWAY = "http://g0"
FOREVER = Window("Asia/Seoul", "2000-01-01T00:00", "2090-01-01T00:00", "always")
replicas = st.sets(st.sampled_from(["http://r0", "http://r1", "http://r2"]), min_size=1).map(sorted)


@st.composite
def declarations(draw: st.DrawFn) -> Desired:
    """Return any declaration, some with shadows, groups and windows in which nothing is promoted."""
    wanted = draw(specs())
    if draw(st.booleans()):
        wanted = replace(wanted, shadow=Shadow(draw(st.sampled_from(wanted.adapters)).version, 0.5))
    if wanted.trial is not None:
        wanted = replace(
            wanted, trial=replace(wanted.trial, groups=draw(st.sampled_from([(), ("internal",)])))
        )
    return replace(wanted, freezes=draw(st.sampled_from([(), (FOREVER,)])))


def of(wanted: Desired, urls: list[str]) -> Observed:
    return steady(wanted, urls, GATEWAY, NOW)


def table_of(observed: Observed) -> RouteTable:
    """Return the table of the only gateway."""
    ((_, view),) = observed.known_gateways()
    return view.table


@settings(max_examples=500)
@given(declarations(), replicas)
def test_a_declaration_is_in_sync_with_its_own_steady_state(wanted: Desired, urls: list[str]) -> None:
    found = plan(wanted, of(wanted, urls), NOW)
    assert found.actions == ()
    assert {hold.reason for hold in found.holds} <= {HoldReason.RANK, HoldReason.SLOTS, HoldReason.UNVERIFIED}
    fits = len(wanted.adapters) <= wanted.limits.slots and all(
        adapter.rank <= wanted.limits.max_lora_rank for adapter in wanted.adapters
    )
    if fits:
        assert found.verdict is Verdict.IN_SYNC


@given(declarations(), replicas)
def test_everything_declared_is_served_there_and_nothing_is_unknown(wanted: Desired, urls: list[str]) -> None:
    observed = of(wanted, urls)
    assert not list(observed.unknowns())
    assert set(observed.replicas) == set(urls)
    table = table_of(observed)
    assert table == observed.live()
    assert table.generation == observed.memory.generation
    assert [route.baseline for route in table.routes if route.alias == wanted.alias] == [wanted.baseline]


@given(declarations(), replicas)
def test_the_same_declaration_gives_the_same_observation(wanted: Desired, urls: list[str]) -> None:
    assert of(wanted, urls) == of(wanted, urls)


def test_it_is_what_a_deployment_comes_to_that_applies_the_declaration() -> None:
    wanted = desired("v1", "v0", "v2")
    simulation = Simulation.of(replicas=2)
    simulation.settle(wanted)
    real, made = simulation.observe(), of(wanted, ["http://r0", "http://r1"])
    assert replace(table_of(real), generation=0) == replace(table_of(made), generation=0)
    assert real.placed == made.placed and real.memory.owned == made.memory.owned
    assert real.memory.accepted == made.memory.accepted


def test_a_change_of_the_declaration_is_what_differs_from_the_steady_state() -> None:
    before, after = desired("v1", "v0"), desired("v1", None, "v2", revision="r2")
    found = plan(after, of(before, ["http://r0"]), NOW)
    loads = [action.served for action in found.actions if isinstance(action, LoadAdapter)]
    unloads = [action.served for action in found.actions if isinstance(action, UnloadAdapter)]
    assert loads == [version("v2").served]
    assert unloads == []  # not while the routes still name it: first the switch, then a look, then the unload
    assert found.before is not None
    assert found.before.routes[0].split is None and found.after.routes[0].split is not None
