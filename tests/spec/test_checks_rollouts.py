"""Stages, experiments and windows: a candidate can go the way that the policy draws."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("value", ["0%", "50%", "-1%", "100%", 0.7])
def test_alpha_is_a_small_chance(repository, value):
    repository.set(ROLLOUT, "decision", "alpha", to=value)
    assert repository.line(repository.only()).startswith("alpha:")


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
