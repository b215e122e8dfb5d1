"""Stages, experiments and windows: a candidate can go the way that the policy draws."""

from __future__ import annotations

import pytest

from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension

SOME = {
    Dimension.RATIO: "5%",
    Dimension.DURATION: "1s",
    Dimension.MONEY: "$5",
    Dimension.SCORE: "1.5",
    Dimension.COUNT: "3",
}
PRODUCTION = ("environments", "production")
ROLLOUT = "policies/rollout.yaml"


def test_an_unknown_stage_is_refused(repository):
    repository.set("loop.yaml", *PRODUCTION, "rollout", to={"candidate": "chat-v1.1", "stage": "cannary"})
    known = "known: canary, small, half, full"
    repository.refuses(
        "unknown stage 'cannary'", line="stage: cannary", evidence=known, fix="did you mean 'canary'?"
    )


def test_traffic_never_falls(repository):
    repository.set(ROLLOUT, "stages", 2, "traffic", to="10%")
    evidence = "small: 0.2\nhalf: 0.1"
    repository.refuses(
        "traffic falls from 'small' to 'half'", line="traffic: 10%", evidence=evidence, fix="in order"
    )


def test_a_stage_has_one_name(repository):
    repository.set(ROLLOUT, "stages", 1, "name", to="canary")
    repository.refuses("stage 'canary' stands twice", line="- name: canary", fix="another name")


def test_nothing_comes_after_a_stable_stage(repository):
    repository.set(ROLLOUT, "stages", 1, "duration", to="stable")
    repository.refuses("nothing comes after it", line="duration: stable", evidence="next: half", fix="24h")


def test_what_a_condition_names_has_to_be_measured(repository):
    repository.set(ROLLOUT, "always", "more-tokens", to="first_token_p50 > 1s")
    repository.refuses(
        "nothing measures 'first_token_p50'", line="more-tokens:", evidence="> 1s", fix="add the signal"
    )


@pytest.mark.parametrize("where", ["always", "rollback_if"])
@pytest.mark.parametrize("metric", sorted(name for name in METRICS if not METRICS[name].in_rollout))
def test_no_rollout_is_decided_on_what_single_answers_do_not_show(repository, metric, where):
    condition = f"error_rate > 5% OR {metric} > {SOME[METRICS[metric].dimension]}"
    keys = ("always", "x") if where == "always" else ("stages", 1, "rollback_if")
    repository.set(ROLLOUT, *keys, to=condition)
    known = "answer_tokens, crash_rate, error_rate, first_token_p50"
    repository.refuses(
        f"no rollout can be decided on '{metric}'",
        line="x:" if where == "always" else "rollback_if:",
        evidence=f"{condition}\nthese can: {known}",
        fix="a gate",
    )


@pytest.mark.parametrize("metric", sorted(name for name in METRICS if METRICS[name].in_rollout))
def test_every_metric_that_single_answers_show_can_decide_a_rollout(repository, metric):
    detector = repository.value("policies/signals.yaml", "signals", "latency_p99")
    if METRICS[metric].dimension is not Dimension.DURATION:
        detector = repository.value("policies/signals.yaml", "signals", "error_rate")
    repository.set("policies/signals.yaml", "signals", metric, to=detector)
    repository.set(ROLLOUT, "always", "x", to=f"{metric} > baseline * 1.5")
    assert [item.summary for item in repository.load().diagnostics] == []


@pytest.mark.parametrize("value", ["0%", "50%", "-1%", "100%", 0.7])
def test_alpha_is_a_small_chance(repository, value):
    repository.set(ROLLOUT, "decision", "alpha", to=value)
    assert repository.line(repository.only()).startswith("alpha:")


@pytest.mark.parametrize(("key", "value"), [("margin", "0%"), ("margin", "60%"), ("session_gap", "0s")])
def test_a_margin_is_small_and_a_session_ends_at_some_time(repository, key, value):
    repository.set(ROLLOUT, "decision", key, to=value)
    assert repository.line(repository.only()).startswith(f"{key}:")


