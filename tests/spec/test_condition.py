"""The language of conditions: what it means, what it refuses, and that it can be written back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.spec.condition import (
    And,
    Baseline,
    Comparison,
    ConditionError,
    Constant,
    Not,
    Operator,
    Or,
    parse,
    show,
)
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension

GREATER, LESS = Operator.GREATER, Operator.LESS


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (
            "error_rate > 5% OR satisfaction < baseline",
            Or(
                (
                    Comparison("error_rate", GREATER, Constant(0.05)),
                    Comparison("satisfaction", LESS, Baseline()),
                )
            ),
        ),
        ("error_rate > baseline * 1.5", Comparison("error_rate", GREATER, Baseline(1.5))),
        ("latency_p99 > 2000ms", Comparison("latency_p99", GREATER, Constant(2.0))),
        ("satisfaction < baseline * 0.9", Comparison("satisfaction", LESS, Baseline(0.9))),
        ("crash_rate > 1%", Comparison("crash_rate", GREATER, Constant(0.01))),
        ("crash_rate>0.01", Comparison("crash_rate", GREATER, Constant(0.01))),
        ("cost_per_1000 >= $4.50", Comparison("cost_per_1000", Operator.AT_LEAST, Constant(4.5))),
        ("latency_p50 <= 1.5 h", Comparison("latency_p50", Operator.AT_MOST, Constant(5400.0))),
    ],
)
def test_a_condition_means_what_it_says(text, expression):
    assert parse(text).expression == expression


def test_not_binds_more_closely_than_and_and_and_more_closely_than_or():
    a, b, c = (
        Comparison(name, GREATER, Constant(0.01)) for name in ("error_rate", "crash_rate", "refusal_rate")
    )
    text = "error_rate > 1% OR NOT crash_rate > 1% AND refusal_rate > 1%"
    assert parse(text).expression == Or((a, And((Not(b), c))))
    grouped = "(error_rate > 1% OR NOT crash_rate > 1%) AND refusal_rate > 1%"
    assert parse(grouped).expression == And((Or((a, Not(b))), c))


def test_keywords_and_metrics_are_read_in_any_case():
    assert parse("Error_Rate > 1% and not CRASH_RATE > Baseline").expression == And(
        (
            Comparison("error_rate", GREATER, Constant(0.01)),
            Not(Comparison("crash_rate", GREATER, Baseline())),
        )
    )


@pytest.mark.parametrize(
    ("text", "marked", "summary", "fix"),
    [
        ("latency_p99 > 5%", "5%", "'latency_p99' is a duration, and '5%' is a share", "2000ms"),
        ("latency_p99 > 2000", "2000", "'2000' has no unit", "2000ms"),
        ("error_rate > 5", "5", "lies between 0% and 100%, so this is never true", "did you mean '5%'?"),
        ("error_rate >= 0%", "0%", "always true", ""),
        ("satisfaction < 7", "7", "lies between 1 and 5", ""),
        ("eror_rate > 5%", "eror_rate", "unknown metric 'eror_rate'", "did you mean 'error_rate'?"),
        ("zzz > 5%", "zzz", "unknown metric", "known: accuracy"),
        ("error_rate = 5%", "=", "'=' has no meaning here", "compare with"),
        ("error_rate > 5% crash_rate > 1%", "crash_rate", "complete before 'crash_rate'", "AND or OR"),
        ("error_rate > 5% AND", "", "expected a metric, found the end", "METRIC > BOUND"),
        ("(error_rate > 5%", "(", "never closed", "add ')'"),
        ("error_rate >", "", "expected a bound for 'error_rate', found the end", "5%"),
        ("error_rate 5%", "5%", "expected a comparison, found '5%'", "'>'"),
        ("5% < error_rate", "5%", "expected a metric, found '5%'", "on the left"),
        ("input_drift > baseline", "baseline", "has no baseline", "constant"),
        ("error_rate > baseline * 5%", "5%", "expected a factor above 0", "baseline * 1.5"),
        ("error_rate > baseline * 0", "0", "expected a factor above 0", ""),
        ("error_rate > -5%", "-", "'-' has no meaning here", "never negative"),
        ("error_rate > 5% & crash_rate > 1%", "&", "'&' has no meaning here", "write AND"),
        ("__import__('os')", "'", "has no meaning here", ""),
    ],
)
def test_what_is_wrong_is_told_with_a_caret_under_it(text, marked, summary, fix):
    with pytest.raises(ConditionError) as raised:
        parse(text)
    error = raised.value
    assert summary in str(error)
    assert fix in (error.fix or "")
    line, carets = error.evidence
    assert (line, line[error.start : error.start + len(marked)]) == (text, marked)
    assert carets == " " * error.start + "^" * max(len(marked), 1)


def test_endless_nesting_and_length_are_refused():
    for text in ("(" * 100_000, "NOT " * 100_000, " AND ".join(["error_rate > 1%"] * 50_000), "(" * 200):
        with pytest.raises(ConditionError):
            parse(text)


def _constants(metric):
    dimension = METRICS[metric].dimension
    low, high = METRICS[metric].low, min(METRICS[metric].high, 10**6)
    places = 4 if dimension is Dimension.RATIO else 3
    inside = st.decimals(Decimal(str(low)), Decimal(str(high)), places=places, allow_nan=False)
    return inside.map(float).filter(lambda value: low < value < high).map(Constant)


def _factors():
    return st.decimals(Decimal("0.01"), Decimal(100), places=2).map(lambda d: Baseline(float(d)))


@st.composite
def comparisons(draw):
    metric = draw(st.sampled_from(sorted(METRICS)))
    bounds = _constants(metric) | _factors() if METRICS[metric].per_arm else _constants(metric)
    return Comparison(metric, draw(st.sampled_from(Operator)), draw(bounds))


def _compound(parts):
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, parts) | st.builds(And, several) | st.builds(Or, several)


@settings(deadline=None)
@given(st.recursive(comparisons(), _compound, max_leaves=8))
def test_a_tree_written_as_text_reads_back_as_the_same_tree(expression):
    text = show(expression)
    if len(text) <= 500:
        assert parse(text).expression == expression


@settings(deadline=None)
@given(st.text(alphabet="error_rate latncyp95<>=()*%mshd$.0123456789ANDORTbaseline\t\x00é", max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse(text)
    except ConditionError as error:
        assert error.start <= len(text)
    else:
        assert parse(show(found.expression)).expression == found.expression
