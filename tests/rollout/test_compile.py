"""Which test each comparison becomes, and how conditions share the budget of one rollout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rollout.compile import AllOf, AnyOf, Leaf, Node, Side, Test, compile, leaf, leaves
from runner.spec.condition import Comparison, parse
from runner.spec.rollout import Method
from tests.rollout.streams import LAST, policy


def compiled(text: str) -> Leaf:
    comparison = parse(text).expression
    assert isinstance(comparison, Comparison)
    return leaf(comparison)


@pytest.mark.parametrize(
    ("text", "test", "side"),
    [
        ("error_rate > 5%", Test.LIMIT, Side.ABOVE),
        ("crash_rate >= 1%", Test.LIMIT, Side.ABOVE),
        ("latency_p99 > 2000ms", Test.LIMIT, Side.ABOVE),
        ("satisfaction < 3.5", Test.LIMIT, Side.BELOW),
        ("error_rate > baseline", Test.WORSE, Side.ABOVE),
        ("error_rate > baseline * 1.5", Test.WORSE, Side.ABOVE),
        ("error_rate > baseline * 0.5", Test.RATIO, Side.ABOVE),
        ("error_rate < baseline", Test.RATIO, Side.BELOW),
        ("satisfaction < baseline", Test.WORSE, Side.BELOW),
        ("satisfaction < baseline * 0.9", Test.THINNED, Side.BELOW),
        ("satisfaction < baseline * 1.1", Test.RATIO, Side.BELOW),
        ("latency_p99 > baseline * 1.2", Test.QUANTILE, Side.ABOVE),
        ("answer_tokens < baseline", Test.QUANTILE, Side.BELOW),
        ("factuality < 80%", Test.UNMEASURED, Side.BELOW),
    ],
)
def test_a_comparison_gets_the_method_of_its_kind(text: str, test: Test, side: Side) -> None:
    found = compiled(text)
    assert (found.test, found.side) == (test, side)


def test_strict_proves_the_factor_itself() -> None:
    comparison = parse("error_rate > baseline * 1.5").expression
    assert isinstance(comparison, Comparison)
    assert leaf(comparison, Method.STRICT).test is Test.RATIO


CONDITIONS = st.recursive(
    st.sampled_from(["error_rate > 5%", "error_rate <= 5%", "satisfaction < baseline", "latency_p99 > 2s"]),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from([" AND ", " OR "]), part).map(lambda p: f"({p[0]}{p[1]}{p[2]})"),
        part.map(lambda p: f"NOT {p}"),
    ),
    max_leaves=6,
)


def holds(node: Node, truth: dict[tuple[str, Side], bool]) -> bool:
    match node:
        case Leaf(metric, side):
            return truth[metric, side]
        case AllOf(parts):
            return all(holds(part, truth) for part in parts)
        case AnyOf(parts):
            return any(holds(part, truth) for part in parts)


@given(CONDITIONS, st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_not_is_pushed_down_without_changing_what_is_said(text: str, facts: tuple[bool, bool, bool]) -> None:
    """Every truth table of the written condition is that of its tests."""
    high, unhappy, slow = facts
    truth = {
        ("error_rate", Side.ABOVE): high,
        ("error_rate", Side.BELOW): not high,
        ("satisfaction", Side.BELOW): unhappy,
        ("satisfaction", Side.ABOVE): not unhappy,
        ("latency_p99", Side.ABOVE): slow,
        ("latency_p99", Side.BELOW): not slow,
    }
    words = text.replace("error_rate > 5%", str(high)).replace("error_rate <= 5%", str(not high))
    words = words.replace("satisfaction < baseline", str(unhappy)).replace("latency_p99 > 2s", str(slow))
    written = eval(words.replace("AND", "and").replace("OR", "or").replace("NOT", "not"))
    condition = compile(policy(f"it: {text}")).conditions[0]
    assert any(holds(term, truth) for term in condition.terms) == written


STAGES = [
    {
        "name": "small",
        "traffic": "5%",
        "duration": "1h",
        "rollback_if": "error_rate > 5% OR satisfaction < baseline",
    },
    {
        "name": "half",
        "traffic": "50%",
        "duration": "1h",
        "rollback_if": "error_rate > 2% OR satisfaction < baseline",
    },
    LAST,
]


def test_equal_leaves_are_shared_and_shares_of_the_whole_never_exceed_one() -> None:
    tests = compile(policy("slow: latency_p99 > 2s", stages=STAGES))
    assert len(tests.leaves) == 4
    for stage in tests.stages:
        assert sum(tests.weights(stage).values()) <= 1.0 + 1e-12
    sharing = next(term for term in tests.weights("small") if term.metric == "satisfaction")  # type: ignore[union-attr]
    assert tests.weights("small")[sharing] == tests.weights("half")[sharing] == pytest.approx(1 / 3)


def test_only_what_is_in_force_at_a_stage_has_a_say_there() -> None:
    tests = compile(policy("slow: latency_p99 > 2s", stages=STAGES))
    limits = {
        stage: [
            each.limit
            for term in tests.weights(stage)
            for each in leaves(term)
            if each.metric == "error_rate"
        ]
        for stage in tests.stages
    }
    assert limits == {"small": [0.05], "half": [0.02], "full": []}


def test_the_digest_tells_policies_apart() -> None:
    one, other = policy("e: error_rate > 5%"), policy("e: error_rate > 4%")
    assert compile(one).digest == compile(policy("e: error_rate > 5%")).digest != compile(other).digest
