"""Assignment is sticky, nested, uniform, independent between ids, and the same in every process."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from runner.errors import TerminalError
from runner.serving import routes
from runner.serving.assignment import Why, arm, assign, is_copied, share, takes_part, version_of
from runner.serving.routes import ArmName, Experiment, Route, Shadow, Split, Version
from tests.gateway.running import BASELINE, CANDIDATE, OTHER, table

texts = st.text(max_size=40)
weights = st.floats(0, 1)
USERS = [f"user-{number}" for number in range(20_000)]
RARE = 1e-4
"""A chi-square test of the users above fails by chance so often; they never change, so it is drawn once."""


def versions(count: int) -> tuple[Version, ...]:
    return tuple(Version(f"chat-v2.{number}", f"{number}" * 64) for number in range(count))


def experiment(id_: str = "tone", *, share: float = 1.0, groups: tuple[str, ...] = ()) -> Experiment:
    return Experiment(id_, id_, (CANDIDATE, OTHER), (0.5, 0.5), share, groups)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    parts = draw(st.lists(st.integers(0, 100), min_size=2, max_size=6).filter(any))
    shares = tuple(part / sum(parts) for part in parts)
    return Experiment(draw(texts), "any", versions(len(parts)), shares, draw(weights))


@given(texts, texts)
def test_a_share_lies_in_zero_to_below_one_and_never_changes(rollout: str, user: str) -> None:
    assert 0 <= share(rollout, user) < 1
    assert share(rollout, user) == share(rollout, user)


@given(texts, texts, weights, weights)
def test_who_has_the_candidate_keeps_it_when_the_weight_grows(
    rollout: str, user: str, a: float, b: float
) -> None:
    low, high = sorted((a, b))
    if arm(Split(rollout, CANDIDATE, low), user, "public") is ArmName.CANDIDATE:
        assert arm(Split(rollout, CANDIDATE, high), user, "public") is ArmName.CANDIDATE


@given(texts, texts)
def test_weight_zero_gives_nobody_and_weight_one_everybody_the_candidate(rollout: str, user: str) -> None:
    assert arm(Split(rollout, CANDIDATE, 0.0), user, "public") is ArmName.BASELINE
    assert arm(Split(rollout, CANDIDATE, 1.0), user, "public") is ArmName.CANDIDATE


@given(texts, texts)
def test_a_chosen_group_always_gets_the_candidate_of_a_split(rollout: str, user: str) -> None:
    split = Split(rollout, CANDIDATE, 0.0, ("internal",))
    assert arm(split, user, "internal") is ArmName.CANDIDATE
    assert arm(None, user, "internal") is ArmName.BASELINE


def test_shares_are_uniform_over_users() -> None:
    cells = Counter(int(share("trial", user) * 20) for user in USERS)
    assert stats.chisquare([cells[number] for number in range(20)]).pvalue > RARE


def test_two_rollouts_draw_independently() -> None:
    both = sum(share("a", user) < 0.5 and share("b", user) < 0.5 for user in USERS[:10_000])
    assert abs(both - 2500) < 250


def test_another_process_gives_the_same_shares_and_the_same_versions() -> None:
    script = """
