"""Gates: conditions of policies/evaluation.yaml, decided over intervals. Pure.

A comparison is true where the whole interval is on its side of the bound, false where it is wholly on the other, and
open between; AND, OR and NOT follow three-valued logic (Kleene). PASS is a condition that is true, FAIL one that is
false, INCONCLUSIVE an open one, ERROR one whose suite failed or never measured what it names. No data is never PASS.

Chances. A gate of one comparison is wrongly passed with a chance of at most its alpha, and wrongly failed with one of
at most its alpha, because each end of an interval is wrong with that chance and only one end can mislead. Where several
comparisons could mislead, each gets its part of alpha (Bonferroni). `baseline` is the parent's measured value and just
as uncertain: rows that both answered are compared pair by pair (exact sign test on those where they differ), everything
else end against end, each with half of alpha.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from enum import StrEnum

from runner.evaluation.results import GateResult, Measured, Row, SuiteResult
from runner.report import figures
from runner.report.evaluation import measure
from runner.spec.condition import And, Baseline, Comparison, Constant, Expression, Not, Operator, Or
from runner.spec.evaluation import EvaluationPolicy, Gate
from runner.spec.model import GateVerdict
from runner.stats.exact import share_ends

PAIRED = frozenset({"accuracy"})
"""Metrics that are shares of rows which both versions answered."""
DEFAULT_ALPHA = 0.05
_STRICT = frozenset({Operator.GREATER, Operator.LESS})
_UP = frozenset({Operator.GREATER, Operator.AT_LEAST})


class Truth(StrEnum):
    """What the data say of a condition; FAILED: the metric it names was never measured."""

    TRUE = "true"
    FALSE = "false"
    OPEN = "open"
    FAILED = "failed"


_VERDICTS = {
    Truth.TRUE: GateVerdict.PASS,
    Truth.FALSE: GateVerdict.FAIL,
    Truth.OPEN: GateVerdict.INCONCLUSIVE,
    Truth.FAILED: GateVerdict.ERROR,
}


def alpha_of(policy: EvaluationPolicy, suite: str) -> float:
    """Return the chance with which each end of a suite's intervals may be wrong: the least that a gate needs."""
    return min((_share(gate) for gate in policy.gates.values() if gate.suite == suite), default=DEFAULT_ALPHA)


def compares(policy: EvaluationPolicy, suite: str) -> bool:
    """Return whether a gate of a suite compares the candidate with its parent."""
    return any(_relative(gate) for gate in policy.gates.values() if gate.suite == suite)


def decide(policy: EvaluationPolicy, results: Iterable[SuiteResult]) -> tuple[GateResult, ...]:
    """Return how the gates of the suites that were run ended, in the order of the policy."""
    found = {result.suite: result for result in results}
    return tuple(
        decide_one(name, gate, found[gate.suite])
        for name, gate in policy.gates.items()
        if gate.suite in found
    )


def decide_one(name: str, gate: Gate, result: SuiteResult) -> GateResult:
    """Return how one gate ended."""
    if result.error is not None:
        truth, evidence = Truth.FAILED, result.error
    else:
        truth = _truth(gate.require.expression, result)
        evidence = "; ".join(dict.fromkeys(_evidence(leaf, result) for leaf in gate.require.comparisons()))
    return GateResult(name, gate.suite, _VERDICTS[truth], gate.require.text, evidence)


def _share(gate: Gate) -> float:
    return gate.alpha / len(gate.require.comparisons()) / (2 if _relative(gate) else 1)


def _relative(gate: Gate) -> bool:
    return any(isinstance(leaf.bound, Baseline) for leaf in gate.require.comparisons())


def _truth(expression: Expression, result: SuiteResult) -> Truth:
    match expression:
        case Comparison():
            return _compared(expression, result)
        case Not(part):
            return _opposite(_truth(part, result))
        case And(parts):
            return _first((Truth.FAILED, Truth.FALSE, Truth.OPEN), parts, result, Truth.TRUE)
        case Or(parts):
            return _first((Truth.FAILED, Truth.TRUE, Truth.OPEN), parts, result, Truth.FALSE)


