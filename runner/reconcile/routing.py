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
from runner.reconcile.intent import (
    Mark,
    accepted,
    goes_back,
    heard,
    is_among,
    mark_of,
    marks_of,
    quarantined,
    shown,
)
from runner.reconcile.memory import serves_of
from runner.reconcile.observed import GatewayView, Intent, Observed, Replica
from runner.serving.routes import Experiment, Route, RouteTable, Split, Version, to_json

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
    health check sends requests elsewhere), and gets no new one: an outage neither prunes nor promotes. A pair that
    is routed while this runner has proven nothing yet was proven by another one (or by itself, before its journal
    was lost): it stays while these bytes are served there, and is proven again next.
    """
    pairs: dict[str, set[str]] = {}
    for url, served in observed.memory.verified:
        if verified_on(observed, served, url):
            pairs.setdefault(served, set()).add(url)
    for served, url in _routed(observed):
        unknown = isinstance(observed.replicas.get(url), Unknown)
        if (unknown and (url, served) in observed.memory.verified) or _inherited(observed, served, url):
            pairs.setdefault(served, set()).add(url)
    return {served: tuple(sorted(urls)) for served, urls in sorted(pairs.items())}


def _inherited(observed: Observed, served: str, url: str) -> bool:
    """Return whether a replica serves these bytes and this runner has proven nothing at all yet.

    A runner that has a history of its own trusts that alone: what somebody routed by hand is proven first.
    """
    replica = observed.replicas.get(url)
    there = isinstance(replica, Replica) and replica.root_of(served) == observed.path(served)
    return there and not observed.memory.verified and not observed.memory.failures


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
    shadow = intent.shadow if intent.shadow and pairs.get(intent.shadow.version.served) else None
    experiments, waiting = _experiments(intent, pairs)
    bad = quarantined(desired, observed)
    versions = tuple(
        each for each in _pinned(desired, needed, pairs) if not is_among(each, bad) or each == baseline
    )
    named = [baseline, *versions, *(version for each in experiments for version in each.versions)]
    named += [split.candidate] if split else []
    named += [shadow.version] if shadow else []
    used = {version.served for version in named}
    table = RouteTable(
        revision=desired.revision,
        routes=(Route(desired.alias, baseline, split, shadow, experiments),),
        pinned=versions,
        replicas={served: pairs[served] for served in sorted(used) if pairs.get(served)},
        quarantined=tuple(map(str, _marks(desired, observed))),
    )
    holds += waiting
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
        if (serves(view.table) != wanted or _says_more(desired, observed, view))
        and not (empty and not view.table.routes and not view.table.replicas)
    )


def _marks(desired: Desired, observed: Observed) -> list[Mark]:
    """Return what the table has to tell other runners: every rollback that Git does not show yet."""
    told = {*heard(observed), *map(mark_of, observed.memory.rollbacks.values())}
    return sorted(mark for mark in told if mark.served not in desired.quarantine)


def _says_more(desired: Desired, observed: Observed, view: GatewayView) -> bool:
    """Return whether a table still tells of a rollback that Git shows by now, or has shown and lifted since."""
    return not marks_of(view.table) <= set(_marks(desired, observed))


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


def _experiments(intent: Intent, pairs: Pairs) -> tuple[tuple[Experiment, ...], tuple[Hold, ...]]:
    """Return the experiments all of whose versions are proven; with one of them away the others would be compared
    on other users than declared.
    """
    ready, holds = [], []
    for experiment in intent.experiments:
        missing = [version for version in experiment.versions if not pairs.get(version.served)]
        if missing:
            holds.append(_unverified(f"experiment {experiment.name}:", missing[0], "nobody takes part yet"))
        else:
            ready.append(experiment)
    return tuple(ready), tuple(holds)


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
    shadow, experiments = intent.shadow, intent.experiments
    if split is not None:
        return Intent(baseline, split.candidate, split.weight, split.groups, shadow, experiments)
    if (
        given is None
        or given.candidate is None
        or (given.baseline, given.candidate) != (baseline, intent.candidate)
    ):
        return Intent(baseline, shadow=shadow, experiments=experiments)
    weight = min(given.weight, intent.weight)
    return Intent(baseline, given.candidate, weight, given.groups, shadow, experiments)


def _unverified(what: str, version: Version, text: str) -> Hold:
    return Hold(f"{what} {version.name}", HoldReason.UNVERIFIED, f"{version.served}: {text}")


def _reason(desired: Desired, observed: Observed, view: GatewayView, routing: Routing) -> Reason:
    pairs = {(served, url) for served, urls in view.table.replicas.items() for url in urls}
    wanted = {(served, url) for served, urls in routing.table.replicas.items() for url in urls}
    before, after = shown(view.table, desired.alias), shown(routing.table, desired.alias)
    if any(not verified_on(observed, served, url) for served, url in pairs - wanted):
        return Reason.PAIR_WITHDRAWN
    if before is None:
        return Reason.GATEWAY_EMPTY
    if before == after and pairs == wanted and _says_more(desired, observed, view):
        return Reason.IN_GIT
    if observed.memory.content and serves(view.table) != observed.memory.content:
        return Reason.CHANGED_BY_HAND
    if after is None or before == after:
        heard = Reason.IN_GIT if _says_more(desired, observed, view) else Reason.NOT_DECLARED
        return Reason.REPLICA_READY if wanted - pairs else heard
    return Reason.PROMOTED if _goes_forward(desired, observed, before, after) else Reason.ROLLED_BACK


def _goes_forward(desired: Desired, observed: Observed, before: Intent, after: Intent) -> bool:
    if after.baseline != before.baseline:
        return not goes_back(desired, observed.memory, after.baseline, before.baseline)
    return after.candidate is not None and (
        after.candidate != before.candidate or after.weight > before.weight
    )
