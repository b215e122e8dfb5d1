"""What the measured signals say of a round: whether one calls for it, and whether nothing has changed.

A condition counts as proven only where the whole interval of every signal says so; a signal without data proves
nothing. Readings of all users together are asked, and the baseline's where there are none. Pure; `decide` calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runner.economics.reasons import Found, Reason, Value, Verdict
from runner.signals.reading import Holds, Reading, Snapshot
from runner.signals.readings.estimates import NO_DATA, Estimate
from runner.signals.readings.holds import holds
from runner.spec.condition import Condition
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension
from runner.spec.signals import SignalPolicy

_ARMS: Final = ("", "baseline")
_MEASURE: Final = "`loop signals` measures them"


def calls(snapshot: Snapshot | None, policy: SignalPolicy) -> Found:
    """Return whether a signal has passed its threshold `retrain`."""
    watched = [name for name, signal in policy.signals.items() if signal.thresholds.retrain is not None]
    told = [_Told.of(name, snapshot) for name in watched]
    passed = [each for each in told if each.retrain is Holds.YES]
    unsure = [each for each in told if each.retrain is Holds.UNSURE]
    if passed:
        said = "; ".join(
            f"{each.shown} passes {policy.signals[each.metric].thresholds.retrain}" for each in passed
        )
        return Found(Reason.SIGNALS, Verdict.FOR, said, _figures(passed))
    if unsure or not watched:
        said = f"not proven either way: {_shown(unsure)}" if unsure else "none is watched"
        return Found(Reason.SIGNALS, Verdict.UNKNOWN, said, _figures(unsure), _MEASURE if watched else "")
    said = f"none calls for training: {_shown(told)}"
    return Found(Reason.SIGNALS, Verdict.AGAINST, said, _figures(told))


def change(snapshot: Snapshot | None, unneeded_if: Condition | None) -> Found:
    """Return whether the condition under which nothing has changed is proven, disproven, or neither."""
    if unneeded_if is None:
        return Found(
            Reason.CHANGE, Verdict.FOR, "the policy names no condition under which a round is not needed"
        )
    metrics = list(dict.fromkeys(each.metric for each in unneeded_if.comparisons()))
    told = [_Told.of(name, snapshot) for name in metrics]
    by_metric = {each.metric: each.estimate for each in told}
    found = holds(unneeded_if.expression, lambda name: by_metric.get(name, NO_DATA), None)
    shown = _shown(told)
    match found:
        case Holds.YES:
            return Found(Reason.CHANGE, Verdict.AGAINST, f"nothing has changed: {shown}", _figures(told))
        case Holds.NO:
            return Found(Reason.CHANGE, Verdict.FOR, f"something has changed: {shown}", _figures(told))
        case Holds.UNSURE:
            said = f"'{unneeded_if}' is neither proven nor disproven: {shown}"
            return Found(Reason.CHANGE, Verdict.UNKNOWN, said, _figures(told), _MEASURE)


@dataclass(frozen=True, slots=True)
class _Told:
    """One signal as it was measured, and whether its threshold `retrain` holds."""

    metric: str
    estimate: Estimate
    retrain: Holds

    @classmethod
    def of(cls, metric: str, snapshot: Snapshot | None) -> _Told:
        """Return the reading of a signal; without one nothing is known."""
        found = _reading(metric, snapshot.readings if snapshot else ())
        if found is None or found.value is None:
            return cls(metric, NO_DATA, Holds.UNSURE)
        retrain = dict(found.conditions).get("retrain", Holds.UNSURE)
        return cls(metric, Estimate(found.value, found.low, found.high, found.n), retrain)

    @property
    def shown(self) -> str:
        """The signal with its value and interval."""
        if self.estimate.value is None:
            return self.metric
        ends = [self._unit(each) for each in (self.estimate.low, self.estimate.high)]
        within = f" [{ends[0]} to {ends[1]}]" if ends[0] != ends[1] else ""
        return f"{self.metric} {self._unit(self.estimate.value)}{within}"

    def _unit(self, number: float | None) -> str:
        if number is None:
            return "?"
        return f"{number:.1%}" if METRICS[self.metric].dimension is Dimension.RATIO else f"{number:.3g}"


def _reading(metric: str, readings: Sequence[Reading]) -> Reading | None:
    own = [each for each in readings if each.metric == metric and not each.segment and each.arm in _ARMS]
    return min(own, key=lambda each: (each.value is None, _ARMS.index(each.arm)), default=None)


def _shown(told: Sequence[_Told]) -> str:
    """Return the signals with their figures, those without data together at the end."""
    known = ", ".join(each.shown for each in told if each.estimate.value is not None)
    missing = ", ".join(each.shown for each in told if each.estimate.value is None)
    return "; ".join(part for part in (known, f"no data of {missing}" if missing else "") if part)


def _figures(told: Sequence[_Told]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for each in told:
        found[each.metric] = each.estimate.value
        found[f"{each.metric}_low"], found[f"{each.metric}_high"] = each.estimate.low, each.estimate.high
    return found
