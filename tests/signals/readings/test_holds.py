"""A condition holds when every value that is still possible fulfils it, and does not when none does."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from runner.signals.reading import Holds
from runner.signals.readings.estimates import NO_DATA, Estimate
from runner.signals.readings.holds import holds
from runner.spec.condition import parse
from runner.spec.expression import And, Baseline, Comparison, Constant, Expression, Not, Operator, Or

METRICS = ("error_rate", "refusal_rate")
GRID = (0.0, 0.25, 0.5, 0.75, 1.0)

bounds = st.one_of(
    st.sampled_from(GRID).map(Constant),
    st.sampled_from((0.5, 1.0, 2.0)).map(Baseline),
)
comparisons = st.builds(Comparison, st.sampled_from(METRICS), st.sampled_from(tuple(Operator)), bounds)
expressions = st.recursive(
    comparisons,
    lambda part: st.one_of(
        part.map(Not),
        st.tuples(part, part).map(And),
        st.tuples(part, part).map(Or),
    ),
    max_leaves=4,
)


@st.composite
def intervals(draw: st.DrawFn) -> Estimate:
    low, value, high = sorted(draw(st.tuples(*[st.sampled_from(GRID)] * 3)))
    return Estimate(value, low, high, 100)


places = st.fixed_dictionaries({metric: intervals() for metric in METRICS})


def truth(expression: Expression, of: dict[str, float], baseline: dict[str, float]) -> bool:
    match expression:
        case Not(part):
            return not truth(part, of, baseline)
        case And(parts):
            return all(truth(part, of, baseline) for part in parts)
        case Or(parts):
            return any(truth(part, of, baseline) for part in parts)
        case Comparison(metric, operator, bound):
            limit = bound.value if isinstance(bound, Constant) else bound.factor * baseline[metric]
            value = of[metric]
            return {
                Operator.GREATER: value > limit,
                Operator.AT_LEAST: value >= limit,
                Operator.LESS: value < limit,
                Operator.AT_MOST: value <= limit,
            }[operator]


def possible(place: dict[str, Estimate]) -> list[dict[str, float]]:
    ranges = [[point for point in GRID if one.low <= point <= one.high] for one in place.values()]
    return [dict(zip(place, values, strict=True)) for values in itertools.product(*ranges)]


@given(expressions, places, places)
def test_yes_means_that_every_possible_value_fulfils_it_and_no_that_none_does(
    expression: Expression, of: dict[str, Estimate], baseline: dict[str, Estimate]
) -> None:
    said = holds(expression, of.__getitem__, baseline.__getitem__)
    truths = {truth(expression, mine, theirs) for mine in possible(of) for theirs in possible(baseline)}
    if said is Holds.YES:
        assert truths == {True}
    if said is Holds.NO:
        assert truths == {False}


@given(comparisons, places, places)
def test_one_comparison_is_unsure_only_where_both_are_possible(
    comparison: Comparison, of: dict[str, Estimate], baseline: dict[str, Estimate]
) -> None:
    said = holds(comparison, of.__getitem__, baseline.__getitem__)
    if said is Holds.UNSURE:
        truths = {truth(comparison, mine, theirs) for mine in possible(of) for theirs in possible(baseline)}
        assert truths == {True, False}


def test_invariant_12_without_data_nothing_is_said() -> None:
    for text in ("error_rate > 5%", "error_rate < 5%", "NOT error_rate > 5%", "error_rate > baseline"):
        condition = parse(text)
        assert holds(condition.expression, lambda _: NO_DATA, lambda _: NO_DATA) is Holds.UNSURE


def test_what_is_unsure_does_not_hide_what_is_certain() -> None:
    known = {"error_rate": Estimate(0.2, 0.1, 0.3, 100), "refusal_rate": NO_DATA}
    condition = parse("refusal_rate > 15% OR error_rate > 5%")
    assert holds(condition.expression, known.__getitem__, None) is Holds.YES


def test_without_another_arm_nothing_is_worse_than_it() -> None:
    known = {"error_rate": Estimate(0.2, 0.1, 0.3, 100)}
    condition = parse("error_rate > baseline * 1.5")
    assert holds(condition.expression, known.__getitem__, None) is Holds.NO
