"""Signals, gates and conditions: what a rule names is measured, and on data that fits."""

from __future__ import annotations

import pytest

SIGNALS, EVALUATION = "policies/signals.yaml", "policies/evaluation.yaml"


def test_a_signal_is_a_known_metric(repository):
    repository.set(
        SIGNALS,
        "signals",
        "eror_rate",
        to={"source": "request", "window": "1h", "detector": {"kind": "share"}},
    )
    repository.refuses(
        "unknown metric 'eror_rate'", line="eror_rate:", evidence="crash_rate", fix="'error_rate'?"
    )


def test_a_quantile_measures_a_percentile(repository):
    repository.set(SIGNALS, "signals", "answer_tokens", "detector", "kind", to="quantile")
    repository.refuses("'answer_tokens' is no percentile", line="kind: quantile", fix="latency_p99")


def test_a_threshold_names_only_what_is_measured(repository):
    repository.set(SIGNALS, "signals", "error_rate", "thresholds", "hold", to="first_token_p50 > 1s")
    repository.refuses("nothing measures 'first_token_p50'", line="hold:", fix="add the signal")


def test_a_detector_names_a_data_set_that_exists(repository):
    repository.set(SIGNALS, "signals", "input_drift", "detector", "reference", to="bookshop-referense")
    repository.refuses("unknown dataset", line="reference:", fix="did you mean 'bookshop-reference'?")


def test_a_detector_names_a_data_set_of_the_right_role(repository):
    repository.set(SIGNALS, "signals", "input_drift", "detector", "reference", to="bookshop-sft")
    evidence = "fitting: bookshop-facts, bookshop-reference"
    repository.refuses("has the role sft, and this needs reference", line="reference:", evidence=evidence)


def test_a_paired_signal_names_a_suite_that_exists(repository):
    repository.set(SIGNALS, "signals", "forgetting", "detector", "suite", to="forgeting")
    repository.refuses("unknown suite 'forgeting'", line="suite:", fix="did you mean 'forgetting'?")


def test_a_judge_that_is_asked_has_to_be_named(repository):
    repository.set(EVALUATION, "suites", "preference", "arbiter", to="reference")
    repository.remove(EVALUATION, "judge")
    repository.set(SIGNALS, "signals", "reask_rate", "detector", "similarity", to="judge")
    repository.refuses("there is no judge to ask", line="similarity: judge", fix="policies/evaluation.yaml")


def test_a_kpi_follows_what_is_measured(repository):
    repository.set(SIGNALS, "kpis", "session-length", "metric", to="sesion_length")
    repository.refuses("unknown metric 'sesion_length'", line="metric:", fix="did you mean 'session_length'?")


def test_the_target_of_a_kpi_speaks_of_its_metric(repository):
    repository.set(SIGNALS, "kpis", "error-rate", "target", to="crash_rate < 1%")
    repository.refuses("another metric than 'error_rate'", line="target:", evidence="crash_rate < 1%")


def test_a_kpi_has_a_target_or_a_trend(repository):
    repository.remove(SIGNALS, "kpis", "session-length", "trend")
    repository.refuses("neither a target nor a trend", line="session-length:", fix="add one")


def test_a_round_is_skipped_on_what_is_measured(repository):
    repository.set("policies/cadence.yaml", "skip", "unneeded_if", to="first_token_p50 < 1s")
    repository.refuses("nothing measures 'first_token_p50'", line="unneeded_if:")


def test_a_suite_names_a_data_set_that_exists(repository):
    repository.set(EVALUATION, "suites", "ood", "dataset", to="bookshop-odd")
    repository.refuses("unknown dataset 'bookshop-odd'", line="dataset: bookshop-odd", fix="'bookshop-ood'?")


def test_a_suite_names_a_data_set_of_the_right_role(repository):
    repository.set(EVALUATION, "suites", "ood", "dataset", to="bookshop-sft")
    repository.refuses(
        "has the role sft, and this needs ood", line="dataset:", evidence="fitting: bookshop-ood"
    )


@pytest.mark.parametrize(("suite", "key"), [("regression", "dataset"), ("load", "load"), ("load", "dataset")])
def test_a_suite_has_what_its_kind_needs(repository, suite, key):
    repository.remove(EVALUATION, "suites", suite, key)
    repository.refuses(f"needs '{key}'", line=f"{suite}:", fix=f"add '{key}: ...'")


