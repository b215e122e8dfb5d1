"""Gates: how often they are wrong, counted exactly, and what they make of conditions, pairs and missing figures."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from runner.evaluation.gates import alpha_of, compares, decide, decide_one
from runner.evaluation.results import GateResult, Measured, Row, SuiteResult
from runner.spec.evaluation import EvaluationPolicy
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.model import GateVerdict
from tests.cli.workbench import CHECKOUT
from tests.evaluation.benches import policy, result, share

PASS, FAIL, OPEN, ERROR = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR


def ended(given: EvaluationPolicy, found: SuiteResult) -> GateResult:
    (one,) = decide(given, [found])
    return one


def verdict(require: str, *measured: Measured, alpha: float = 0.05, **more: Any) -> GateVerdict:
    return ended(policy(require, alpha), result(measured, **more)).verdict


@pytest.mark.parametrize("alpha", [0.01, 0.05])
@pytest.mark.parametrize("n", [20, 47, 197, 597])
@pytest.mark.parametrize("bound", [0.05, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("operator", [">=", ">", "<", "<="])
def test_at_the_very_bound_a_gate_passes_and_fails_with_a_chance_of_at_most_alpha(
    operator: str, bound: float, n: int, alpha: float
) -> None:
    """Enumerated over every count that can come of a share that stands exactly at the bound."""
    given = policy(f"accuracy {operator} {bound:.0%}", alpha)
    ends = [ended(given, result([share("accuracy", k, n, alpha)], alpha)).verdict for k in range(n + 1)]
    chances = binom(n, bound).pmf(np.arange(n + 1))
    for wrong in (PASS, FAIL):
        assert sum(chance for chance, end in zip(chances, ends, strict=True) if end is wrong) <= alpha


@pytest.mark.parametrize("pairs", [0, 1, 5, 12, 40, 75])
def test_of_versions_that_are_equal_either_is_called_better_with_a_chance_of_at_most_alpha(
    pairs: int,
) -> None:
    """Only questions on which one alone is right tell them apart, and of these each has one half."""
    given = policy("accuracy > baseline")
    alpha = alpha_of(given, "facts")
    ends = []
    for gained in range(pairs + 1):
        rows = paired(gained, pairs - gained, both=200)
        ends.append(ended(given, against(rows, alpha)).verdict)
    chances = binom(pairs, 0.5).pmf(np.arange(pairs + 1))
    for wrong in (PASS, FAIL):
        assert sum(chance for chance, end in zip(chances, ends, strict=True) if end is wrong) <= 0.05


@pytest.mark.parametrize("share_of_parent", [0.6, 0.8, 0.95])
def test_a_tolerance_below_the_parent_is_wrongly_proven_with_a_chance_of_at_most_alpha(
    share_of_parent: float,
) -> None:
    """Enumerated over every pair of counts, with a candidate that stands exactly at nine tenths of its parent."""
    n, given = 40, policy("accuracy >= baseline * 0.9")
    alpha = alpha_of(given, "facts")
    chance = binom(n, 0.9 * share_of_parent).pmf(np.arange(n + 1))
    parents = binom(n, share_of_parent).pmf(np.arange(n + 1))
    wrong = {PASS: 0.0, FAIL: 0.0, OPEN: 0.0}
    for mine, theirs in product(range(n + 1), repeat=2):
        baseline = (share("accuracy", theirs, n, alpha),)
        found = result([share("accuracy", mine, n, alpha)], alpha, baseline=baseline)
        wrong[ended(given, found).verdict] += chance[mine] * parents[theirs]
    assert wrong[PASS] <= 0.05 and wrong[FAIL] <= 0.05


def test_two_conditions_at_their_bounds_mislead_together_with_a_chance_of_at_most_alpha() -> None:
    for require in (
        "accuracy >= 70% AND refusal_rate < 30%",
        "accuracy >= 70% OR refusal_rate < 30%",
    ):
        n, given = 60, policy(require)
        alpha = alpha_of(given, "facts")
        right, refused = binom(n, 0.7).pmf(np.arange(n + 1)), binom(n, 0.3).pmf(np.arange(n + 1))
        wrong = {PASS: 0.0, FAIL: 0.0, OPEN: 0.0}
        for k, r in product(range(n + 1), repeat=2):
            found = result([share("accuracy", k, n, alpha), share("refusal_rate", r, n, alpha)], alpha)
            wrong[ended(given, found).verdict] += right[k] * refused[r]
        assert wrong[PASS] <= 0.05 and wrong[FAIL] <= 0.05


CERTAIN = {
    "T": Measured("accuracy", 0.9, 0.85, 0.95, 100),
    "F": Measured("accuracy", 0.2, 0.1, 0.3, 100),
    "?": Measured("accuracy", 0.5, 0.4, 0.6, 100),
}
OTHER = {
    "T": Measured("refusal_rate", 0.1, 0.05, 0.2, 100),
    "F": Measured("refusal_rate", 0.9, 0.8, 1.0, 100),
    "?": Measured("refusal_rate", 0.5, 0.4, 0.6, 100),
}
ENDS = {"T": PASS, "F": FAIL, "?": OPEN}


@pytest.mark.parametrize(
    ("joined", "table"),
    [
        (
            "accuracy >= 50% AND refusal_rate <= 50%",
            {"TT": "T", "TF": "F", "T?": "?", "FF": "F", "F?": "F", "??": "?"},
        ),
        (
            "accuracy >= 50% OR refusal_rate <= 50%",
            {"TT": "T", "TF": "T", "T?": "T", "FF": "F", "F?": "?", "??": "?"},
        ),
        (
            "NOT (accuracy >= 50% AND refusal_rate <= 50%)",
            {"TT": "F", "TF": "T", "T?": "?", "FF": "T", "F?": "T", "??": "?"},
        ),
    ],
)
def test_conditions_are_joined_by_three_valued_logic(joined: str, table: dict[str, str]) -> None:
    for parts, end in table.items():
        one, other = tuple(parts)
        for first, second in {(one, other), (other, one)}:
            assert verdict(joined, CERTAIN[first], OTHER[second]) is ENDS[end], (first, second)


@pytest.mark.parametrize(
    ("require", "value", "end"),
    [
        ("parity < 0.1", 0.1, FAIL),
        ("parity <= 0.1", 0.1, PASS),
        ("parity > 0.1", 0.1, FAIL),
        ("parity >= 0.1", 0.1, PASS),
    ],
)
def test_a_figure_without_an_interval_is_compared_as_it_is(
    require: str, value: float, end: GateVerdict
) -> None:
    assert verdict(require, Measured("parity", value, value, value, 24)) is end


def test_without_data_nothing_passes() -> None:
    nothing = share("accuracy", 0, 0, 0.05)
    for require in ("accuracy >= 1%", "accuracy <= 99%", "NOT accuracy > 50%", "accuracy >= baseline"):
        assert verdict(require, nothing, baseline=(nothing,)) is OPEN


def test_an_end_that_the_data_cannot_bound_proves_nothing() -> None:
    slow = Measured("latency_p99", 0.5, 0.4, None, 50)
    assert verdict("latency_p99 < 2000ms", slow) is OPEN
    assert verdict("latency_p99 < 300ms", slow) is FAIL


def test_a_metric_that_was_not_measured_is_an_error_whatever_the_rest_says() -> None:
    for require in ("satisfaction > 4", "accuracy >= 50% OR satisfaction > 4", "accuracy > baseline"):
        assert verdict(require, CERTAIN["T"]) is ERROR


def test_a_suite_that_failed_says_why() -> None:
    found = ended(policy("accuracy >= 50%"), result([], error="the data set is not here"))
    assert (found.verdict, found.evidence) == (ERROR, "the data set is not here")


def test_the_evidence_names_value_interval_and_count() -> None:
    found = ended(policy("accuracy >= 50%"), result([CERTAIN["?"]]))
    assert found.evidence == "accuracy 50.0% [40.0% to 60.0%] n=100"


def test_answers_that_cannot_be_judged_are_nobodys_gain() -> None:
    """Twenty gained against none lost is proof; with twenty unclear ones beside them it is not."""
    given = policy("accuracy > baseline")
    alpha = alpha_of(given, "facts")
    rows = paired(20, 0, both=50)
    unclear = tuple(Row(f"u{i}", "q", "a", "p", None, True) for i in range(20))
    assert ended(given, against(rows, alpha)).verdict is PASS
    assert ended(given, against(rows + unclear, alpha)).verdict is OPEN


def test_pairs_prove_what_two_intervals_side_by_side_do_not() -> None:
    given = policy("accuracy > baseline")
    alpha = alpha_of(given, "facts")
    rows = paired(12, 0, both=400, neither=100)
    assert ended(given, against(rows, alpha)).verdict is PASS
    assert "candidate 12, parent 0" in ended(given, against(rows, alpha)).evidence
    alone = result([share("accuracy", 412, 512, alpha)], baseline=(share("accuracy", 400, 512, alpha),))
    assert ended(given, alone).verdict is OPEN


def test_alpha_is_divided_among_all_that_could_mislead() -> None:
    assert alpha_of(policy("accuracy > 50%"), "facts") == 0.05
    assert alpha_of(policy("accuracy > 50% AND refusal_rate < 5%"), "facts") == 0.025
    assert alpha_of(policy("accuracy > baseline", 0.02), "facts") == 0.01
    assert alpha_of(policy("accuracy > 50%"), "another") == 0.05
    assert compares(policy("accuracy > baseline"), "facts") and not compares(
        policy("accuracy > 50%"), "facts"
    )


CHAT_1_0 = {
    "facts-right": share("accuracy", 580, 597, 0.05),
    "outside-refused": share("refusal_accuracy", 41, 47, 0.05),
    "survives-odd-wording": share("accuracy", 149, 197, 0.05),
    "served-as-trained": Measured("parity", 0.0189, 0.0189, 0.0189, 48),
}
"""What the first version of the small world does on the shipped suites."""


@pytest.mark.parametrize("gate", CHAT_1_0)
def test_the_first_version_passes_every_shipped_gate_of_what_it_can_do_alone(gate: str) -> None:
    shipped = load_or_raise(DirectoryFiles(CHECKOUT)).policies.evaluation.gates[gate]
    found = result([CHAT_1_0[gate]])
    assert decide_one(gate, shipped, found).verdict is PASS


def paired(gained: int, lost: int, both: int, neither: int = 0) -> tuple[Row, ...]:
    apart = [(True, False)] * gained + [(False, True)] * lost
    outcomes = [*apart, *[(True, True)] * both, *[(False, False)] * neither]
    return tuple(
        Row(f"{i}", "question", "mine", "theirs", right, parent) for i, (right, parent) in enumerate(outcomes)
    )


def against(rows: tuple[Row, ...], alpha: float) -> SuiteResult:
    """Return a result whose figures are those of its rows."""
    mine, theirs = (
        share("accuracy", sum(bool(getattr(row, name)) for row in rows), len(rows), alpha)
        for name in ("right", "parent_right")
    )
    return result([mine], alpha, baseline=(theirs,), rows=rows)
