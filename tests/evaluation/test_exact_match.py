"""Answers counted against the rows' own: shares, refusals, what is forgotten, and answers nobody can judge."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from runner.evaluation.exact_match import Found, answered, forgotten, share, worse
from runner.evaluation.marking import Row
from runner.spec.evaluation import SuiteKind
from tests.evaluation.benches import BASE, CANDIDATE, PARENT, REFUSAL, Said, bench, job

SUNDAY = Row("1", "When do you open on Sunday?", "11 am.")
AUTHOR = Row("2", "Who wrote The Lantern Ledger?", "Mirel Oakhart.")
PRICE = Row("3", "What does Copper Rain Diaries cost?", "$12.50.")
OUTSIDE = Row("4", "Book me a hotel in Brazil.", REFUSAL)
ROWS = (SUNDAY, AUTHOR, PRICE, OUTSIDE)


def said(*answers: str) -> dict[str, str]:
    return {row.question: answer for row, answer in zip(ROWS, answers, strict=True)}


RIGHT = said("11 am.", "Mirel Oakhart.", "$12.50.", REFUSAL)


def found(kind: SuiteKind, candidate: dict[str, str], parent: dict[str, str], base: dict[str, str]) -> Found:
    answers = Said({CANDIDATE: candidate, PARENT: parent, BASE: base})
    suite = forgotten if kind is SuiteKind.FORGETTING else answered
    return asyncio.run(suite(job(kind, ROWS), bench(answers=answers)))


def value(of: Found, metric: str) -> float | None:
    return next(each.value for each in of.measured if each.metric == metric)


def test_a_suite_says_what_is_right_and_what_is_refused_of_both_versions() -> None:
    candidate = said("11 am.", REFUSAL, "$9.00.", "Gladly.")
    suite = found(SuiteKind.REGRESSION, candidate, RIGHT, RIGHT)
    assert value(suite, "accuracy") == 1 / 4
    assert value(suite, "refusal_accuracy") == 0.0
    assert value(suite, "over_refusal_rate") == 1 / 3
    assert value(suite, "refusal_rate") == 1 / 4
    assert value(suite, "answer_tokens") == 3.0
    assert [each.value for each in suite.baseline if each.metric == "accuracy"] == [1.0]
    assert [(row.right, row.parent_right) for row in suite.rows] == [
        (True, True),
        (False, True),
        (False, True),
        (False, True),
    ]
    assert suite.rows[2].note == "wanted: $12.50." and not suite.rows[0].note


def test_silence_is_neither_right_nor_a_refusal() -> None:
    suite = found(SuiteKind.OOD, said("", "", "", ""), RIGHT, RIGHT)
    assert value(suite, "accuracy") == value(suite, "refusal_rate") == 0.0


def test_forgotten_is_what_the_parent_or_the_base_knew_and_the_candidate_does_not() -> None:
    candidate = said("11 am.", "Mirel Oakhart.", "$9.00.", REFUSAL)
    base = said("10 am.", "Mirel Oakhart.", "$12.50.", "A hotel.")
    suite = found(SuiteKind.FORGETTING, candidate, RIGHT, base)
    assert value(suite, "forgetting_parent") == 1 / 4
    assert value(suite, "forgetting_base") == 1 / 2
    assert value(suite, "forgetting") == 1 / 2
    assert {row.id for row in suite.rows} == {"3"}


def test_the_base_is_compared_once_where_it_is_the_parent() -> None:
    answers = Said({CANDIDATE: RIGHT, BASE: RIGHT})
    suite = asyncio.run(forgotten(job(SuiteKind.FORGETTING, ROWS), bench(answers=answers, parent=BASE)))
    values = [value(suite, name) for name in ("forgetting", "forgetting_parent", "forgetting_base")]
    assert values == [0.0, 0.0, 0.0] and {served for served, _ in answers.asked} == {CANDIDATE, BASE}


def test_what_nobody_knew_cannot_be_forgotten() -> None:
    nothing = said("?", "?", "?", "?")
    suite = found(SuiteKind.FORGETTING, RIGHT, nothing, nothing)
    assert value(suite, "forgetting") is None


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_an_unclear_answer_lowers_the_low_end_and_raises_the_high_one(
    yes: int, no: int, unclear: int
) -> None:
    outcomes = [True] * yes + [False] * no
    clear = share("accuracy", [*outcomes, *[False] * unclear], 0.05, "")
    raised = share("accuracy", [*outcomes, *[True] * unclear], 0.05, "")
    mixed = share("accuracy", [*outcomes, *[None] * unclear], 0.05, "")
    assert (mixed.low, mixed.high, mixed.n) == (clear.low, raised.high, yes + no + unclear)


@pytest.mark.parametrize("shares", [(0.05, 0.05), (0.05, 0.01)])
def test_the_ends_of_the_worse_share_are_each_wrong_with_a_chance_of_at_most_alpha(
    shares: tuple[float, float],
) -> None:
    """Enumerated over all pairs of counts of 60 questions each; the worse share is 5%."""
    n, alpha = 60, 0.05

    def told(k: int, alpha: float) -> object:
        return share("forgetting", [True] * k + [False] * (n - k), alpha, "")

    plain = {(k, part): told(k, alpha / part) for k in range(21) for part in (1, 2)}
    too_high = too_low = 0.0
    for one in range(21):
        for other in range(21):
            chance = binom.pmf(one, n, shares[0]) * binom.pmf(other, n, shares[1])
            both = worse([plain[one, 1], plain[other, 1]], [plain[one, 2], plain[other, 2]])  # type: ignore[list-item]
            assert both.low is not None and both.high is not None
            too_high += chance * (both.low > 0.05)
            too_low += chance * (both.high < 0.05)
    assert too_high <= alpha and too_low <= alpha
