from __future__ import annotations

from collections.abc import Mapping

import pytest

from runner.feedback.labels.agreement import TaskAgreement, agreements
from runner.feedback.labels.opinions import opinions
from runner.feedback.records import Task
from runner.spec.collection import Agreement
from runner.stats.agreement import Verdict, alpha, cohen, fleiss
from tests.feedback.labels.made import label

ROWS: list[Mapping[str, str]] = [
    {"a": "good", "b": "good", "c": "good"},
    {"a": "bad", "b": "bad", "c": "good"},
    {"a": "bad", "b": "bad", "c": "bad"},
    {"a": "good", "b": "good", "c": "bad"},
    {"a": "unclear", "b": "bad"},
    {"b": "good", "c": "good"},
    {"a": "good"},
]


def measured(rows=ROWS, policy: Agreement | None = None) -> TaskAgreement:
    labels = [label(user, value, f"rec-{n}") for n, row in enumerate(rows) for user, value in row.items()]
    return agreements(opinions(labels), policy or Agreement())[Task.ANSWER]


def test_the_figures_are_those_of_the_statistics_module() -> None:
    found = measured()
    table = [[row.get(user) for user in "abc"] for row in ROWS]
    columns = dict(zip("abc", zip(*table, strict=True), strict=True))

    assert found.krippendorff is not None
    assert found.krippendorff.alpha == pytest.approx(alpha(table))
    assert found.krippendorff.low <= found.krippendorff.alpha <= found.krippendorff.high
    assert found.fleiss == pytest.approx(fleiss(table))
    assert {(pair.one, pair.other): pair.kappa for pair in found.pairs} == {
        (one, other): pytest.approx(cohen(columns[one], columns[other]))
        for one, other in (("a", "b"), ("a", "c"), ("b", "c"))
    }


def test_each_pair_says_over_how_many_items_it_is() -> None:
    found = measured()

    assert [(pair.one, pair.other, pair.items) for pair in found.pairs] == [
        ("a", "b", 5),
        ("a", "c", 4),
        ("b", "c", 5),
    ]
    assert (found.items, found.labels) == (6, 17)


def test_the_mean_of_the_pairs_weighs_items() -> None:
    found = measured()
    kappas = [(pair.kappa or 0.0, pair.items) for pair in found.pairs]

    assert found.cohen == pytest.approx(sum(k * n for k, n in kappas) / sum(n for _, n in kappas))


def test_who_is_alone_most_often_comes_first() -> None:
    first, *rest = measured().reviewers

    assert (first.user, first.alone, first.beside, first.labels) == ("c", 2, 4, 5)
    assert all((each.minority or 0.0) < (first.minority or 0.0) for each in rest)


def test_without_a_careless_person_the_others_agree() -> None:
    found = measured()
    careless = next(each for each in found.reviewers if each.user == "c")

    assert found.krippendorff is not None
    assert careless.alpha_without is not None
    assert careless.alpha_without > found.krippendorff.alpha


def test_a_share_of_minority_needs_two_others_who_agree() -> None:
    (one, other) = measured([{"a": "good", "b": "bad"}, {"a": "bad", "b": "bad"}]).reviewers

    assert one.minority is None
    assert other.minority is None


@pytest.mark.parametrize(
    ("floor", "reliable", "verdict"),
    [(0.0, 0.1, Verdict.USE), (0.0, 0.99, Verdict.TENTATIVE), (0.9, 0.95, Verdict.NOT)],
)
def test_the_verdict_follows_the_policy(floor: float, reliable: float, verdict: Verdict) -> None:
    assert measured(policy=Agreement(floor=floor, reliable=reliable)).verdict is verdict


def test_a_last_word_counts_for_no_agreement_since_it_is_not_blind() -> None:
    labels = [label(user, value, f"rec-{n}") for n, row in enumerate(ROWS) for user, value in row.items()]
    with_last = [*labels, *(label("judge", "bad", f"rec-{n}", final=True) for n in range(6))]

    assert agreements(opinions(with_last), Agreement()) == agreements(opinions(labels), Agreement())


def test_items_of_one_person_only_give_no_figure_and_no_verdict_but_not() -> None:
    found = measured([{"a": "good"}, {"b": "bad"}])

    assert (found.krippendorff, found.fleiss, found.pairs, found.verdict) == (None, None, (), Verdict.NOT)
    assert found.reason == "no item was rated by two people"