def test_the_margin_and_the_gap_between_sessions_have_values_where_none_are_written(repository):
    decision = repository.load().spec.policies.rollout.decision
    assert (decision.margin, decision.session_gap) == (0.1, 1800.0)


def test_a_candidate_is_in_no_experiment_of_the_same_environment(repository):
    _experiments(repository, {"name": "x", "versions": ["chat-v1.0", "chat-v1.1"]})
    repository.set("loop.yaml", *PRODUCTION, "rollout", to={"candidate": "chat-v1.1", "stage": "small"})
    repository.refuses(
        "'chat-v1.1' is on trial already, as the candidate of 'production'",
        line="- chat-v1.1",
        evidence="in 'x' would come on top of stage 'small'",
        fix="end the rollout or the experiment first",
    )


def test_a_candidate_may_be_in_an_experiment_of_another_environment(repository):
    _experiments(repository, {"name": "x", "versions": ["chat-v1.0", "chat-v1.1"]})
    trial = {"candidate": "chat-v1.1", "stage": "small"}
    repository.set("loop.yaml", "environments", "staging", "rollout", to=trial)
    assert repository.load().diagnostics == ()


@pytest.mark.parametrize(("weights", "shares"), [([], (0.5, 0.5)), (["30%", "70%"], (0.3, 0.7))])
def test_versions_of_an_experiment_share_alike_unless_it_says_otherwise(repository, weights, shares):
    _experiments(repository, {"name": "x", "versions": ["chat-v1.0", "chat-v1.1"], "weights": weights})
    assert repository.load().spec.loop.environments["production"].experiments[0].shares == shares


@pytest.mark.parametrize("sample", ["0%", "101%", "-1%", 2])
def test_a_shadow_gets_some_of_the_requests_and_none_twice(repository, sample):
    _shadow(repository, sample)
    assert repository.line(repository.only()).startswith("sample:")


@pytest.mark.parametrize("sample", ["0.1%", "100%", 0.5])
def test_a_shadow_may_get_any_share_of_the_requests(repository, sample):
    _shadow(repository, sample)
    assert repository.load().diagnostics == ()


def _shadow(repository, sample):
    repository.set("loop.yaml", *PRODUCTION, "shadow", to={"version": "chat-v1.1", "sample": sample})


def test_weights_over_one_hundred_percent_are_refused(repository):
    _experiments(repository, {"name": "x", "versions": ["chat-v1.0", "chat-v1.1"], "weights": ["60%", "50%"]})
    repository.refuses(
        "add up to 1.1, not to 100%", line="weights:", evidence="0.6, 0.5", fix="add up to 100%"
    )


def test_every_version_of_an_experiment_has_a_weight(repository):
    _experiments(repository, {"name": "x", "versions": ["chat-v1.0", "chat-v1.1"], "weights": ["100%"]})
    repository.refuses("has 1 weights for 2 versions", line="weights:", fix="one weight for each version")


def test_an_experiment_compares_different_versions(repository):
    _experiments(repository, {"name": "x", "versions": ["chat-v1.1", "chat-v1.1"]})
    repository.refuses("compares a version with itself", line="- chat-v1.1", fix="once")


@pytest.mark.parametrize("groups", [([], []), (["beta"], []), (["beta"], ["beta", "public"])])
def test_experiments_on_the_same_users_do_not_overlap(repository, groups):
    one, other = (_experiment(name, chosen, "60%") for name, chosen in zip(("x", "y"), groups, strict=True))
    _experiments(repository, one, other)
    repository.refuses(
        "'x' and 'y' overlap", line="- name: y", evidence="0.6 and 0.6", fix="groups of their own"
    )


