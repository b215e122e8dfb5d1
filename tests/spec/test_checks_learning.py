"""Data, collection, training, calendar and cost: a round of training can be run as the policies say."""

from __future__ import annotations

import pytest

DATASET, COLLECTION = "datasets/bookshop-sft.yaml", "policies/collection.yaml"
TRAINING, CADENCE = "policies/training.yaml", "policies/cadence.yaml"


def test_two_data_sets_have_two_files(repository):
    repository.set("datasets/bookshop-thumbs.yaml", "path", to="datasets/snapshot/preferences.jsonl")
    repository.refuses("is the file of 'bookshop-preferences' already", line="path:", fix="its own")


def test_something_is_expected_of_a_column_that_exists(repository):
    _expect(repository, {"column": "qestion", "expect": "unique"})
    repository.refuses("unknown column 'qestion'", line="- column: qestion", fix="did you mean 'question'?")


@pytest.mark.parametrize(
    ("expectation", "summary"),
    [
        ({"expect": "in_set"}, "'in_set' says of nothing"),
        ({"expect": "matches"}, "'matches' says of nothing"),
        ({"expect": "length_between"}, "'length_between' says of nothing"),
        ({"expect": "unique", "low": 3}, "'low' means nothing to 'unique'"),
        ({"expect": "not_null", "values": ["a"]}, "'values' means nothing to 'not_null'"),
        ({"expect": "value_between", "low": 3, "high": 2}, "nothing lies between these"),
        ({"expect": "matches", "pattern": "("}, "not a regular expression"),
    ],
)
def test_an_expectation_says_something_that_can_hold(repository, expectation, summary):
    _expect(repository, {"column": "question", **expectation})
    repository.refuses(summary, line="")


def _expect(repository, expectation):
    repository.set(DATASET, "expectations", to=[expectation])


def test_a_minimum_of_every_category_needs_categories(repository):
    repository.set(DATASET, "categories", to=[])
    repository.refuses("and no categories", line="per_category:", fix="categories")


def test_categories_need_a_column(repository):
    repository.remove(DATASET, "schema", "category")
    repository.set(DATASET, "expectations", to=[])
    repository.refuses("no column 'category'", line="categories:", fix="schema")


def test_a_category_is_one_that_is_collected(repository):
    repository.set(DATASET, "categories", to=["factual_aq"])
    repository.refuses("unknown category 'factual_aq'", line="- factual_aq", fix="did you mean 'factual_qa'?")


def test_shares_of_categories_over_one_hundred_percent_are_refused(repository):
    repository.set(COLLECTION, "categories", "creative", "share", to="50%")
    repository.refuses("add up to 140%", line="categories:", evidence="0.4, 0.15, 0.5", fix="at most 100%")


def test_the_levels_of_the_plan_rise(repository):
    repository.set(COLLECTION, "plan", "optimal", "samples_per_week", to=200)
    repository.refuses("the levels of the plan fall", line="plan:", evidence="100, 300, 200", fix="at least")


def test_the_floor_of_agreement_is_below_what_is_reliable(repository):
    repository.set(COLLECTION, "agreement", "floor", to=0.9)
    repository.refuses("above what is reliable", line="floor: 0.9", evidence="reliable: 0.8", fix="lower")


def test_a_recipe_names_a_data_set_that_exists(repository):
    repository.set(TRAINING, "recipes", "dpo", "dataset", to="bookshop-preference")
    repository.refuses("unknown dataset", line="dataset:", fix="did you mean 'bookshop-preferences'?")


def test_a_recipe_names_a_data_set_with_the_columns_it_needs(repository):
    repository.set(TRAINING, "recipes", "dpo", "dataset", to="bookshop-thumbs")
    evidence = "missing: chosen, rejected"
    repository.refuses("DPO needs columns that 'bookshop-thumbs' lacks", line="dataset:", evidence=evidence)


def test_a_recipe_makes_adapters_that_can_be_served(repository):
    repository.set(TRAINING, "recipes", "dpo", "lora", "rank", to=64)
    repository.refuses("could not be served in staging, production", line="rank: 64", fix="lower the rank")


def test_a_batch_is_made_of_whole_micro_batches(repository):
    repository.set(TRAINING, "recipes", "dpo", "optimiser", "micro_batch_size", to=5)
    repository.refuses(
        "whole micro-batches", line="micro_batch_size: 5", evidence="batch_size: 32", fix="divide"
    )


