"""Bringing declared adapters up: refuse what does not fit, then pull, place, load and probe what is missing.

Called by `plan`. Computation only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner import digest
from runner.errors import Unknown
from runner.reconcile.actions import (
    Action,
    Hold,
    HoldReason,
    LoadAdapter,
    PlaceFiles,
    ProbeAdapter,
    PullData,
    Reason,
    UnloadAdapter,
    subject,
    target,
)
from runner.reconcile.desired import Adapter, Desired, Role
from runner.reconcile.observed import FailureKind, Intent, Observed, Replica
from runner.reconcile.routing import verified_on

LONGEST_BACKOFF = 300.0

Steps = tuple[list[Action], list[Hold]]


def wanted(desired: Desired, intent: Intent) -> tuple[Adapter, ...]:
    """Return the declared adapters and those that a held promotion still needs, in order of role."""
    declared = {adapter.served: adapter for adapter in desired.adapters}
    shadow = intent.shadow.version if intent.shadow else None
    for version in (intent.baseline, intent.candidate, shadow):
        if version is not None and version.served not in declared and version.served in desired.library:
            declared[version.served] = replace(desired.library[version.served], role=Role.HELD)
    order = list(Role)
    held_first = [a for a in declared.values() if a.served == intent.baseline.served]
    rest = sorted((a for a in declared.values() if a not in held_first), key=lambda a: order.index(a.role))
    return (*held_first, *rest)


def fitting(desired: Desired, adapters: Sequence[Adapter]) -> tuple[tuple[Adapter, ...], list[Hold]]:
    """Return the adapters that the engine can hold, and a hold with both numbers for each that it cannot."""
    limits = desired.limits
    kept: list[Adapter] = []
    holds: list[Hold] = []
    for adapter in adapters:
        if adapter.rank > limits.max_lora_rank:
            text = (
                f"{adapter.served} has rank {adapter.rank}, the engine takes at most {limits.max_lora_rank}"
            )
            fix = f"raise max_lora_rank of '{desired.environment}' or train a smaller adapter"
            holds.append(Hold(f"adapter {adapter.version.name}", HoldReason.RANK, text, next=fix))
        elif len(kept) >= limits.slots:
            figures = f"{len(adapters)} adapters, {limits.slots} slots"
            text = f"{adapter.served} ({adapter.role}) finds no slot: {figures}"
            fix = f"raise max_cpu_loras of '{desired.environment}' or declare fewer versions"
            holds.append(Hold(f"adapter {adapter.version.name}", HoldReason.SLOTS, text, next=fix))
        else:
            kept.append(adapter)
    return tuple(kept), holds


def bring_up(desired: Desired, observed: Observed, adapter: Adapter, now: float) -> Steps:
    """Return what this adapter still needs, file first, then replica after replica; or why it has to wait."""
    actions, holds = _files(desired, observed, adapter, now)
    if any(hold.reason != HoldReason.UNKNOWN for hold in holds):
        return actions, holds
    for url, _ in observed.known_replicas():
        steps, waits = _on_replica(desired, observed, adapter, url, now)
        actions += steps
        holds += waits
    return actions, holds


def waiting(observed: Observed, action: Action, now: float) -> Hold | None:
    """Return the hold on an action that failed before, or None where it may be tried.

    What an engine refused for good stays refused while the engine is the same. Everything else is tried again,
    less and less often: a file can be put right without a commit.
    """
    failures = observed.memory.failures
    lasting = failures.get(subject(action))
    final = (
        isinstance(action, LoadAdapter | ProbeAdapter) and lasting and lasting.kind is FailureKind.TERMINAL
    )
    if final and lasting and lasting.config == action.config:
        next_step = "not tried again until the digest or the engine changes"
        return Hold(subject(action), HoldReason.TERMINAL, lasting.message, next=next_step)
    passing = failures.get(target(action))
    if passing is None or passing.config != action.config:
        return None
    until = passing.at + backoff(passing.count)
    if not passing.at <= now < until:  # before it: the clock was set back, and says nothing of the wait
        return None
    text = f"{passing.message} ({passing.count} in a row)"
    return Hold(target(action), HoldReason.BACKOFF, text, until=until, next="tried again after the wait")


def backoff(count: int) -> float:
    """Return the seconds to wait after `count` failures in a row: 1, 2, 4, ... and at most five minutes."""
    return min(LONGEST_BACKOFF, 2.0 ** min(count - 1, 16))


def _files(desired: Desired, observed: Observed, adapter: Adapter, now: float) -> Steps:
    if isinstance(observed.placed, Unknown):
        text = f"the adapter store did not answer: {observed.placed.reason}"
        return [], [
            Hold(f"files of {adapter.served}", HoldReason.BACKOFF, text, next="looked at again next pass")
        ]
    if adapter.served in observed.placed:
        return [], []
    bytes_missing = not isinstance(observed.data, Unknown) and adapter.source in observed.data.missing
    pull = PullData(adapter.served, adapter.source, Reason.BYTES_MISSING, desired.revision)
    place = PlaceFiles(
        adapter.served, adapter.source, adapter.version.digest, Reason.FILES_MISSING, desired.revision
    )
    steps: list[Action] = [pull, place] if bytes_missing else [place]
    holds = [hold for step in steps if (hold := waiting(observed, step, now))]
    return ([], holds) if holds else (steps, [])


def _on_replica(desired: Desired, observed: Observed, adapter: Adapter, url: str, now: float) -> Steps:
    served, path = adapter.served, observed.path(adapter.served)
    if verified_on(observed, served, url):
        return [], []
    replica = observed.replicas[url]
    assert isinstance(replica, Replica), "only replicas that answered are brought up"  # noqa: S101
    root = replica.root_of(served)
    if root is not None and root != path:
        return _wrong_root(observed, adapter, url, root)
    known = observed.memory.verified.get((url, served))
    bytes_ = adapter.version.digest
    load = LoadAdapter(
        served, url, path, bytes_, Reason.LOST if known else Reason.DECLARED, _config(desired, replica)
    )
    why = Reason.RESTARTED if known and known != replica.instance else Reason.NOT_VERIFIED
    probe = ProbeAdapter(served, url, replica.instance, path, bytes_, why)
    steps: list[Action] = [load, probe] if root is None else [probe]
    holds = [hold for step in steps if (hold := waiting(observed, step, now))]
    return ([], holds) if holds else (steps, [])


def _wrong_root(observed: Observed, adapter: Adapter, url: str, root: str) -> Steps:
    served, name = adapter.served, f"adapter {adapter.version.name} on {url}"
    if (url, served) not in observed.memory.loaded:
        text = f"{url} serves '{served}' from {root}, not from {observed.path(served)}"
        fix = "unload it there by hand; it was not loaded by this runner, so it is left alone"
        return [], [Hold(name, HoldReason.FOREIGN, text, next=fix)]
    silent = [gateway for gateway, view in observed.gateways.items() if isinstance(view, Unknown)]
    if silent:
        text = f"it has another path, {root}; {', '.join(sorted(silent))} did not answer and may route to it"
        return [], [Hold(name, HoldReason.UNKNOWN, text)]
    views = [view for _, view in observed.known_gateways()]
    if any(url in view.table.replicas.get(served, ()) or view.in_flight.get(served) for view in views):
        return [], [Hold(name, HoldReason.IN_USE, f"it has another path, {root}, and answers requests")]
    return [UnloadAdapter(served, url, Reason.WRONG_ROOT)], []


def _config(desired: Desired, replica: Replica) -> str:
    return digest.short(digest.of_value([desired.engine_config, replica.version]))