@pytest.mark.parametrize(("key", "value"), [("load", {"rate": 1, "duration": "1s"}), ("tasks", ["arc"])])
def test_a_suite_has_nothing_that_its_kind_does_not_read(repository, key, value):
    repository.set(EVALUATION, "suites", "regression", key, to=value)
    repository.refuses(f"'{key}' means nothing to a suite of kind regression", line=f"{key}:", fix="remove")


def test_public_tasks_need_no_data_set(repository):
    repository.set(EVALUATION, "suites", "public", to={"kind": "harness", "tasks": ["arc_easy"]})
    assert repository.load().diagnostics == ()


def test_a_gate_names_a_suite_that_exists(repository):
    repository.set(EVALUATION, "gates", "keeps-up", "suite", to="laod")
    repository.refuses("unknown suite 'laod'", line="suite: laod", fix="did you mean 'load'?")


def test_a_gate_asks_a_suite_for_what_it_measures(repository):
    repository.set(EVALUATION, "gates", "keeps-up", "suite", to="parity")
    found = repository.load().diagnostics
    assert [item.summary for item in found] == [
        "suite 'parity' does not measure 'error_rate'",
        "suite 'parity' does not measure 'latency_p99'",
    ]
    assert {repository.line(item).partition(":")[0] for item in found} == {"require"}


def test_a_judge_is_calibrated_on_preferences(repository):
    judge = {"base_url": "http://127.0.0.1:9", "model": "m", "calibration": "bookshop-ood"}
    repository.set(EVALUATION, "judge", to=judge)
    repository.refuses("this needs preferences", line="calibration:", evidence="bookshop-preferences")


def test_simulated_customers_stand_in_for_a_model_and_are_calibrated_as_one(repository):
    repository.set(EVALUATION, "judge", to={"simulated": "bookshop", "calibration": "bookshop-ood"})
    repository.refuses("this needs preferences", line="calibration:", evidence="bookshop-preferences")


@pytest.mark.parametrize(
    ("judge", "summary", "line"),
    [
        ({"simulated": "bookshpo", "calibration": "bookshop-preferences"}, "bookshop", "simulated:"),
        (
            {"base_url": "http://127.0.0.1:9", "calibration": "bookshop-preferences"},
            "'model' is missing",
            "judge:",
        ),
        (
            {"simulated": "bookshop", "base_url": "http://h", "calibration": "bookshop-preferences"},
            "unknown key 'base_url'",
            "base_url:",
        ),
        ({"calibration": "bookshop-preferences", "model": "m"}, "'base_url' is missing", "judge:"),
    ],
)
def test_a_judge_is_a_model_at_an_address_or_simulated(repository, judge, summary, line):
    repository.set(EVALUATION, "judge", to=judge)
    repository.refuses(summary, line=line)


def test_simulated_customers_do_not_say_whether_answers_are_the_same(repository):
    repository.set(SIGNALS, "signals", "reask_rate", "detector", "similarity", to="judge")
    repository.refuses("there is no judge to ask", line="similarity: judge", fix="'base_url'")


def test_where_a_judge_decides_there_is_one(repository):
    repository.remove(EVALUATION, "judge")
    repository.refuses("the policy names none", line="arbiter: judge", fix="'arbiter: votes'")
    repository.remove(EVALUATION, "suites", "preference", "arbiter")
    repository.refuses("the policy names none", line="preference:", fix="'arbiter: reference'")


@pytest.mark.parametrize("arbiter", ["votes", "reference"])
def test_without_a_judge_people_or_right_answers_decide(repository, arbiter):
    repository.remove(EVALUATION, "judge")
    suite = {"kind": "win_rate", "arbiter": arbiter}
    suite |= {"dataset": "bookshop-regression"} if arbiter == "reference" else {}
    repository.set(EVALUATION, "suites", "preference", to=suite)
    assert repository.load().diagnostics == ()


def test_votes_have_their_own_questions(repository):
    suite = {"kind": "win_rate", "arbiter": "votes", "dataset": "bookshop-regression"}
    repository.set(EVALUATION, "suites", "preference", to=suite)
    repository.refuses("that votes decide", line="dataset:", fix="remove 'dataset'")


def test_nobody_decides_where_nothing_is_compared(repository):
    repository.set(EVALUATION, "suites", "regression", "arbiter", to="judge")
    repository.refuses("'arbiter' means nothing", line="arbiter: judge", fix="remove 'arbiter'")
