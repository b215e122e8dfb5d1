"""The repository's own files say what the project set out to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import Severity
from runner.spec.files import DirectoryFiles
from runner.spec.load import load
from runner.spec.rollout import Advance

ROOT = Path(__file__).parents[2]


@pytest.fixture
def spec(repository):
    return repository.load().spec


def test_the_shipped_files_are_free_of_errors_and_of_warnings_but_for_bytes_not_pulled():
    found = load(DirectoryFiles(ROOT)).diagnostics
    assert [str(item) for item in found if item.severity is Severity.ERROR] == []
    assert all("dvc pull" in (item.fix or "") for item in found)


def test_a_candidate_comes_in_four_stages_with_the_conditions_of_the_project(spec):
    stages = [(s.name, s.traffic, s.duration, str(s.rollback_if)) for s in spec.policies.rollout.stages]
    hour = 3600.0
    assert stages == [
        ("canary", 0.05, 24 * hour, "error_rate > 5% OR satisfaction < baseline"),
        ("small", 0.20, 48 * hour, "error_rate > 3% OR satisfaction < baseline"),
        ("half", 0.50, 72 * hour, "error_rate > 2% OR satisfaction < baseline"),
        ("full", 1.00, None, "None"),
    ]


def test_four_conditions_hold_at_every_stage(spec):
    assert sorted(map(str, spec.policies.rollout.always.values())) == [
        "crash_rate > 1%",
        "error_rate > baseline * 1.5",
        "latency_p99 > 2000ms",
        "satisfaction < baseline * 0.9",
    ]


def test_a_rollback_has_thirty_seconds_and_one_percent_of_false_alarms(spec):
    assert spec.policies.rollout.rollback.budget == 30.0
    assert spec.policies.rollout.decision.alpha == 0.01


def test_the_step_that_most_users_feel_is_taken_by_a_person(spec):
    half = next(stage for stage in spec.policies.rollout.stages if stage.name == "half")
    assert half.advance is Advance.PULL_REQUEST


def test_the_four_kpis_have_their_targets(spec):
    kpis = {kpi.metric: (str(kpi.target), str(kpi.alert)) for kpi in spec.policies.signals.kpis.values()}
    assert kpis == {
        "satisfaction": ("satisfaction > 4.0", "None"),
        "win_rate": ("win_rate > 55%", "None"),
        "error_rate": ("error_rate < 1%", "error_rate > 2%"),
        "session_length": ("None", "None"),
    }


def test_drift_has_the_two_bands_and_self_consistency_its_five_answers(spec):
    drift = spec.policies.signals.signals["input_drift"].thresholds
    assert (str(drift.warn), str(drift.retrain)) == ("input_drift > 0.1", "input_drift > 0.5")
    detector = spec.policies.signals.signals["consistency"].detector
    assert (detector.k, detector.temperature) == (5, 0.7)
    assert spec.policies.signals.signals["reask_rate"].detector.within == 30.0


def test_the_collection_plan_and_the_cadence_ask_for_the_same_rhythm(spec):
    plan, phases = spec.policies.collection.plan, spec.policies.cadence.phases
    amounts = [plan.minimum, plan.target, plan.optimal]
    assert [a.samples_per_week for a in amounts] == [100, 300, 500]
    assert [a.training_frequency.value for a in amounts] == ["monthly", "bi-weekly", "weekly"]
    assert {name.value: (p.frequency.value, p.min_samples) for name, p in phases.items()} == {
        "startup": ("weekly", 100),
        "growth": ("bi-weekly", 200),
        "mature": ("monthly", 300),
    }


def test_five_categories_of_questions_have_examples(spec):
    categories = spec.policies.collection.categories
    assert list(categories) == ["factual_qa", "comparison", "creative", "problem_solving", "explanation"]
    assert all(category.examples for category in categories.values())


def test_at_most_a_fifth_of_the_pairs_is_synthetic(spec):
    assert spec.policies.collection.augmentation.max_share == 0.2


def test_the_running_account_is_three_hundred_a_month_and_the_saving_eighteen_hundred_a_year(spec):
    cost = spec.policies.cost
    month = sum(
        i.amount for i in cost.items.values() if i.account.value == "running" and i.per.value == "month"
    )
    traffic, other = cost.traffic, cost.alternative
    tokens = traffic.input_tokens * other.input_per_million + traffic.output_tokens * other.output_per_million
    assert month == 300
    assert 12 * (traffic.requests_per_month * tokens / 1e6 - month) == pytest.approx(1800)


def test_no_file_states_personal_data_is_kept(spec):
    assert spec.policies.privacy.content.value == "masked"
