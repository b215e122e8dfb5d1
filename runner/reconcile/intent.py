"""Which arms the alias may be given now: what Git says, less promotions that suspension or a freeze holds.

Going back is never held: a weight that falls, a candidate that leaves, a baseline that was trusted before or
is an ancestor. Called by `plan`. Computation only.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import TerminalError
from runner.reconcile.actions import Hold, HoldReason
from runner.reconcile.desired import Desired
from runner.reconcile.freeze import in_force
from runner.reconcile.observed import Intent, Memory, Observed
from runner.serving.routes import RouteTable, Version


@dataclass(frozen=True, slots=True)
class Allowed:
    """The arms to give now, and what was held back from what the spec says."""

    intent: Intent
    holds: tuple[Hold, ...] = ()


def declared(desired: Desired) -> Intent:
    """Return the arms exactly as the spec says."""
    trial = desired.trial
    if trial is None:
        return Intent(desired.baseline, shadow=desired.shadow)
    return Intent(desired.baseline, trial.candidate, trial.weight, trial.groups, desired.shadow)


def allowed(desired: Desired, observed: Observed, now: float) -> Allowed:
    """Return what the spec says, with forward steps taken out while promotions are stopped."""
    wanted = declared(desired)
    stop = _stop(desired, now)
    given = accepted(observed, desired.alias)
    if stop is None or given is None or wanted == given:
        return Allowed(wanted)
    return _held_back(desired, observed.memory, wanted, given, stop)


def accepted(observed: Observed, alias: str) -> Intent | None:
    """Return the arms last given to the alias: as journalled, else as the newest live table shows them."""
    if observed.memory.accepted is not None:
        return observed.memory.accepted
    return shown(observed.live(), alias)


def shown(table: RouteTable | None, alias: str) -> Intent | None:
    """Return the arms that a table gives to an alias, or None where it has no such route."""
    route = table.route(alias) if table else None
    if route is None:
        return None
    if route.split is None:
        return Intent(route.baseline, shadow=route.shadow)
    split = route.split
    return Intent(route.baseline, split.candidate, split.weight, split.groups, route.shadow)


def goes_back(desired: Desired, memory: Memory, new: Version, old: Version) -> bool:
    """Return whether `new` was trusted before `old` was, or is one of its ancestors."""
    if new.served in memory.trusted and old.served in memory.trusted:
        return memory.trusted.index(new.served) < memory.trusted.index(old.served)
    return new.name in desired.ancestors.get(old.name, frozenset())


def _stop(desired: Desired, now: float) -> tuple[HoldReason, str] | None:
    if desired.suspended:
        return HoldReason.SUSPENDED, f"'{desired.environment}' has suspend: true"
    try:
        window = in_force(desired.freezes, now)
    except TerminalError as error:
        # A guard that cannot be computed stops what it guards, and nothing else: healing has to go on.
        return HoldReason.FROZEN, error.diagnostics[0].summary
    if window is None:
        return None
    return HoldReason.FROZEN, f"{window.start} to {window.end} {window.zone}: {window.reason}"


def _held_back(
    desired: Desired, memory: Memory, wanted: Intent, given: Intent, stop: tuple[HoldReason, str]
) -> Allowed:
    reason, why = stop
    holds: list[Hold] = []
    baseline = wanted.baseline
    if baseline != given.baseline and not goes_back(desired, memory, baseline, given.baseline):
        text = f"{baseline.name} does not replace {given.baseline.name} as baseline: {why}"
        holds.append(Hold(f"baseline {baseline.name}", reason, text, next="promoted once promotions go on"))
        baseline = given.baseline
    candidate, weight, groups = _trial_held_back(wanted, given, baseline)
    if (candidate, weight, groups) != (wanted.candidate, wanted.weight, wanted.groups) and wanted.candidate:
        text = f"{wanted.candidate.name} stays at {weight:.0%} and does not go to {wanted.weight:.0%}: {why}"
        holds.append(
            Hold(f"rollout {wanted.candidate.name}", reason, text, next="advances once promotions go on")
        )
    return Allowed(Intent(baseline, candidate, weight, groups, wanted.shadow), tuple(holds))


def _trial_held_back(
    wanted: Intent, given: Intent, baseline: Version
) -> tuple[Version | None, float, tuple[str, ...]]:
    """Return the trial without its forward part: no new candidate, no more weight, no new group."""
    if wanted.candidate is None or wanted.candidate != given.candidate or baseline != given.baseline:
        return None, 0.0, ()
    groups = tuple(group for group in wanted.groups if group in given.groups)
    return wanted.candidate, min(wanted.weight, given.weight), groups
