"""What a condition means, as a frozen tree, and how the tree is written as text.

The grammar makes it, the rollout compiles it into tests. Pure values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner.spec import quantity
from runner.spec.metric import METRICS, Metric
from runner.spec.quantity import Dimension


class Operator(StrEnum):
    """How a metric is compared."""

    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Constant:
    """A bound in base units: a share, seconds, dollars, a score or a count."""

    value: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """The baseline arm's value at the same time, times `factor`."""

    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric against a bound."""

    metric: str
    operator: Operator
    bound: Constant | Baseline


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is false."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """True where all parts are; at least two."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where any part is; at least two."""

    parts: tuple[Expression, ...]


Expression = Comparison | Not | And | Or


class ConditionError(ValueError):
    """A condition that cannot be read: what is wrong, from where to where in the text, and what to write."""

    def __init__(self, text: str, start: int, end: int, summary: str, fix: str | None = None) -> None:
        super().__init__(summary)
        self.text = text
        self.start = start
        self.end = max(end, start + 1)
        self.fix = fix

    @property
    def evidence(self) -> tuple[str, str]:
        """The text, and carets under what is meant."""
        return self.text, " " * self.start + "^" * (self.end - self.start)


def leaves(expression: Expression) -> list[Comparison]:
    """Return every comparison in a tree, in the order of the text."""
    match expression:
        case Comparison():
            return [expression]
        case Not(part):
            return leaves(part)
        case And(parts) | Or(parts):
            return [leaf for part in parts for leaf in leaves(part)]


def show(expression: Expression) -> str:
    """Write a tree as text that reads back as the same tree."""
    match expression:
        case Comparison(metric, operator, bound):
            return f"{metric} {operator.value} {_show_bound(METRICS[metric], bound)}"
        case Not(part):
            return f"NOT {_wrap(part, And, Or)}"
        case And(parts):
            return " AND ".join(_wrap(part, And, Or) for part in parts)
        case Or(parts):
            return " OR ".join(_wrap(part, Or) for part in parts)


def _wrap(part: Expression, *loose: type) -> str:
    return f"({show(part)})" if isinstance(part, loose) else show(part)


def _show_bound(metric: Metric, bound: Constant | Baseline) -> str:
    match bound:
        case Constant(value):
            return quantity.show(value, metric.dimension)
        case Baseline(factor):
            return "baseline" if factor == 1.0 else f"baseline * {quantity.show(factor, Dimension.SCORE)}"
