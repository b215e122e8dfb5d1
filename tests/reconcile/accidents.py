"""Everything that may befall a deployment, as small functions, and what a plan must never do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from runner.reconcile.actions import (
    Action,
    DeleteFiles,
    HoldReason,
    LoadAdapter,
    Reason,
    SwitchRoutes,
    UnloadAdapter,
)
from runner.reconcile.desired import Desired, Limits, Role
from runner.reconcile.observed import Observed, Replica
from runner.reconcile.plan import Plan
from runner.reconcile.pruning import mentioned
from runner.serving.routes import Route, RouteTable
from tests.reconcile.simulated import STORE, Simulation, adapter, desired, version

Accident = Callable[[Simulation], None]
NAMES = ("v0", "v1", "v2", "v3")


@dataclass(frozen=True)
class Happening:
    """A named accident, so that a failing example can be read."""

    name: str
    happen: Accident

    def __repr__(self) -> str:
        return self.name


def _replicas(act: Callable[[Simulation, str], None]) -> Callable[[int], Accident]:
    return lambda at: lambda s: act(s, sorted(s.replicas)[at % len(s.replicas)])


def _restart(s: Simulation, url: str) -> None:
    s.replicas[url].restart()


def _restart_and_load_by_hand(s: Simulation, url: str) -> None:
    """The names are back, and nobody has proven what this process serves under them."""
    before = dict(s.replicas[url].adapters)
    s.replicas[url].restart()
    s.replicas[url].adapters.update(before)


def _crash(s: Simulation, url: str) -> None:
    s.replicas[url].restart()
    s.replicas[url].up = False


def _silence(s: Simulation, url: str) -> None:
    s.replicas[url].up = False


def _unload_one(s: Simulation, url: str) -> None:
    if s.replicas[url].adapters:
        s.replicas[url].adapters.pop(sorted(s.replicas[url].adapters)[0])


def _foreign(s: Simulation, url: str) -> None:
    s.replicas[url].adapters["somebody--000000000000"] = "/elsewhere/somebody"
    s.replicas[url].adapters.setdefault(version("v2").served, "/elsewhere/v2")


def _bad_weights(s: Simulation, url: str) -> None:
    s.replicas[url].refuses.add(version("v2").served)


def _no_op(s: Simulation, url: str) -> None:
    served = version("v3").served
    if s.replicas[url].adapters.pop(served, None) is None:
        s.replicas[url].no_ops.add(served)


def _route_by_hand(s: Simulation) -> None:
    wrong = version("v3")
    everywhere = {wrong.served: tuple(s.replicas)}
    s.hand_written(routes=(Route("chat", wrong),), replicas=everywhere, pinned=(wrong,))


def _lose_table(s: Simulation) -> None:
    for gateway in s.gateways.values():
        gateway.table = RouteTable()


def _silent_gateway(s: Simulation) -> None:
    s.gateways[sorted(s.gateways)[0]].up = False


def _busy(s: Simulation) -> None:
    for gateway in s.gateways.values():
        gateway.in_flight = {version(name).served: 2 for name in NAMES}


def _wipe_store(s: Simulation) -> None:
    s.store.files.clear()


def _store_fails(s: Simulation) -> None:
    s.store.up = False


def _dns_fails(s: Simulation) -> None:
    s.discovered = False


def _bytes_missing(s: Simulation) -> None:
    s.missing.add("adapters/v1")


def _hours_pass(s: Simulation) -> None:
    s.now += 7200.0


_EVERYWHERE: tuple[Accident, ...] = (
    *(_route_by_hand, _lose_table, _silent_gateway, _busy, _wipe_store),
    *(_store_fails, _dns_fails, _bytes_missing, _hours_pass),
)
_ON_A_REPLICA = (
    _restart,
    _restart_and_load_by_hand,
    _crash,
    _silence,
    _unload_one,
    _foreign,
    _bad_weights,
    _no_op,
)


def _name(happen: Callable[..., None]) -> str:
    return getattr(happen, "__name__", "").strip("_")


accidents = st.one_of(
    st.sampled_from(_EVERYWHERE).map(lambda f: Happening(_name(f), f)),
    st.builds(
        lambda f, at: Happening(f"{_name(f)} {at}", _replicas(f)(at)),
        st.sampled_from(_ON_A_REPLICA),
        st.integers(0, 2),
    ),
)


def mend(s: Simulation) -> None:
    """Bring everything outside back to health; what was lost stays lost."""
    for replica in s.replicas.values():
        replica.up = True
        replica.refuses.clear()
        replica.no_ops.clear()
        foreign = [name for name, root in replica.adapters.items() if root != f"{STORE}/{name}"]
        for name in foreign:
            del replica.adapters[name]
        # The engine was repaired, so it is another process; lasting failures end with another configuration.
        replica.restart()
    for gateway in s.gateways.values():
        gateway.up, gateway.in_flight = True, {}
    s.store.up, s.discovered = True, True


@st.composite
def specs(draw: st.DrawFn) -> Desired:
    """Return any environment over four versions, some of them too big for the engine or too many."""
    baseline, *others = draw(st.permutations(NAMES))
    standby = draw(st.sampled_from([None, others[0]]))
    candidate = draw(st.sampled_from([None, others[1]]))
    wanted = desired(baseline, standby, candidate, weight=draw(st.sampled_from([0.05, 0.5, 1.0])))
    if candidate and draw(st.booleans()):
        bigger = [replace(a, rank=32) if a.role is Role.CANDIDATE else a for a in wanted.adapters]
        wanted = replace(wanted, adapters=tuple(bigger))
    if draw(st.booleans()):
        wanted = replace(wanted, adapters=(*wanted.adapters, adapter(others[2], Role.EXPERIMENT)))
    limits = Limits(draw(st.sampled_from([1, 2, 8])), 16, draw(st.sampled_from([0, 1, 3])), 600.0)
    revision = draw(st.sampled_from(["r1", "r2", "r3"]))
    return replace(
        wanted, limits=limits, suspended=draw(st.booleans()), revision=revision, engine_config=revision
    )


def check(planned: Plan, observed: Observed, s: Simulation) -> None:
    """Fail where a plan breaks one of the promises, whatever was observed."""
    silent = [name for name, _ in observed.unknowns()]
    unloads = {a.served for a in planned.actions if isinstance(a, UnloadAdapter)}
    limits = {h.text for h in planned.holds if h.reason is HoldReason.PRUNE_LIMIT}
    assert not (unloads and limits)
    for action in planned.actions:
        match action:
            case SwitchRoutes():
                _check_table(action.table, observed, s)
            case UnloadAdapter() | DeleteFiles():
                _check_removal(action, planned, observed, silent)
            case LoadAdapter():
                assert isinstance(observed.replicas[action.replica], Replica)
                assert action.path == f"{STORE}/{action.served}"
            case _:
                pass


def _check_table(table: RouteTable, observed: Observed, s: Simulation) -> None:
    live = {
        (n, u) for _, g in observed.known_gateways() for n, urls in g.table.replicas.items() for u in urls
    }
    for served, urls in table.replicas.items():
        for url in urls:
            replica = observed.replicas[url]
            if isinstance(replica, Replica):
                assert s.replicas[url].adapters.get(served) == f"{STORE}/{served}", "routed where it is not"
                assert served not in s.replicas[url].no_ops, "routed where it is a no-op"
                known = (
                    observed.memory.verified
                )  # a runner that begins keeps what serves until it has proven it
                assert (not known and (served, url) in live) or known[url, served] == replica.instance
            else:
                assert (served, url) in live, "a silent replica got a new pair"
    for route in table.routes:
        assert route.split is None or table.replicas.get(route.split.candidate.served)


def _check_removal(action: Action, planned: Plan, observed: Observed, silent: list[str]) -> None:
    hand_loaded = isinstance(action, UnloadAdapter) and action.reason is Reason.WRONG_ROOT
    asked = ("gateway",) if hand_loaded else ("gateway", "replica")
    assert not [name for name in silent if name.startswith(asked)], "pruned while one was silent"
    assert action.served in observed.memory.owned, "pruned what is not ours"
    if hand_loaded and isinstance(action, UnloadAdapter):
        assert (action.replica, action.served) in observed.memory.loaded, "unloaded what somebody else loaded"
    for _, view in observed.known_gateways():
        if hand_loaded and isinstance(action, UnloadAdapter):
            assert action.replica not in view.table.replicas.get(action.served, ())
            continue
        assert action.served not in mentioned(view.table), "pruned what is routed"
        assert not view.in_flight.get(action.served), "pruned what is answering"
    assert planned.adapters, "pruned when nothing is declared"
    if isinstance(action, DeleteFiles):
        roots = [replica.root_of(action.served) for _, replica in observed.known_replicas()]
        assert f"{STORE}/{action.served}" not in roots, "deleted what is loaded from there"
        assert observed.at - observed.memory.released[action.served] >= 600.0, (
            "deleted within the grace period"
        )