def test_a_part_of_a_loss_stands_once(repository):
    repository.set(TRAINING, "recipes", "dpo", "loss", to=[{"kind": "sigmoid"}, {"kind": "sigmoid"}])
    repository.refuses("stands twice", line="- kind: sigmoid", fix="add up")


@pytest.mark.parametrize("key, value", [("label_smoothing", 0.1), ("length_normalised", True)])
def test_smoothing_and_normalising_by_length_change_the_sigmoid_part_alone(repository, key, value):
    repository.set(TRAINING, "recipes", "dpo", key, to=value)
    assert repository.load().diagnostics == ()
    repository.set(TRAINING, "recipes", "dpo", "loss", to=[{"kind": "hinge"}])
    repository.refuses(f"'{key}' changes the part 'sigmoid'", line=f"{key}: ", fix="add {kind: sigmoid}")


def test_no_loss_is_both_smoothed_and_normalised_by_length(repository):
    repository.set(TRAINING, "recipes", "dpo", "label_smoothing", to=0.1)
    repository.set(TRAINING, "recipes", "dpo", "length_normalised", to=True)
    repository.refuses("both smoothed and normalised", line="label_smoothing: 0.1", fix="remove")


def test_every_phase_has_its_rhythm(repository):
    repository.remove(CADENCE, "phases", "mature")
    repository.refuses("phase 'mature' is missing", line="phases:", fix="add 'mature: ...'")


def test_work_has_one_name_in_a_cycle(repository):
    repository.set(CADENCE, "monthly", "work", 1, "name", to="collect")
    repository.refuses("work 'collect' stands twice", line="- name: collect", fix="another name")


def test_work_ends_within_its_cycle(repository):
    repository.set(CADENCE, "monthly", "work", 5, "lasts", to="20d")
    repository.refuses("'watch' ends on day 43", line="lasts: 20d", evidence="31 days", fix="earlier")


@pytest.mark.parametrize(("key", "value"), [("low", "$250"), ("high", "$100")])
def test_an_amount_lies_within_its_range(repository, key, value):
    repository.set("policies/cost.yaml", "items", "gpu-serving", key, to=value)
    repository.refuses(
        "'gpu-serving' lies outside its range", line="amount:", evidence="amount 200", fix="correct"
    )


def test_the_hours_of_a_piece_of_work_lie_within_their_range(repository):
    repository.set("policies/cost.yaml", "engineering", "upkeep", "low", to=3)
    repository.refuses(
        "the figure 'hours' of 'upkeep' lies outside", line="hours:", evidence="hours 2", fix="correct"
    )


def test_work_has_a_name_that_no_item_has(repository):
    work = {"hours": 1, "rate": "$60", "per": "month"}
    repository.set("policies/cost.yaml", "engineering", to={"licence": work})
    repository.refuses("'licence' is the name of an item already", line="licence:", fix="another name")


@pytest.mark.parametrize(
    ("per", "account", "fix"),
    [
        ("once", "running", "account: setup"),
        ("month", "setup", "per: once"),
        ("once", "engineering", "setup"),
    ],
)
def test_set_up_is_what_is_paid_once(repository, per, account, fix):
    item = {"amount": "$5", "per": per, "account": account}
    repository.set("policies/cost.yaml", "items", "licence", to=item)
    repository.refuses(f"'licence' is paid per {per} and counted as {account}", line="per:", fix=fix)


def test_a_round_of_training_may_be_paid_once_each(repository):
    item = {"amount": "$5", "per": "once", "account": "retraining"}
    repository.set("policies/cost.yaml", "items", "licence", to=item)
    assert repository.load().diagnostics == ()


@pytest.mark.parametrize(
    ("bound", "summary", "fix"),
    [
        ("satisfaction > 4", "not held against 'satisfaction'", "name one of these"),
        ("latency_p95 < baseline", "compares with no baseline", "such as 100ms"),
    ],
)
def test_a_reason_beyond_money_is_held_against_times(repository, bound, summary, fix):
    reason = {"kind": "latency", "says": "it is quick", "bound": bound}
    repository.set("policies/cost.yaml", "reasons", to=[reason])
    repository.refuses(summary, line="bound:", fix=fix)


def test_a_key_of_an_item_that_nobody_knows_is_an_error(repository):
    repository.set("policies/cost.yaml", "engineering", "upkeep", "wage", to="$60")
    assert "'wage'" in str(repository.only())
