"""The observation that a deployment gives once a declaration is fully applied; nothing is asked for it.

`loop plan --against REVISION` plans from it: what a pull request changes is what would be done to a deployment that
agrees with the revision it is based on. Computation only.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.reconcile.desired import Desired
from runner.reconcile.intent import declared
from runner.reconcile.observed import GatewayView, Memory, Observed, Replica, ServedModel
from runner.reconcile.plan import plan
from runner.reconcile.routing import serves
from runner.serving.routes import RouteTable

STORE = "/adapters"
PROCESS = "steady"


def steady(desired: Desired, replicas: Sequence[str], gateway: str, now: float) -> Observed:
    """Return what would be observed where all that `desired` declares is placed, loaded, verified and routed."""
    served = [adapter.served for adapter in desired.adapters]
    models = tuple(ServedModel(name, f"{STORE}/{name}", "base") for name in served)
    memory = Memory(
        owned=frozenset(served),
        verified={(url, name): PROCESS for url in replicas for name in served},
        trusted=(desired.baseline.served,),
        accepted=declared(desired),
        generation=1,
    )
    placed = frozenset(served)
    answering = {url: Replica(PROCESS, models) for url in replicas}
    empty = Observed(now, STORE, answering, {gateway: GatewayView(RouteTable())}, placed, memory=memory)
    table = plan(desired, empty, now).after
    routed = RouteTable(1, table.revision, table.routes, table.pinned, table.replicas)
    return Observed(
        now,
        STORE,
        answering,
        {gateway: GatewayView(routed)},
        placed,
        memory=Memory(
            memory.owned, memory.verified, {}, {}, memory.trusted, memory.accepted, 1, serves(routed)
        ),
    )
