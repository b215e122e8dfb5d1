"""Whether a condition of `policies/signals.yaml` holds, as far as intervals can say: yes, no, or unsure.

Three-valued logic (Kleene): what is unsure stays unsure unless the rest decides. A value without an interval counts as
known exactly; without a value nothing is known. Computation only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from runner.signals.reading import Holds
from runner.signals.readings.estimates import Estimate
from runner.spec.expression import And, Baseline, Comparison, Constant, Expression, Not, Operator, Or

Lookup = Callable[[str], Estimate]
_RANK = {Holds.NO: 0, Holds.UNSURE: 1, Holds.YES: 2}
_OPPOSITE = {Holds.YES: Holds.NO, Holds.NO: Holds.YES, Holds.UNSURE: Holds.UNSURE}


def holds(expression: Expression, of: Lookup, baseline: Lookup | None) -> Holds:
    """Say whether an expression holds for the estimates `of` gives, compared with those of `baseline`.

    Where there is no other arm to compare with (`baseline` is None), comparisons with it are left out; an expression
    of which nothing is left does not hold.
    """
    found = _judge(expression, of, baseline)
    return Holds.NO if found is None else found


def _judge(expression: Expression, of: Lookup, baseline: Lookup | None) -> Holds | None:
    """Return None where nothing of an expression can be asked."""
    match expression:
        case Comparison():
            absent = baseline is None and isinstance(expression.bound, Baseline)
            return None if absent else _compare(expression, of, baseline)
        case Not(part):
            found = _judge(part, of, baseline)
            return None if found is None else _OPPOSITE[found]
        case And(parts) | Or(parts):
            known = [found for part in parts if (found := _judge(part, of, baseline)) is not None]
            # an AND that lost a part cannot be shown to hold
            whole = isinstance(expression, Or) or len(known) == len(parts)
            decide = max if isinstance(expression, Or) else min
            return decide(known, key=_RANK.__getitem__) if known and whole else None
        case _:
            assert_never(expression)


def _compare(comparison: Comparison, of: Lookup, baseline: Lookup | None) -> Holds:
    match comparison.bound:
        case Constant(value):
            bound: tuple[float, float] | None = (value, value)
        case Baseline(factor):
            assert baseline is not None  # noqa: S101 - such comparisons were left out
            bound = _ends(baseline(comparison.metric))
            bound = None if bound is None else (bound[0] * factor, bound[1] * factor)
        case _:
            assert_never(comparison.bound)
    found = _ends(of(comparison.metric))
    if found is None or bound is None:
        return Holds.UNSURE
    return _ordered(comparison.operator, found, bound)


def _ordered(operator: Operator, found: tuple[float, float], bound: tuple[float, float]) -> Holds:
    """Compare two ranges: yes where it is so for every pair of values, no where for none."""
    match operator:
        case Operator.GREATER:
            surely, never = found[0] > bound[1], found[1] <= bound[0]
        case Operator.AT_LEAST:
            surely, never = found[0] >= bound[1], found[1] < bound[0]
        case Operator.LESS:
            surely, never = found[1] < bound[0], found[0] >= bound[1]
        case Operator.AT_MOST:
            surely, never = found[1] <= bound[0], found[0] > bound[1]
        case _:
            assert_never(operator)
    return Holds.YES if surely else Holds.NO if never else Holds.UNSURE


def _ends(found: Estimate) -> tuple[float, float] | None:
    """Return the range a value may lie in; an end that is not known is as far away as it can be."""
    if found.value is None:
        return None
    low = float("-inf") if found.low is None else found.low
    high = float("inf") if found.high is None else found.high
    return low, high
