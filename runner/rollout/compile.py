"""Conditions of a rollout policy, compiled into tests that stay valid however often one looks.

The ledger runs the tests, `assess` reads them. Every comparison becomes a leaf with the method that suits its
metric and bound; NOT is pushed down to the leaves, where it turns the comparison round; equal leaves are shared.
All conditions of a rollout, those of later stages too, share one budget of error: a condition has a fixed equal
weight, its alternatives share it, and what they prove together is ONE e-value for the whole rollout. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from runner import digest
from runner.signals.outcomes import source_of
from runner.spec.condition import (
    And,
    Baseline,
    Comparison,
    Condition,
    Constant,
    Expression,
    Not,
    Operator,
    Or,
    show,
)
from runner.spec.metric import METRICS, Better
from runner.spec.quantity import Dimension
from runner.spec.rollout import Method, RolloutPolicy


class Side(StrEnum):
    """Which way a comparison says the candidate strays."""

    ABOVE = "above"
    BELOW = "below"


class Test(StrEnum):
    """How a comparison is proven; the names of the primitives stand in `runner.stats`."""

    __test__ = False  # for pytest, which collects what is called so

    LIMIT = "limit"
    """The mean lies beyond a constant (`stats.mean`)."""
    WORSE = "worse"
    """The arms differ, and the point estimate shows the factor where there is one (`stats.label.increments`)."""
    RATIO = "ratio"
    """One arm has more than so many times the other's events (`stats.label.increments_events`)."""
    THINNED = "thinned"
    """The candidate's good outcomes are rarer than a share of the baseline's (`stats.label.increments_thinned`)."""
    QUANTILE = "quantile"
    """More of the candidate's values exceed the baseline's quantiles, times the factor."""
    UNMEASURED = "unmeasured"
    """No answer carries the metric, so that no stage can be decided on it."""


_LEVELS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MEDIAN = 0.5
"""What limits on a count are decided by: a mean without an upper bound cannot be tested."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison: a claim against the candidate that data can prove.

    `limit` is a constant in the metric's unit, `factor` that of the baseline; one of the two is None.
    """

    metric: str
    side: Side
    limit: float | None
    factor: float | None
    test: Test

    @property
    def key(self) -> str:
        """What tells leaves apart, in files too."""
        bound = f"{self.limit!r}" if self.factor is None else f"baseline*{self.factor!r}"
        return f"{self.metric} {self.side.value} {bound} {self.test.value}"

    @property
    def source(self) -> str:
        """Whose outcomes it is about."""
        return source_of(self.metric)

    @property
    def relative(self) -> bool:
        """Whether it compares arms."""
        return self.factor is not None

    @property
    def level(self) -> float | None:
        """The quantile it is about; None for a share or a rating."""
        if METRICS[self.metric].dimension is Dimension.COUNT:
            return MEDIAN
        return _LEVELS.get(self.metric.rpartition("_")[2])

    @property
    def swapped(self) -> bool:
        """Whether the claim is that the BASELINE has more events."""
        return self.side is Side.BELOW and self.test in (Test.RATIO, Test.QUANTILE)


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where all parts are."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where any part is."""

    parts: tuple[Node, ...]


