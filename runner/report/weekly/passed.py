"""Which thresholds are passed with certainty, and by whom: the report's headline and its next actions tell it."""

from __future__ import annotations

from collections.abc import Sequence

from runner.report import limits
from runner.report.signals import value, whose
from runner.signals.reading import Holds, Reading
from runner.spec.signals import SignalPolicy

Passed = dict[str, list[tuple[str, Reading]]]
"""Metric -> each reading that passed a threshold with certainty, after the gravest consequence of it."""


def passed(readings: Sequence[Reading]) -> Passed:
    """Return what passed, the metrics with the gravest consequence first, and of each the widest reading first."""
    found: Passed = {}
    for consequence in limits.GRAVITY:
        for one in sorted(readings, key=lambda each: (bool(each.segment), bool(each.arm))):
            known = found.get(one.metric, [])
            certain = dict(one.conditions).get(consequence) is Holds.YES
            if certain and not any(one is each for _, each in known):
                found.setdefault(one.metric, []).append((consequence, one))
    return found


def together(readings: Sequence[Reading]) -> list[Reading]:
    """Return those of all users and arms together."""
    return [one for one in readings if not one.arm and not one.segment]


def cause(metric: str, found: Sequence[tuple[str, Reading]], policy: SignalPolicy) -> str:
    """Return one line for one metric: which threshold as the policy writes it, and whose values passed it."""
    told = []
    for consequence in dict.fromkeys(name for name, _ in found):
        written = getattr(policy.signals[metric].thresholds, consequence)
        own = [one for name, one in found if name == consequence]
        whom = [f"{whose(one)} {value(metric, one.value)}" for one in own if not one.segment]
        groups = [f"{one.segment} {value(metric, one.value)}" for one in own if one.segment]
        if groups:
            whom.append(f"{'groups' if len(groups) > 1 else 'group'} {', '.join(groups)}")
        told.append(f"{consequence} ({written}) for {', '.join(whom)}")
    return f"{metric}: {'; '.join(told)}"


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def whom(readings: Sequence[Reading]) -> str:
    """Return for whom readings are, groups counted only."""
    arms = [whose(one) for one in readings if not one.segment]
    groups = [one.segment for one in readings if one.segment]
    return ", ".join([*arms, *([counted(len(groups), "group", "groups")] if groups else [])])
