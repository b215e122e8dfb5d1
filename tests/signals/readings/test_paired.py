"""Forgetting is told from the questions that both versions answered, by the latest answer of each."""

from __future__ import annotations

from collections.abc import Iterable

import ibis
import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.signals.readings.paired import Pairs, forgetting, pairs

SCHEMA = {
    "event.id": "string",
    "event.time": "int64",
    "loop.suite": "string",
    "loop.question": "string",
    "loop.version": "string",
    "loop.right": "boolean",
}
Answer = tuple[str, str, int, bool | None]


def evaluations(answers: Iterable[Answer], suite: str = "regression") -> ir.Table:
    rows = [
        dict(zip(SCHEMA, (f"e{i}", at, suite, question, version, right), strict=True))
        for i, (version, question, at, right) in enumerate(answers)
    ]
    columns = {name: [row[name] for row in rows] for name in SCHEMA}
    return ibis.memtable(columns, schema=SCHEMA)


answers = st.lists(
    st.tuples(
        st.sampled_from(("old", "new", "other")),
        st.sampled_from("abcde"),
        st.integers(0, 50),
        st.sampled_from((True, False, None)),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda one: (one[0], one[1], one[2]),
)


def slowly(found: list[Answer]) -> Pairs:
    last: dict[tuple[str, str], bool] = {}
    for version, question, _, right in sorted(found, key=lambda one: one[2]):
        if right is not None:
            last[version, question] = right
    both = [q for q in "abcde" if ("old", q) in last and ("new", q) in last]
    return Pairs(
        len(both),
        sum(last["old", q] and not last["new", q] for q in both),
        sum(last["new", q] and not last["old", q] for q in both),
    )


@settings(max_examples=30, deadline=None)
@given(answers)
def test_pairs_are_those_of_the_latest_answers_that_somebody_could_judge(found: list[Answer]) -> None:
    assert pairs(evaluations(found), "regression", "old", "new") == slowly(found)


def test_another_suite_says_nothing() -> None:
    table = evaluations([("old", "a", 1, True), ("new", "a", 2, False)], suite="ood")
    assert pairs(table, "regression", "old", "new") == Pairs(0, 0, 0)


def test_invariant_12_without_pairs_nothing_is_said() -> None:
    assert forgetting(Pairs(0, 0, 0)).value is None


def test_what_is_lost_is_a_share_of_what_both_answered() -> None:
    found = forgetting(Pairs(200, 10, 4))
    assert found.value == pytest.approx(0.05)
    assert found.low is not None and found.high is not None
    assert found.low < 0.05 < found.high


def test_an_even_trade_proves_nothing_and_a_plain_loss_does() -> None:
    assert Pairs(500, 20, 20).evidence < 1
    assert Pairs(500, 40, 5).evidence > 1000
