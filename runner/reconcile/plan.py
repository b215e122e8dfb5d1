"""The plan: what one pass will do and what it will leave, as a pure function of spec, observation and time.

Called by `loop` (every pass), `cli` (`loop plan`, `loop apply`). No I/O, no clock, no randomness: invariant
2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner import digest as digests
from runner.reconcile import staleness
from runner.reconcile.actions import Action, Hold, HoldReason, SwitchRoutes, target, to_json
from runner.reconcile.adapters import bring_up, fitting, wanted
from runner.reconcile.desired import Adapter, Desired
from runner.reconcile.intent import allowed
from runner.reconcile.observed import Observed, Standing
from runner.reconcile.progress import progress
from runner.reconcile.pruning import prune
from runner.reconcile.routing import Pairs, routable, route, switches, verified_on
from runner.serving.routes import RouteTable


class Verdict(StrEnum):
    """What a pass found: nothing to do, something to do, or something that differs and has to wait."""

    IN_SYNC = "in sync"
    CHANGING = "changing"
    HELD = "held"


_TAKES_ITS_TIME = frozenset({HoldReason.GRACE, HoldReason.EVIDENCE, HoldReason.PROPOSED, HoldReason.SOAK})


@dataclass(frozen=True, slots=True)
class AdapterView:
    """An adapter in the plan: the replicas on which it is verified, of those that were asked."""

    adapter: Adapter
    verified: tuple[str, ...]
    replicas: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One pass, before it happens. `before` and `after` are the routes now and once all is verified.

    `facts` are the observed facts that the actions rest on; `digest` covers spec, actions and facts.
    """

    environment: str
    revision: str
    spec_digest: str
    actions: tuple[Action, ...]
    holds: tuple[Hold, ...]
    adapters: tuple[AdapterView, ...]
    slots: int
    before: RouteTable | None
    after: RouteTable
    facts: dict[str, str]
    digest: str

    @property
    def verdict(self) -> Verdict:
        """In sync only where nothing is to be done and nothing waits but what is meant to take its time."""
        if self.actions:
            return Verdict.CHANGING
        settled = all(hold.reason in _TAKES_ITS_TIME for hold in self.holds)
        return Verdict.IN_SYNC if settled else Verdict.HELD

    @property
    def in_sync(self) -> bool:
        """Live agrees with the spec."""
        return self.verdict is Verdict.IN_SYNC


def plan(desired: Desired, observed: Observed, now: float) -> Plan:
    """Return what to do now. The same arguments give the same plan.

    1. Take the arms that the spec gives, less promotions that are stopped.
    2. Refuse adapters that the engine cannot hold, before anything is touched.
    3. Route over verified pairs only; whatever gateways say otherwise is switched first.
    4. Bring every fitting adapter up on every replica that answered, independently of the others.
    5. Remove what the inventory owns and nobody needs.
    6. Write to Git what the rollout has come to, and tell people.
    7. Put it all into one total order; where a newer revision is in force already, do nothing of it.
    """
    arms = allowed(desired, observed, now)
    adapters, holds = fitting(desired, wanted(desired, arms.intent))
    needed = frozenset(adapter.served for adapter in adapters)
    pairs = routable(observed)
    routing = route(desired, observed, arms.intent, pairs, needed)
    # A switch that failed is tried at every pass: a rollback waits for nothing (invariant 6).
    actions: list[Action] = list(switches(desired, observed, routing))
    waits: list[Hold] = []
    for adapter in adapters:
        steps, reasons = bring_up(desired, observed, adapter, now)
        actions += steps
        waits += reasons
    removals, reasons = prune(desired, observed, needed | _refused(desired), now)
    steps, said = progress(desired, observed, now)
    stale = _stale(observed)
    ordered = () if stale else _ordered([*actions, *removals, *steps], adapters)
    facts = staleness.facts(desired, observed)
    seal = [desired.environment, desired.spec_digest, [to_json(action) for action in ordered], facts]
    return Plan(
        environment=desired.environment,
        revision=desired.revision,
        spec_digest=desired.spec_digest,
        actions=ordered,
        holds=_told(
            [*stale, *arms.holds, *holds, *routing.holds, *waits, *reasons, *said, *_silent(observed)]
        ),
        adapters=_views(observed, adapters),
        slots=desired.limits.slots,
        before=observed.live(),
        after=route(desired, observed, arms.intent, _once_verified(observed, pairs, needed), needed).table,
        facts=facts,
        digest=digests.of_value(seal),
    )


def _told(holds: list[Hold]) -> tuple[Hold, ...]:
    """Return each hold once, in order."""
    return tuple(sorted(set(holds)))


def _refused(desired: Desired) -> frozenset[str]:
    """Return every declared name: that an adapter does not fit any more is no reason to remove it."""
    return frozenset(adapter.served for adapter in desired.adapters)


def _stale(observed: Observed) -> list[Hold]:
    newer = sorted(url for url, standing in observed.standing.items() if standing is Standing.NEWER)
    next_step = "nothing is done here until this runner has fetched it"
    return [
        Hold(
            f"gateway {url}",
            HoldReason.STALE_RUNNER,
            "it obeys a revision that comes after ours",
            next=next_step,
        )
        for url in newer
    ]


def _silent(observed: Observed) -> list[Hold]:
    return [
        Hold(
            name,
            HoldReason.UNKNOWN,
            unknown.reason,
            next="nothing of it is pruned",
        )
        for name, unknown in observed.unknowns()
    ]


def _once_verified(observed: Observed, pairs: Pairs, needed: frozenset[str]) -> Pairs:
    answering = {url for url, _ in observed.known_replicas()}
    return {served: tuple(sorted(answering | set(pairs.get(served, ())))) for served in needed | set(pairs)}


def _ordered(actions: list[Action], adapters: tuple[Adapter, ...]) -> tuple[Action, ...]:
    """Order by phase; in it the baseline's adapter first, replica after replica, load before probe."""
    rank = {adapter.served: place for place, adapter in enumerate(adapters)}
    keyed = sorted(
        (a.phase, rank.get(a.served, len(rank)), a.served, _where(a), target(a), i)
        for i, a in enumerate(actions)
    )
    return tuple(actions[key[-1]] for key in keyed)


def _where(action: Action) -> str:
    return action.gateway if isinstance(action, SwitchRoutes) else getattr(action, "replica", "")


def _views(observed: Observed, adapters: tuple[Adapter, ...]) -> tuple[AdapterView, ...]:
    urls = sorted(observed.replicas)
    return tuple(
        AdapterView(a, tuple(url for url in urls if verified_on(observed, a.served, url)), len(urls))
        for a in adapters
    )
