"""The thresholds of `policies/signals.yaml` as values that pages and reports show: in words, and as marks on a scale.

`weekly` and the monitor page draw them beside what was measured. Only constants have a place on a scale; what is
compared with the baseline or with another metric is told in words. Pure; whether a limit is crossed, readings say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from runner.spec import quantity
from runner.spec.expression import And, Baseline, Comparison, Constant, Expression, Not, Operator, Or, leaves
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension
from runner.spec.signals import SignalPolicy, Thresholds

GRAVITY = ("retrain", "hold", "warn")
"""Consequences, the gravest first."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One threshold of a metric: what follows (`warn`, `hold`, `retrain`), when in words, and where it lies.

    `marks` are the constants, in the metric's unit, that its own value is compared with; none where there are none.
    """

    consequence: str
    text: str
    marks: tuple[float, ...]


Limits = Mapping[str, tuple[Limit, ...]]


def of_policy(policy: SignalPolicy) -> dict[str, tuple[Limit, ...]]:
    """Return the limits of every signal that has any, the mildest consequence first."""
    found = {
        metric: tuple(
            Limit(name, say(condition.expression, metric), marks(condition.expression, metric))
            for name in Thresholds.model_fields
            if (condition := getattr(signal.thresholds, name)) is not None
        )
        for metric, signal in policy.signals.items()
    }
    return {metric: limits for metric, limits in found.items() if limits}


def say(expression: Expression, metric: str) -> str:
    """Return a condition of a metric in words: "above 15%, or above 1.5 times the baseline"."""
    match expression:
        case Comparison():
            return _compared(expression, metric)
        case Not(part):
            return f"not {_inner(part, metric)}"
        case And(parts):
            return " and ".join(_inner(part, metric) for part in parts)
        case Or(parts):
            return ", or ".join(say(part, metric) for part in parts)
        case _:
            assert_never(expression)


def names(limits: tuple[Limit, ...]) -> tuple[tuple[float, str], ...]:
    """Return where marks stand, and the consequences that begin there: "hold, warn"; the lowest first."""
    every = sorted({mark for limit in limits for mark in limit.marks})
    return tuple(
        (mark, ", ".join(limit.consequence for limit in limits if mark in limit.marks)) for mark in every
    )


def number(metric: str, value: float) -> str:
    """Return a round value as the policy would write it: "15%", not "15.0%"."""
    dimension = METRICS[metric].dimension if metric in METRICS else Dimension.SCORE
    if dimension is Dimension.MONEY:
        return f"${value:,.2f}"
    return quantity.show(float(f"{value:.6g}"), dimension)


def marks(expression: Expression, metric: str) -> tuple[float, ...]:
    """Return the constants that decide alone; one that only narrows a comparison with the baseline does not."""
    parts = expression.parts if isinstance(expression, Or) else (expression,)
    alone = [part for part in parts if isinstance(part, Comparison | Not)]
    found = [
        each.bound.value
        for part in alone
        for each in leaves(part)
        if each.metric == metric and isinstance(each.bound, Constant)
    ]
    return tuple(dict.fromkeys(found))


def downward(expression: Expression, metric: str) -> bool:
    """Return whether it is low values of the metric that a condition finds, as far as it compares with constants."""
    low = (Operator.LESS, Operator.AT_MOST)
    own = [one for one in leaves(expression) if one.metric == metric and isinstance(one.bound, Constant)]
    return any(one.operator in low for one in own)


_WORDS = {
    Operator.GREATER: "above",
    Operator.AT_LEAST: "from",
    Operator.LESS: "below",
    Operator.AT_MOST: "up to",
}


def _inner(part: Expression, metric: str) -> str:
    return f"({say(part, metric)})" if isinstance(part, And | Or) else say(part, metric)


def _compared(comparison: Comparison, metric: str) -> str:
    match comparison.bound:
        case Constant(value):
            written = number(comparison.metric, value)
        case Baseline(factor):
            times = "" if factor == 1.0 else f"{quantity.show(factor, Dimension.SCORE)} times "
            written = f"{times}the baseline"
        case _:
            assert_never(comparison.bound)
    whose = "" if comparison.metric == metric else f"{comparison.metric} "
    return f"{whose}{_WORDS[comparison.operator]} {written}"
