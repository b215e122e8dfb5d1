"""What a reviewer is told of a change: every value that differs and no other, with what it costs and concerns."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.reconcile.review import changed_values, review
from runner.spec.load import Spec
from tests.spec.repository import Repository

PRODUCTION = ("loop.yaml", "environments", "production")
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=80)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


def spec_of(files: Repository) -> Spec:
    loaded = files.load()
    assert loaded.spec is not None, loaded.diagnostics
    return loaded.spec


def changed(files: Repository, name: str = "production") -> dict[str, list[str]]:
    """Return the sections about the change from the shipped spec."""
    return {title: list(rows) for title, rows in review(spec_of(files), name, spec_of(Repository()))}


@given(values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert list(changed_values(value, copy.deepcopy(value))) == []


@given(values, values)
def test_values_that_differ_are_told_on_one_short_line_each(one: Any, other: Any) -> None:
    told = list(changed_values(one, other, "x"))
    assert not told or one != other
    for line in told:
        assert line.startswith("x") and " -> " in line and len(line.splitlines()) == 1
        assert len(line) < 400


@given(st.text("ab ", min_size=70, max_size=200), st.text("cd", min_size=1, max_size=80))
def test_long_texts_are_shown_where_they_begin_to_differ(same: str, end: str) -> None:
    same = " ".join(same.split()) + "."
    (line,) = changed_values(f"{same}{end}x", f"{same}{end}y", "notes")
    before, _, after = line.removeprefix("notes: ").partition(" -> ")
    assert before != after


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({"a": 1}, {"a": 2}, "a: 1 -> 2"),
        ({}, {"a": {"b": True}}, 'a: nothing -> {"b": true}'),
        ({"a": None}, {"a": "x"}, "a: nothing -> x"),
        ({"a": {"b": 1}}, {}, 'a: {"b": 1} -> nothing'),
        ({"s": [{"name": "canary", "t": 5}]}, {"s": [{"name": "canary", "t": 9}]}, "s[canary].t: 5 -> 9"),
        ({"s": [1, 2]}, {"s": [1]}, "s: [1, 2] -> [1]"),
        ({"s": [1, 2]}, {"s": [1, 3]}, "s[1]: 2 -> 3"),
        ({"a": "first\nsecond"}, {"a": ""}, "a: first second -> ''"),
    ],
)
def test_a_change_is_told_with_its_path_before_and_after(old: Any, new: Any, line: str) -> None:
    assert list(changed_values(old, new)) == [line]


def test_no_change_is_no_section() -> None:
    assert changed(Repository()) == {}


def test_what_changes_in_another_environment_is_told_there_only() -> None:
    files = Repository()
    files.set("loop.yaml", "environments", "staging", "suspend", to=True)
    assert changed(files) == {}
    assert changed(files, "staging") == {
        "changed values": ["loop.environments.staging.suspend: false -> true"],
    }


def test_an_environment_that_goes_is_told_in_those_that_stay() -> None:
    files = Repository()
    files.remove(*PRODUCTION, "promote_after")
    files.remove("loop.yaml", "environments", "staging")
    assert any(line.startswith("loop.environments.staging: {") for line in changed(files)["changed values"])


def test_a_rollout_shows_every_stage_and_where_it_stands() -> None:
    files = Repository()
    files.set(*PRODUCTION, "rollout", to={"candidate": "chat-v1.1", "stage": "half"})
    files.set("models/chat-v1.1.yaml", "parent", to="chat-v1.0")
    files.set("policies/rollout.yaml", "stages", 3, "duration", to="stable")
    stages = changed(files)["rollout"]
    assert [line.partition(":")[0] for line in stages] == ["canary", "small", "half", "full"]
    assert [line.endswith("<- stands here") for line in stages] == [False, False, True, False]
    assert stages[2].startswith("half: 50% of users, at least 72 h, ")
    assert "at least 72 h" in stages[3]
    files.set("policies/rollout.yaml", "stages", 0, "duration", to="20s")
    files.set("policies/rollout.yaml", "stages", 1, "duration", to="90m")
    files.set("policies/rollout.yaml", "stages", 2, "duration", to="5m")
    given = [line.partition("at least ")[2].partition(",")[0] for line in changed(files)["rollout"]]
    assert given[:3] == ["20 s", "1.5 h", "5 min"]


def test_a_candidate_is_compared_with_the_baseline_metric_by_metric_and_a_gap_is_said() -> None:
    files = Repository()
    files.set(*PRODUCTION, "rollout", to={"candidate": "chat-v1.1", "stage": "canary"})
    files.set("models/chat-v1.1.yaml", "parent", to="chat-v1.0")
    for name, metrics in (
        ("chat-v1.0", {"accuracy": 0.93}),
        ("chat-v1.1", {"accuracy": 0.95, "win_rate": 0.6}),
    ):
        report = f"models/reports/{name}.json"
        files.set(f"models/{name}.yaml", "evaluation", to={"report": report, "metrics": metrics})
        files.texts[report] = "{}"
    assert changed(files)["evaluation"] == [
        "accuracy: chat-v1.0 0.93, chat-v1.1 0.95 (+0.02)",
        "win_rate: chat-v1.0 not measured, chat-v1.1 0.6",
    ]


def test_data_that_comes_goes_or_changes_is_told_by_name() -> None:
    files = Repository()
    name = "datasets/bookshop-sft.yaml"
    files.set(name, "hash", to="0" * 32 + ".dir")
    (line,) = changed(files)["data"]
    assert line.startswith("bookshop-sft: ") and line.endswith(f"-> {'0' * 32}.dir")


def test_a_change_of_an_assumption_is_told_by_month_year_saving_break_even_and_payback() -> None:
    files = Repository()
    files.set("policies/cost.yaml", "items", "gpu-serving", "amount", to="$150")
    month, saved, break_even, payback, everything, *sure = changed(files)["cost"]
    assert month == "running cost: $300.00 -> $250.00 a month (-50.00; -600.00 a year)"
    assert saved == "saved against the API: $1,800.00 -> $2,400.00 a year"
    assert break_even == "break-even: 66,667 -> 55,556 requests a month"
    assert payback == "payback of the set-up: 16.0 months -> 12.0 months"
    assert everything.startswith(
        "everything counted: $436.67 -> $386.67 a month, saved against the API: $160.00 ->"
    )
    assert [each.partition(":")[0] for each in sure] == ["90% sure", "90% sure, everything counted"]
    assert all("that it saves at all: " in each for each in sure)


def test_what_the_set_up_and_the_api_cost_is_told_as_well() -> None:
    files = Repository()
    files.set("policies/cost.yaml", "engineering", "first-version", "hours", to=60)
    files.set("policies/cost.yaml", "alternative", "input_per_million", to="$6")
    lines = changed(files)["cost"]
    assert "the API: $450.00 -> $600.00 a month" in lines
    assert "set-up: $2,400.00 -> $3,600.00 once" in lines
    assert "payback of the set-up: 16.0 months -> 12.0 months" in lines


@pytest.mark.parametrize(
    ("section", "name", "sure"), [("items", "monitoring", 2), ("engineering", "upkeep", 1)]
)
def test_with_a_range_only_how_sure_it_is_changes(section: str, name: str, sure: int) -> None:
    files = Repository()
    files.set("policies/cost.yaml", section, name, "high", to="$200" if section == "items" else 9)
    lines = changed(files)["cost"]
    assert len(lines) == sure and all(line.startswith("90% sure") for line in lines)


def test_what_never_pays_before_and_after_is_no_change() -> None:
    before, after = Repository(), Repository()
    for files, amount in ((before, "$2000"), (after, "$3000")):
        item = {"amount": amount, "per": "month"}
        files.set("policies/cost.yaml", "items", "gpu-serving", to=item)
    sections = dict(review(spec_of(after), "production", spec_of(before)))
    assert not [line for line in sections["cost"] if "never" in line]


def test_another_rhythm_of_training_costs_what_is_paid_for_each_round() -> None:
    before, after = Repository(), Repository()
    for files in (before, after):
        item = {"amount": "$12", "per": "once", "account": "retraining"}
        files.set("policies/cost.yaml", "items", "retraining", to=item)
    after.set("policies/cadence.yaml", "phase", to="mature")
    sections = dict(review(spec_of(after), "production", spec_of(before)))
    (everything,) = [line for line in sections["cost"] if line.startswith("everything counted")]
    assert "$472.14 -> $432.00 a month" in everything, "4.35 weeks in a month, then one round"


def test_a_change_of_something_else_says_nothing_of_money() -> None:
    files = Repository()
    files.set("policies/cost.yaml", "items", "monitoring", "note", to="other words")
    assert "cost" not in changed(files)