from runner.serving.assignment import share, takes_part, version_of
from tests.gateway.test_assignment import experiment
trial = experiment(share=0.5)
print([(share('r', f'u{n}'), takes_part(trial, f'u{n}', ''), version_of(trial, f'u{n}').name) for n in range(50)])
"""
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    trial, users = experiment(share=0.5), [f"u{number}" for number in range(50)]
    here = [(share("r", user), takes_part(trial, user, ""), version_of(trial, user).name) for user in users]
    assert there.strip() == str(here)


# Experiments


@given(experiments(), texts, texts)
def test_a_user_keeps_his_version_of_an_experiment(trial: Experiment, user: str, group: str) -> None:
    route = Route("chat", BASELINE, None, None, (trial,))
    assert assign(route, user, group) == assign(route, user, group)
    assert version_of(trial, user) in trial.versions


@given(experiments(), texts)
def test_nobody_gets_a_version_of_weight_zero(trial: Experiment, user: str) -> None:
    given_ = dict(zip(trial.versions, trial.weights, strict=True))
    assert given_[version_of(trial, user)] > 0


@given(experiments(), texts, weights)
def test_a_growing_share_only_adds_users_and_changes_nobodys_version(
    trial: Experiment, user: str, other: float
) -> None:
    low, high = (replace(trial, share=each) for each in sorted((trial.share, other)))
    if takes_part(low, user, ""):
        assert takes_part(high, user, "")
    assert version_of(low, user) == version_of(high, user)


@given(texts, texts, weights, weights)
def test_a_version_that_grows_keeps_its_users(trial: str, user: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    first, second = versions(2)
    before = Experiment(trial, "any", (first, second), (low, 1 - low))
    after = Experiment(trial, "any", (first, second), (high, 1 - high))
    if version_of(before, user) == first:
        assert version_of(after, user) == first


@given(texts)
def test_share_zero_takes_nobody_and_share_one_everybody_of_the_groups(user: str) -> None:
    assert not takes_part(experiment(share=0.0), user, "beta")
    assert takes_part(experiment(share=1.0), user, "beta")
    assert takes_part(experiment(groups=("beta", "internal")), user, "beta")
    assert not takes_part(experiment(groups=("internal",)), user, "beta")


def test_participants_and_versions_come_in_the_declared_shares() -> None:
    given_ = (0.5, 0.3, 0.15, 0.05)
    trial = Experiment("weights", "weights", versions(4), given_, 0.4)
    part = [user for user in USERS if takes_part(trial, user, "")]
    assert stats.binomtest(len(part), len(USERS), 0.4).pvalue > RARE
    counts = Counter(version_of(trial, user).name for user in part)
    found = [counts[version.name] for version in trial.versions]
    assert stats.chisquare(found, [weight * len(part) for weight in given_]).pvalue > RARE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("another experiment", lambda user: version_of(experiment("colour"), user) == OTHER),
        ("taking part in it", lambda user: takes_part(experiment(share=0.5), user, "")),
        ("taking part in another", lambda user: takes_part(experiment("colour", share=0.5), user, "")),
        ("a rollout of the same id", lambda user: share("tone", user) < 0.5),
        ("being copied", lambda user: is_copied(Shadow(CANDIDATE, 0.5), user)),
    ],
)
def test_the_version_got_is_independent_of(one: str, other) -> None:
    trial = experiment("tone")
    cells = Counter((version_of(trial, user) == OTHER, other(user)) for user in USERS)
    square = [[cells[row, column] for column in (False, True)] for row in (False, True)]
    assert min(map(min, square)) > 0, one
    assert stats.chi2_contingency(square).pvalue > RARE, one


@given(texts, weights)
def test_the_order_is_own_group_then_experiment_then_split(user: str, weight: float) -> None:
    split = Split("trial", CANDIDATE, weight, ("internal",))
    route = Route("chat", BASELINE, split, None, (experiment("tone", groups=("beta", "internal")),))
    internal, beta, public = (assign(route, user, group) for group in ("internal", "beta", "public"))
    assert (internal.arm, internal.version, internal.why) == (ArmName.CANDIDATE, CANDIDATE, Why.ALWAYS)
    assert internal.experiment is None
    assert (beta.arm, beta.version, beta.why) == (
        ArmName.EXPERIMENT,
        version_of(experiment(), user),
        Why.DRAWN,
    )
    assert beta.experiment is not None and beta.experiment.id == "tone"
    assert (public.arm, public.why, public.experiment) == (arm(split, user, "public"), Why.DRAWN, None)


@given(texts)
def test_the_first_experiment_that_takes_a_user_in_counts(user: str) -> None:
    first, second = experiment("first", share=0.5), experiment("second")
    assigned = assign(Route("chat", BASELINE, None, None, (first, second)), user, "public")
    assert assigned.experiment == (first if takes_part(first, user, "public") else second)


def test_a_route_of_the_baseline_alone_draws_nothing() -> None:
    assigned = assign(Route("chat", BASELINE), "ann", "public")
    assert (assigned.arm, assigned.version, assigned.why) == (ArmName.BASELINE, BASELINE, Why.ONLY)


# Copies for a shadow


@given(texts, weights, weights)
def test_a_growing_sample_only_adds_requests(request: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    if is_copied(Shadow(OTHER, low), request):
        assert is_copied(Shadow(OTHER, high), request)
    assert is_copied(Shadow(OTHER, 1.0), request) and not is_copied(Shadow(OTHER, 0.0), request)


def test_copies_come_in_the_declared_share() -> None:
    copied = sum(is_copied(Shadow(OTHER, 0.1), request) for request in USERS)
    assert stats.binomtest(copied, len(USERS), 0.1).pvalue > RARE


# What a table may say


def test_a_table_with_experiments_and_a_shadow_is_read_back_as_it_was() -> None:
    wanted = table(
        "http://r", shadow=Shadow(OTHER, 0.25), experiments=(experiment(share=0.5, groups=("beta",)),)
    )
    assert routes.from_json(routes.to_json(wanted)) == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": [0.5, 0.4]},
        {"weights": [1.0]},
        {"weights": [], "versions": []},
        {"weights": [1.5, -0.5]},
        {"share": 1.5},
        {"share": float("nan")},
        {"id": 3},
    ],
)
def test_an_experiment_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    value = routes.to_json(table("http://r", experiments=(experiment(),)))
    value["routes"][0]["experiments"][0].update(changes)
    with pytest.raises(TerminalError):
        routes.from_json(value)
