"""Which arms the alias may be given now: what Git says, less promotions that suspension or a freeze holds.

Going back is never held: a weight that falls, a candidate that leaves, a baseline that was trusted before or
is an ancestor. Called by `plan`. Computation only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner import digest
from runner.errors import TerminalError
from runner.reconcile.actions import Hold, HoldReason
from runner.reconcile.desired import Desired, Soak
from runner.reconcile.freeze import in_force
from runner.reconcile.observed import Intent, Memory, Observed, Rollback
from runner.serving.routes import RouteTable, Version


@dataclass(frozen=True, slots=True)
class Allowed:
    """The arms to give now, and what was held back from what the spec says."""

    intent: Intent
    holds: tuple[Hold, ...] = ()


def declared(desired: Desired) -> Intent:
    """Return the arms exactly as the spec says."""
    trial, shadow, experiments = desired.trial, desired.shadow, desired.experiments
    if trial is None:
        return Intent(desired.baseline, shadow=shadow, experiments=experiments)
    return Intent(desired.baseline, trial.candidate, trial.weight, trial.groups, shadow, experiments)


def allowed(desired: Desired, observed: Observed, now: float) -> Allowed:
    """Return what the spec says, less what was rolled back, what has to soak, and forward steps while stopped."""
    given = accepted(observed, desired.alias)
    safe = _without_quarantined(desired, observed, declared(desired), given)
    ready = _without_unproven(desired, safe, given, now)
    wanted, holds = ready.intent, (*safe.holds, *ready.holds)
    stop = _stop(desired, now)
    if stop is None or wanted == given:
        return Allowed(wanted, holds)
    if given is None:  # nothing serves yet: the baseline may, and nothing goes on trial
        given = Intent(wanted.baseline, shadow=wanted.shadow)
    held = _held_back(desired, observed.memory, wanted, given, stop)
    return Allowed(held.intent, (*holds, *held.holds))


def quarantined(desired: Desired, observed: Observed) -> frozenset[str]:
    """Return every served name that may not be on trial: by Git, by our journal, by another runner's word.

    What another runner rolled back stands in the gateways' tables until Git shows it.
    """
    told = {mark.served for mark in heard(observed)}
    return desired.quarantine | observed.memory.rollbacks.keys() | told | observed.barred


def is_among(version: Version, served: frozenset[str]) -> bool:
    """Return whether a version's bytes are among those, under whatever name: what is bad is the digest."""
    return any(name.endswith(f"--{digest.short(version.digest)}") for name in served)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """What a route table tells runners: these bytes were rolled back then (microseconds since 1970)."""

    served: str
    at_us: int

    def __str__(self) -> str:
        return f"{self.served}@{self.at_us}"


def mark_of(rollback: Rollback) -> Mark:
    """Return what is told of a rollback."""
    return Mark(rollback.served, int(rollback.at * 1_000_000))


def heard(observed: Observed) -> frozenset[Mark]:
    """Return the rollbacks that the gateways' tables tell of and that Git, as far as we remember, never showed."""
    known = {past.served: mark_of(past).at_us for past in observed.memory.past}
    told = {mark for _, view in observed.known_gateways() for mark in marks_of(view.table)}
    return frozenset(mark for mark in told if mark.at_us > known.get(mark.served, -1))


def marks_of(table: RouteTable) -> frozenset[Mark]:
    """Return what a table tells runners; what is none of ours is left out."""
    pairs = (text.rpartition("@") for text in table.quarantined)
    return frozenset(Mark(served, int(at)) for served, _, at in pairs if at.isdecimal())


def stopped(desired: Desired, now: float) -> tuple[HoldReason, str] | None:
    """Return why nothing may be promoted now, or None."""
    return _stop(desired, now)


def _without_quarantined(
    desired: Desired, observed: Observed, wanted: Intent, given: Intent | None
) -> Allowed:
    bad = quarantined(desired, observed)
    holds: list[Hold] = []
    if (
        given is not None
        and is_among(wanted.baseline, bad)
        and _moves_on(desired, observed.memory, wanted, given)
    ):
        # Such as a conclusion that is merged after its candidate went back. What serves already goes on.
        text = (
            f"{wanted.baseline.served} was rolled back and does not replace {given.baseline.name} as baseline"
        )
        next_step = "revert the commit that makes it the baseline, or lift its quarantine"
        holds.append(Hold(f"baseline {wanted.baseline.name}", HoldReason.QUARANTINED, text, next=next_step))
        wanted = replace(wanted, baseline=given.baseline)
    if wanted.candidate is not None and is_among(wanted.candidate, bad):
        holds.append(_rolled_back(desired, observed.memory, wanted.candidate))
        wanted = replace(wanted, candidate=None, weight=0.0, groups=())
    kept = []
    for experiment in wanted.experiments:
        refused = [version.name for version in experiment.versions if is_among(version, bad)]
        if refused:
            text = f"{', '.join(refused)} was rolled back, so nobody takes part"
            holds.append(Hold(f"experiment {experiment.name}", HoldReason.QUARANTINED, text, next=_LIFT))
        else:
            kept.append(experiment)
    return Allowed(replace(wanted, experiments=tuple(kept)), tuple(holds))


