"""Two versions: what differs is told, intervals say whether figures prove it, and the order only turns signs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.evaluation.results import Measured
from runner.registry.comparison import Comparison, Figure, Pair, Record, compare
from runner.registry.places import Place, Role, places, quarantine_of
from runner.spec.load import Spec
from tests.promotion.shop import NEW, OLD, report_of
from tests.spec.repository import Repository, quarantine_text

FIGURES = st.builds(
    lambda low, middle, high: Figure(low + middle, low, low + middle + high, 10), *[st.floats(0, 10)] * 3
)


@pytest.fixture(scope="module")
def spec() -> Spec:
    loaded = Repository().load().spec
    assert loaded is not None
    return loaded


def record(spec: Spec, name: str, against: str = OLD) -> Record:
    model = spec.models[name]
    return Record(model, report_of(spec, model.adapter.digest, name, against).to_json())


def turned(found: Comparison) -> set[tuple[str, str, str]]:
    every = (*found.gates, *found.adapter, *found.recipe, *found.data)
    return {(each.what, each.other, each.one) for each in every}


def test_turned_about_the_same_differs(spec: Spec) -> None:
    there, back = (compare(spec, record(spec, a), record(spec, b)) for a, b in ((OLD, NEW), (NEW, OLD)))
    assert turned(there) == {(each[0], each[2], each[1]) for each in turned(back)}
    assert [pair.metric for pair in there.figures] == [pair.metric for pair in back.figures]


@given(FIGURES, FIGURES)
def test_intervals_are_apart_exactly_where_no_value_lies_in_both(one: Figure, other: Figure) -> None:
    assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
    common = max(one.low, other.low) <= min(one.high, other.high)
    assert Pair("accuracy", one, other).apart is not common
    assert Pair("accuracy", other, one).apart is not common


def test_without_two_intervals_nothing_is_said_of_them() -> None:
    known, bare = Figure(0.5, 0.4, 0.6, 10), Figure(0.9)
    assert Pair("accuracy", known, bare).apart is None and Pair("accuracy", known, None).change is None
    assert Pair("accuracy", known, bare).change == pytest.approx(0.4)


def test_questions_and_engines_that_changed_are_told_before_the_figures(spec: Spec) -> None:
    one, other = record(spec, OLD), record(spec, NEW)
    assert one.evaluation is not None and other.evaluation is not None
    first = {**one.evaluation, "dataset_hashes": {"bookshop-ood": "a"}, "engine": "0.10"}
    second = {**other.evaluation, "dataset_hashes": {"bookshop-ood": "b"}}
    notes = compare(spec, Record(one.model, first), Record(other.model, second)).notes
    assert notes == (
        "the questions changed between the evaluations: bookshop-ood",
        "measured on different engines: 0.10 and 0.11.0",
    )


def test_a_parent_without_a_report_has_the_figures_that_its_child_measured_of_it(spec: Spec) -> None:
    found = compare(spec, Record(spec.models[OLD]), record(spec, NEW))
    assert found.notes == ()
    assert {pair.one for pair in found.figures} == {Figure(0.94, 0.91, 0.96, 200)}
    stranger = record(spec, NEW, against=NEW)
    assert "no intervals are known" in compare(spec, Record(spec.models[OLD]), stranger).notes[0]


def test_a_value_that_was_not_measured_is_no_figure(spec: Spec) -> None:
    one = record(spec, NEW)
    assert one.evaluation is not None
    suites = [
        {**suite, "measured": [vars_of(Measured("accuracy", None, None, None, 0))]}
        for suite in one.evaluation["suites"]
    ]
    blank = Record(one.model, {**one.evaluation, "suites": suites})
    assert compare(spec, blank, blank).figures == ()


def vars_of(measured: Measured) -> dict[str, object]:
    return {
        "metric": measured.metric,
        "value": measured.value,
        "low": None,
        "high": None,
        "n": 0,
        "about": "",
    }


def test_every_role_of_a_version_is_found_in_every_environment() -> None:
    repository = Repository()
    where = ("loop.yaml", "environments", "staging")
    repository.set(*where, "rollout", to={"candidate": NEW, "stage": "small"})
    repository.set(*where, "shadow", to={"version": NEW})
    repository.set("loop.yaml", "environments", "production", "standby", to=NEW)
    spec = repository.load().spec
    assert spec is not None, repository.load().diagnostics
    assert places(spec, NEW) == (
        Place("staging", Role.CANDIDATE, "small"),
        Place("staging", Role.SHADOW),
        Place("production", Role.STANDBY),
    )
    assert [str(place) for place in places(spec, OLD)] == ["staging: baseline", "production: baseline"]


def test_quarantine_is_of_bytes_under_whatever_name() -> None:
    repository = Repository()
    short = "b" * 12
    repository.texts["quarantine.yaml"] = quarantine_text(f"other--{short}", f"{NEW}--{short}")
    spec = repository.load().spec
    assert spec is not None, repository.load().diagnostics
    found = quarantine_of(spec, NEW)
    assert found is not None and found.served == f"{NEW}--{short}", "the newest entry"
    assert quarantine_of(spec, OLD) is None
