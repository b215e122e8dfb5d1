"""Taking away what is not declared any more: drain, unload, wait, delete. Only what the inventory owns.

Not while a system that may still use an adapter is Unknown, not when nothing is declared, and in one pass no
more than `prune_limit`. Called by `plan`. Computation only.
"""

from __future__ import annotations

from runner.errors import Unknown
from runner.reconcile.actions import (
    Action,
    DeleteFiles,
    Hold,
    HoldReason,
    Reason,
    RetireFiles,
    UnloadAdapter,
    target,
)
from runner.reconcile.adapters import Steps, waiting
from runner.reconcile.desired import Desired
from runner.reconcile.observed import Observed
from runner.serving.routes import RouteTable


def prune(desired: Desired, observed: Observed, needed: frozenset[str], now: float) -> Steps:
    """Return the removals that are safe now and the reasons for those that are not."""
    surplus = sorted(observed.memory.owned - needed)
    if not needed:
        text = f"{len(surplus)} adapters would be removed and none is declared"
        hold = Hold("inventory", HoldReason.EMPTY_DESIRED, text, next="declare at least a baseline")
        return [], [hold] if surplus else []
    actions: list[Action] = []
    holds: list[Hold] = []
    for served in surplus:
        steps, waits = _remove(desired, observed, served, now)
        actions += steps
        holds += waits
    return _within_limit(desired, observed, actions, holds)


def _remove(desired: Desired, observed: Observed, served: str, now: float) -> Steps:
    loaded = [
        url for url, replica in observed.known_replicas() if replica.root_of(served) == observed.path(served)
    ]
    placed = not isinstance(observed.placed, Unknown) and served in observed.placed
    if not loaded and not placed:
        return [], []
    if hold := _in_use(observed, served):
        return [], [hold]
    if loaded:
        return _tried([UnloadAdapter(served, url, Reason.NOT_DECLARED) for url in loaded], observed, now)
    return _files(desired, observed, served, now)


def _in_use(observed: Observed, served: str) -> Hold | None:
    """Return why an adapter may not go yet: somebody routes to it, answers with it, or did not say."""
    silent = [name for name, _ in observed.unknowns() if name.startswith(("replica", "gateway"))]
    if silent:
        text = f"{served} stays: {', '.join(silent)} did not answer and may still use it"
        return Hold(f"unload {served}", HoldReason.UNKNOWN, text, next="looked at again once all answer")
    for url, view in observed.known_gateways():
        if served in mentioned(view.table):
            return Hold(f"unload {served}", HoldReason.IN_USE, f"{served} is still in the routes of {url}")
        if busy := view.in_flight.get(served, 0):
            return Hold(
                f"unload {served}", HoldReason.DRAINING, f"{served} has {busy} requests under way at {url}"
            )
    return None


def mentioned(table: RouteTable) -> frozenset[str]:
    """Return every served name that a table can lead a request to."""
    versions = [*table.pinned]
    for route in table.routes:
        versions += [route.baseline, *([route.split.candidate] if route.split else [])]
        versions += [route.shadow.version] if route.shadow else []
        versions += [version for each in route.experiments for version in each.versions]
    return frozenset(table.replicas) | {version.served for version in versions}


def _files(desired: Desired, observed: Observed, served: str, now: float) -> Steps:
    released = observed.memory.released.get(served)
    if released is None:
        return [RetireFiles(served, Reason.NOT_DECLARED)], []
    until = released + desired.limits.grace_period
    if now < until:
        text = f"files of {served} stay for the grace period of {desired.limits.grace_period:.0f} s"
        return [], [Hold(f"delete {served}", HoldReason.GRACE, text, until=until)]
    return _tried([DeleteFiles(served, Reason.GRACE_OVER)], observed, now)


def _tried(actions: list[Action], observed: Observed, now: float) -> Steps:
    holds = [hold for action in actions if (hold := waiting(observed, action, now))]
    held = {hold.subject for hold in holds}
    return [action for action in actions if target(action) not in held], holds


def _within_limit(desired: Desired, observed: Observed, actions: list[Action], holds: list[Hold]) -> Steps:
    """Refuse to unload more adapters than the limit; delete as many as the limit, longest released first."""
    limit = desired.limits.prune_limit
    unloads = {action.served for action in actions if isinstance(action, UnloadAdapter)}
    deletes = [action for action in actions if isinstance(action, DeleteFiles)]
    rest: list[Action] = [action for action in actions if not isinstance(action, UnloadAdapter | DeleteFiles)]
    if len(unloads) > limit:
        text = f"{len(unloads)} adapters would be unloaded, the limit of one pass is {limit}"
        fix = "check that they are meant to go, then raise prune_limit or remove fewer at a time"
        holds.append(Hold("inventory", HoldReason.PRUNE_LIMIT, text, next=fix))
    else:
        rest += [action for action in actions if isinstance(action, UnloadAdapter)]
    oldest = sorted(deletes, key=lambda action: (observed.memory.released[action.served], action.served))
    return [*rest, *oldest[:limit]], holds