def _first(
    order: tuple[Truth, ...], parts: tuple[Expression, ...], result: SuiteResult, otherwise: Truth
) -> Truth:
    """Return the first of `order` that a part has, `otherwise` where none has any."""
    found = {_truth(part, result) for part in parts}
    return next((each for each in order if each in found), otherwise)


def _opposite(truth: Truth) -> Truth:
    return {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}.get(truth, truth)


def _compared(leaf: Comparison, result: SuiteResult) -> Truth:
    measured = result.of(leaf.metric)
    if measured is None:
        return Truth.FAILED
    if measured.value is None:
        return Truth.OPEN
    match leaf.bound:
        case Constant(value):
            return _beside(leaf.operator, (measured.low, measured.high), (value, value))
        case Baseline(factor):
            return _beside_parent(leaf, factor, measured, result)


def _beside_parent(leaf: Comparison, factor: float, measured: Measured, result: SuiteResult) -> Truth:
    baseline = result.of_baseline(leaf.metric)
    if baseline is None:
        return Truth.FAILED
    if baseline.value is None:
        return Truth.OPEN
    if (pairs := _pairs(leaf, result)) is not None:
        return _beside(leaf.operator, pairs, (0.5, 0.5))
    ends = (_times(baseline.low, factor), _times(baseline.high, factor))
    return _beside(leaf.operator, (measured.low, measured.high), ends)


def _pairs(leaf: Comparison, result: SuiteResult) -> tuple[float, float] | None:
    """Return the interval for the chance that it is the candidate that is right where only one of both is.

    It lies above one half exactly where the candidate's share is higher. None where rows are not paired.
    """
    paired = [row for row in result.rows if row.parent_answer is not None]
    if leaf.metric not in PAIRED or not paired or not _is_plain_baseline(leaf):
        return None
    gained, lost = _count(paired, True, False), _count(paired, False, True)
    unclear = sum(row.right is None or row.parent_right is None for row in paired)
    n = gained + lost + unclear
    low, high = (share_ends(k, n, result.alpha) for k in (gained, gained + unclear))
    return low[0], high[1]


def _is_plain_baseline(leaf: Comparison) -> bool:
    return isinstance(leaf.bound, Baseline) and leaf.bound.factor == 1.0


def _count(rows: Iterable[Row], right: bool, parent_right: bool) -> int:
    return sum(row.right is right and row.parent_right is parent_right for row in rows)


Ends = tuple[float | None, float | None]


def _beside(operator: Operator, value: Ends, bound: Ends) -> Truth:
    """Return what is certain of `value operator bound` where both lie within their ends; None is no end."""
    (low, high), (least, most) = value, bound
    if operator in _UP:
        certain = _above(low, most, strict=operator in _STRICT)
        excluded = _above(least, high, strict=operator not in _STRICT)
    else:
        certain = _above(least, high, strict=operator in _STRICT)
        excluded = _above(low, most, strict=operator not in _STRICT)
    if certain:
        return Truth.TRUE
    return Truth.FALSE if excluded else Truth.OPEN


def _above(one: float | None, other: float | None, *, strict: bool) -> bool:
    if one is None or other is None:
        return False
    return one > other if strict else one >= other


def _times(end: float | None, factor: float) -> float | None:
    return None if end is None else factor * end


def _evidence(leaf: Comparison, result: SuiteResult) -> str:
    measured = result.of(leaf.metric)
    if measured is None:
        return f"suite '{result.suite}' did not measure {leaf.metric}"
    text = f"{leaf.metric} {_told(measured)}"
    if isinstance(leaf.bound, Constant):
        return text
    baseline = result.of_baseline(leaf.metric)
    if baseline is None:
        return f"{text}; suite '{result.suite}' did not measure the parent's"
    if (pairs := _pairs(leaf, result)) is not None:
        gained, lost = _count(result.rows, True, False), _count(result.rows, False, True)
        ends = f"{figures.share(pairs[0])} to {figures.share(pairs[1])}"
        return f"{text}; where one alone is right: candidate {gained}, parent {lost} [{ends}]"
    return f"{text}; parent {_told(baseline)}"


def _told(measured: Measured) -> str:
    if measured.value is None:
        return f"has no value: {measured.about}"
    return measure(asdict(measured))