def _moves_on(desired: Desired, memory: Memory, wanted: Intent, given: Intent) -> bool:
    """Return whether the baseline becomes another one that is no step back."""
    new, old = wanted.baseline, given.baseline
    return new != old and not goes_back(desired, memory, new, old)


_LIFT = "a commit that deletes its entry in quarantine.yaml puts it on trial again"


def _rolled_back(desired: Desired, memory: Memory, candidate: Version) -> Hold:
    name, served = f"rollout {candidate.name}", candidate.served
    if is_among(candidate, desired.quarantine):
        text = f"{served} stands in quarantine.yaml and gets no traffic"
        return Hold(name, HoldReason.QUARANTINED, text, next=_LIFT)
    rollback = memory.rollbacks.get(served)
    if rollback is None and any(past.served == served for past in memory.past):
        text = f"{served} was rolled back by a commit that this history does not have"
        return Hold(
            name, HoldReason.QUARANTINED, text, next="a history that has it, or another version, goes on"
        )
    if rollback is None:
        text = f"another runner rolled {served} back; Git does not say so yet"
        return Hold(name, HoldReason.PENDING_GIT, text, next="it writes the commit")
    text = f"{served} was rolled back at '{rollback.stage}': {rollback.condition}"
    if rollback.written and len(rollback.written) != _SHA:
        return Hold(name, HoldReason.PENDING_GIT, text, next=f"a person merges {rollback.written}")
    return Hold(name, HoldReason.PENDING_GIT, text, next="the commit that says so is tried until it lands")


_SHA = 40


def _without_unproven(desired: Desired, safe: Allowed, given: Intent | None, now: float) -> Allowed:
    """Take out a candidate that has yet to prove itself elsewhere, or whose evaluation does not speak for it.

    A trial that has begun goes on, whatever becomes of the other environment, but not against its evaluation.
    """
    wanted, soak = safe.intent, desired.soak
    if soak is None or wanted.candidate is None:
        return Allowed(wanted)
    begun = given is not None and given.candidate == wanted.candidate
    missing = [*soak.doubts, *(() if begun else _unsoaked(soak, now))]
    if not missing:
        return Allowed(wanted)
    until = soak.since + soak.seconds if soak.since is not None and not soak.doubts else None
    hold = Hold(
        f"rollout {wanted.candidate.name}",
        HoldReason.UNPROVEN if soak.doubts else HoldReason.SOAK,
        f"{wanted.candidate.name} {'leaves its trial' if begun else 'does not go on trial yet'}: {'; '.join(missing)}",
        until=until,
        next="begins once all of it is shown",
    )
    return Allowed(replace(wanted, candidate=None, weight=0.0, groups=()), (hold,))


def _unsoaked(soak: Soak, now: float) -> Iterator[str]:
    if soak.since is None:
        yield f"it is not the baseline of '{soak.environment}'"
    elif now < soak.since + soak.seconds:
        served_for = max(0.0, now - soak.since)
        hours = f"{served_for / 3600:.1f} of {soak.seconds / 3600:g} h"
        yield f"it has been the baseline of '{soak.environment}' for {hours}"


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
    shadow, experiments, split = route.shadow, route.experiments, route.split
    if split is None:
        return Intent(route.baseline, shadow=shadow, experiments=experiments)
    return Intent(route.baseline, split.candidate, split.weight, split.groups, shadow, experiments)


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
    if _moves_on(desired, memory, wanted, given):
        text = f"{baseline.name} does not replace {given.baseline.name} as baseline: {why}"
        holds.append(Hold(f"baseline {baseline.name}", reason, text, next="promoted once promotions go on"))
        baseline = given.baseline
    candidate, weight, groups = _trial_held_back(wanted, given, baseline)
    if (candidate, weight, groups) != (wanted.candidate, wanted.weight, wanted.groups) and wanted.candidate:
        text = f"{wanted.candidate.name} stays at {weight:.0%} and does not go to {wanted.weight:.0%}: {why}"
        holds.append(
            Hold(f"rollout {wanted.candidate.name}", reason, text, next="advances once promotions go on")
        )
    begun = {experiment.id for experiment in given.experiments}
    experiments = tuple(each for each in wanted.experiments if each.id in begun)
    for each in wanted.experiments:
        if each.id not in begun:
            holds.append(Hold(f"experiment {each.name}", reason, f"does not begin: {why}"))
    return Allowed(Intent(baseline, candidate, weight, groups, wanted.shadow, experiments), tuple(holds))


def _trial_held_back(
    wanted: Intent, given: Intent, baseline: Version
) -> tuple[Version | None, float, tuple[str, ...]]:
    """Return the trial without its forward part: no new candidate, no more weight, no new group.

    One that Git has concluded goes on as it is, until its candidate may be the baseline.
    """
    if wanted.candidate is None and wanted.baseline == given.candidate != baseline == given.baseline:
        return given.candidate, given.weight, given.groups
    if wanted.candidate is None or wanted.candidate != given.candidate or baseline != given.baseline:
        return None, 0.0, ()
    groups = tuple(group for group in wanted.groups if group in given.groups)
    return wanted.candidate, min(wanted.weight, given.weight), groups