Node = Leaf | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Shown:
    """A comparison as a condition has it, for people."""

    text: str
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class ConditionTest:
    """One condition; any of its `terms` proves it. `stage` is None where it is in force at every stage."""

    name: str
    text: str
    stage: str | None
    terms: tuple[Node, ...]
    comparisons: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Tests:
    """All conditions of a policy. `stages` are the stages' names in order, the gap and the window are in seconds."""

    __test__ = False

    conditions: tuple[ConditionTest, ...]
    stages: tuple[str, ...]
    alpha: float
    mismatch_alpha: float
    session_gap: float
    user_window: float

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every leaf once, in the order of the conditions."""
        found = (leaf for each in self.conditions for term in each.terms for leaf in leaves(term))
        return tuple(dict.fromkeys(found))

    @property
    def sources(self) -> frozenset[str]:
        """Whose outcomes are needed."""
        return frozenset(leaf.source for leaf in self.leaves if leaf.test is not Test.UNMEASURED)

    def in_force(self, stage: str) -> tuple[ConditionTest, ...]:
        """Return the conditions that may roll back at a stage."""
        return tuple(each for each in self.conditions if each.stage in (None, stage))

    def weights(self, stage: str) -> dict[Node, float]:
        """Return the terms that are in force at a stage, each with its fixed share of the whole evidence.

        A term that several conditions have gets all their shares, those of other stages too: it is the same
        claim. Shares of terms that are not in force are left out, so the sum is at most 1 at any stage.
        """
        active = dict.fromkeys(term for each in self.in_force(stage) for term in each.terms)
        found = dict.fromkeys(active, 0.0)
        for each in self.conditions:
            for term in each.terms:
                if term in found:
                    found[term] += 1 / (len(self.conditions) * len(each.terms))
        return found

    @property
    def digest(self) -> str:
        """Digest of what is tested, for evidence that is kept in a file."""
        rows = [[each.name, each.stage, [repr(term) for term in each.terms]] for each in self.conditions]
        times = [self.session_gap, self.user_window]
        return digest.of_value([rows, self.stages, self.alpha, self.mismatch_alpha, *times])


def compile(policy: RolloutPolicy) -> Tests:
    """Return the tests of a policy."""
    method = policy.decision.method
    found = [_condition(name, None, condition, method) for name, condition in policy.always.items()]
    found += [
        _condition(f"{stage.name}.rollback_if", stage.name, stage.rollback_if, method)
        for stage in policy.stages
        if stage.rollback_if is not None
    ]
    decision = policy.decision
    names = tuple(stage.name for stage in policy.stages)
    times = decision.session_gap, decision.user_window
    return Tests(tuple(found), names, decision.alpha, decision.mismatch_alpha, *times)


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield the leaves below a node, in order."""
    match node:
        case Leaf():
            yield node
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)


def _condition(name: str, stage: str | None, condition: Condition, method: Method) -> ConditionTest:
    node = _node(condition.expression, method, negated=False)
    terms = node.parts if isinstance(node, AnyOf) else (node,)
    comparisons = tuple(_shown(condition.expression, method, negated=False))
    return ConditionTest(name, condition.text, stage, tuple(dict.fromkeys(terms)), comparisons)


def _node(expression: Expression, method: Method, *, negated: bool) -> Node:
    """Return the tests of an expression or of its opposite: NOT of an OR is the AND of the NOTs (De Morgan)."""
    match expression:
        case Comparison():
            return leaf(expression, method, negated=negated)
        case Not(part):
            return _node(part, method, negated=not negated)
        case And(parts):
            made = (_node(part, method, negated=negated) for part in parts)
            return _joined(AnyOf if negated else AllOf, made)
        case Or(parts):
            made = (_node(part, method, negated=negated) for part in parts)
            return _joined(AllOf if negated else AnyOf, made)


def _joined(kind: type[AllOf] | type[AnyOf], parts: Iterator[Node]) -> Node:
    """Return one flat node of a kind, each part once."""
    flat: dict[Node, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, kind) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else kind(tuple(flat))


def _shown(expression: Expression, method: Method, *, negated: bool) -> Iterator[Shown]:
    match expression:
        case Comparison():
            text = show(Not(expression) if negated else expression)
            yield Shown(text, leaf(expression, method, negated=negated))
        case Not(part):
            yield from _shown(part, method, negated=not negated)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _shown(part, method, negated=negated)


def leaf(comparison: Comparison, method: Method = Method.GUARD, *, negated: bool = False) -> Leaf:
    """Return the test of one comparison, or of its opposite."""
    above = comparison.operator in (Operator.GREATER, Operator.AT_LEAST)
    side = Side.ABOVE if above is not negated else Side.BELOW
    bound = comparison.bound
    limit = bound.value if isinstance(bound, Constant) else None
    factor = bound.factor if isinstance(bound, Baseline) else None
    return Leaf(comparison.metric, side, limit, factor, _test(comparison.metric, side, factor, method))


def _test(name: str, side: Side, factor: float | None, method: Method) -> Test:
    metric = METRICS[name]
    if not metric.in_rollout:
        return Test.UNMEASURED
    if factor is None:
        return Test.LIMIT
    if metric.dimension in (Dimension.DURATION, Dimension.COUNT):
        return Test.QUANTILE
    if side is Side.ABOVE:
        guarded = factor == 1.0 or (method is Method.GUARD and factor > 1.0)
        return Test.WORSE if guarded else Test.RATIO
    if metric.better is Better.HIGHER and factor <= 1.0:
        return Test.WORSE if factor == 1.0 else Test.THINNED
    return Test.RATIO