@pytest.mark.parametrize(("groups", "share"), [((["beta"], ["public"]), "100%"), (([], []), "50%")])
def test_experiments_on_other_users_or_small_enough_stand_side_by_side(repository, groups, share):
    one, other = (_experiment(name, chosen, share) for name, chosen in zip(("x", "y"), groups, strict=True))
    _experiments(repository, one, other)
    assert repository.load().diagnostics == ()


def test_an_experiment_has_one_name(repository):
    _experiments(repository, _experiment("x", ["beta"], "50%"), _experiment("x", ["public"], "50%"))
    repository.refuses("experiment 'x' stands twice", line="- name: x", fix="another name")


def _experiment(name, groups, share):
    return {"name": name, "versions": ["chat-v1.0", "chat-v1.1"], "groups": groups, "share": share}


def _experiments(repository, *experiments):
    repository.set("loop.yaml", *PRODUCTION, "experiments", to=list(experiments))


def test_an_environment_waits_for_one_that_exists(repository):
    repository.set("loop.yaml", *PRODUCTION, "promote_after", "environment", to="stagign")
    repository.refuses("unknown environment 'stagign'", line="environment:", fix="did you mean 'staging'?")


def test_an_environment_asks_for_gates_that_exist(repository):
    repository.set("loop.yaml", *PRODUCTION, "promote_after", "gates", to=["facts-rigth"])
    repository.refuses("unknown gate 'facts-rigth'", line="- facts-rigth", fix="did you mean 'facts-right'?")


def test_environments_do_not_wait_for_each_other(repository):
    repository.set(
        "loop.yaml",
        "environments",
        "staging",
        "promote_after",
        to={"environment": "production", "soak": "1h"},
    )
    way = "production -> staging -> production"
    repository.refuses(
        "environments wait for each other", line="environment: staging", evidence=way, fix="none"
    )


def test_an_environment_does_not_wait_for_itself(repository):
    repository.set("loop.yaml", *PRODUCTION, "promote_after", "environment", to="production")
    repository.refuses("wait for each other", line="environment: production")


@pytest.mark.parametrize(
    ("zone", "fix"),
    [
        ("Asia/Soul", "did you mean 'Asia/Seoul'?"),
        ("Mars/Base", ""),
        ("Europe", ""),
        ("../etc/passwd", "IANA"),
    ],
)
def test_a_window_names_a_zone_that_exists(repository, zone, fix):
    _freeze(repository, "2026-12-20T00:00", "2026-12-27T00:00", zone)
    repository.refuses(f"unknown time zone '{zone}'", line=f"- zone: {zone}", fix=fix)


@pytest.mark.parametrize(
    ("start", "end", "summary"),
    [
        ("2026-12-27T00:00", "2026-12-20T00:00", "ends before it begins"),
        ("2026-12-20T00:00", "2026-12-20T00:00", "is empty"),
        ("friday 16:00", "friday 16:00", "is empty"),
        ("friday 16:00", "2026-12-20T00:00", "mixes a date and a day"),
        ("2026-02-30T00:00", "2026-03-01T00:00", "no moment '2026-02-30T00:00'"),
        ("friday 16:00", "monday 25:00", "no moment 'monday 25:00'"),
    ],
)
def test_a_window_begins_before_it_ends(repository, start, end, summary):
    _freeze(repository, start, end)
    repository.refuses(summary, line="to:", evidence=f"from: {start}")


@pytest.mark.parametrize(
    ("start", "end"), [("friday 16:00", "monday 08:00"), ("2026-12-20T00:00", "2027-01-02T00:00")]
)
def test_a_sound_window_is_taken(repository, start, end):
    _freeze(repository, start, end)
    assert repository.load().diagnostics == ()


def _freeze(repository, start, end, zone="Asia/Seoul"):
    window = {"zone": zone, "from": start, "to": end, "reason": "holidays"}
    repository.set("loop.yaml", *PRODUCTION, "freeze", to=[window])
