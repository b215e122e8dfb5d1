"""The route table that verified facts allow, and the switches that bring gateways to it.

Invariant 4 lives here: a pair of adapter and replica enters a table only where the journal says that it was
verified on that very process. Called by `plan`. Computation only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner import digest
from runner.errors import Unknown
from runner.reconcile.actions import Hold, HoldReason, Reason, SwitchRoutes
from runner.reconcile.desired import Desired
from runner.reconcile.intent import accepted, goes_back, shown
from runner.reconcile.memory import serves_of
from runner.reconcile.observed import GatewayView, Intent, Observed, Replica
from runner.serving.routes import Route, RouteTable, Split, Version, to_json

Pairs = Mapping[str, tuple[str, ...]]
"""Served name -> replicas on which it may be routed."""


@dataclass(frozen=True, slots=True)
class Routing:
    """The table to serve now, the intent it carries, and what it could not give."""

    table: RouteTable
    intent: Intent | None
    holds: tuple[Hold, ...] = ()


def verified_on(observed: Observed, served: str, url: str) -> bool:
    """Return whether this replica serves these bytes, proven on the process that runs now."""
    replica = observed.replicas.get(url)
    return (
        isinstance(replica, Replica)
        and replica.root_of(served) == observed.path(served)
        and observed.memory.verified.get((url, served)) == replica.instance
    )


def routable(observed: Observed) -> Pairs:
    """Return every pair that may be routed.

    A replica that does not answer keeps the pairs it has in a live table and once verified (the gateway's own
    health check sends requests elsewhere), and gets no new one: an outage neither prunes nor promotes.
    """
    pairs: dict[str, set[str]] = {}
    for url, served in observed.memory.verified:
        if verified_on(observed, served, url):
            pairs.setdefault(served, set()).add(url)
    for served, url in _routed(observed):
        unknown = isinstance(observed.replicas.get(url), Unknown)
        if unknown and (url, served) in observed.memory.verified:
            pairs.setdefault(served, set()).add(url)
    return {served: tuple(sorted(urls)) for served, urls in sorted(pairs.items())}


def route(
    desired: Desired, observed: Observed, intent: Intent, pairs: Pairs, needed: frozenset[str]
) -> Routing:
    """Return the table for `intent` over `pairs`; `needed` may be asked for by name."""
    live, given = shown(observed.live(), desired.alias), accepted(observed, desired.alias)
    baseline, holds = _baseline(live, given, intent, pairs)
    if baseline is None:
        return Routing(RouteTable(revision=desired.revision), None, holds)
    split = _split(live, intent, baseline, pairs)
    if intent.candidate and split is None and baseline == intent.baseline:
        holds += (_unverified("rollout", intent.candidate, "gets no traffic until a replica has proven it"),)
    shadow = intent.shadow if intent.shadow and pairs.get(intent.shadow.served) else None
    versions = _pinned(desired, needed, pairs)
    used = {v.served for v in (baseline, shadow, split and split.candidate, *versions) if v}
    table = RouteTable(
        revision=desired.revision,
        routes=(Route(desired.alias, baseline, split, shadow),),
        pinned=versions,
        replicas={served: pairs[served] for served in sorted(used) if pairs.get(served)},
    )
    return Routing(table, _carried(intent, given, baseline, split), holds)


def rollout_id(candidate: Version, baseline: Version) -> str:
    """Return the id of a trial: the same two sets of bytes are always the same trial, on every gateway."""
    return digest.short(digest.of_value([candidate.digest, baseline.digest]))


def serves(table: RouteTable) -> str:
    """Return a digest of what users get: the table without generation and revision."""
    return serves_of(to_json(table))


def switches(desired: Desired, observed: Observed, routing: Routing) -> tuple[SwitchRoutes, ...]:
    """Return a switch for every gateway that answered and serves something else."""
    wanted = serves(routing.table)
    empty = not routing.table.routes
    return tuple(
        SwitchRoutes(url, routing.table, routing.intent, _reason(desired, observed, view, routing))
        for url, view in observed.known_gateways()
        if serves(view.table) != wanted and not (empty and not view.table.routes and not view.table.replicas)
    )


def _routed(observed: Observed) -> set[tuple[str, str]]:
    return {
        (served, url)
        for _, view in observed.known_gateways()
        for served, urls in view.table.replicas.items()
        for url in urls
    }


def _baseline(
    live: Intent | None, given: Intent | None, intent: Intent, pairs: Pairs
) -> tuple[Version | None, tuple[Hold, ...]]:
    """Return the declared baseline where it is proven, else the last one that is, else the one routed now."""
    if pairs.get(intent.baseline.served):
        return intent.baseline, ()
    hold = _unverified(
        "baseline", intent.baseline, "the routes stay as they are until a replica has proven it"
    )
    earlier = [arms.baseline for arms in (given, live) if arms]
    proven = [version for version in earlier if pairs.get(version.served)]
    return next(iter(proven), live.baseline if live else None), (hold,)


def _split(before: Intent | None, intent: Intent, baseline: Version, pairs: Pairs) -> Split | None:
    if intent.candidate is None or not pairs.get(intent.candidate.served) or intent.candidate == baseline:
        return None
    name = rollout_id(intent.candidate, baseline)
    if baseline == intent.baseline:
        return Split(name, intent.candidate, intent.weight, intent.groups)
    if before is None or before.candidate != intent.candidate or before.baseline != baseline:
        return None
    return Split(name, intent.candidate, min(before.weight, intent.weight), before.groups)


def _pinned(desired: Desired, needed: frozenset[str], pairs: Pairs) -> tuple[Version, ...]:
    library = (desired.library[served].version for served in sorted(needed) if served in desired.library)
    return tuple(version for version in library if pairs.get(version.served))


def _carried(intent: Intent, given: Intent | None, baseline: Version, split: Split | None) -> Intent:
    """Return the arms to remember as given: those of the table, and those that wait for a replica to return.

    An arm that was never given is left out, or a freeze window that begins now could not hold it any more.
    """
    if baseline != intent.baseline and given is not None:
        baseline = given.baseline
    if split is not None:
        return Intent(baseline, split.candidate, split.weight, split.groups, intent.shadow)
    if (
        given is None
        or given.candidate is None
        or (given.baseline, given.candidate) != (baseline, intent.candidate)
    ):
        return Intent(baseline, shadow=intent.shadow)
    return Intent(baseline, given.candidate, min(given.weight, intent.weight), given.groups, intent.shadow)


def _unverified(what: str, version: Version, text: str) -> Hold:
    return Hold(f"{what} {version.name}", HoldReason.UNVERIFIED, f"{version.served}: {text}")


def _reason(desired: Desired, observed: Observed, view: GatewayView, routing: Routing) -> Reason:
    pairs = {(served, url) for served, urls in view.table.replicas.items() for url in urls}
    wanted = {(served, url) for served, urls in routing.table.replicas.items() for url in urls}
    memory = observed.memory
    before, after = shown(view.table, desired.alias), shown(routing.table, desired.alias)
    if any(not verified_on(observed, served, url) for served, url in pairs - wanted):
        return Reason.PAIR_WITHDRAWN
    if before is None:
        return Reason.GATEWAY_EMPTY
    if memory.content and serves(view.table) != memory.content:
        return Reason.CHANGED_BY_HAND
    if after is None or before == after:
        return Reason.REPLICA_READY if wanted - pairs else Reason.NOT_DECLARED
    if after.baseline != before.baseline:
        back = goes_back(desired, memory, after.baseline, before.baseline)
        return Reason.ROLLED_BACK if back else Reason.PROMOTED
    forward = after.candidate is not None and (
        after.candidate != before.candidate or after.weight > before.weight
    )
    return Reason.PROMOTED if forward else Reason.ROLLED_BACK
