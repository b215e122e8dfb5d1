"""Assignment is sticky, nested, uniform, and the same in every process."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from runner.serving.assignment import arm, share
from runner.serving.routes import ArmName, Split
from tests.gateway.running import CANDIDATE

texts = st.text(max_size=40)
weights = st.floats(0, 1)


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
    """Chi-square over 20 cells, 20,000 users: the 99.99% point at 19 degrees of freedom is 52.4."""
    cells = [0] * 20
    for number in range(20_000):
        cells[int(share("trial", f"user-{number}") * 20)] += 1
    assert sum((n - 1000) ** 2 / 1000 for n in cells) < 52.4


def test_two_rollouts_draw_independently() -> None:
    both = sum(share("a", f"u{n}") < 0.5 and share("b", f"u{n}") < 0.5 for n in range(10_000))
    assert abs(both - 2500) < 250


def test_another_process_gives_the_same_shares() -> None:
    script = "from runner.serving.assignment import share; print([share('r', f'u{n}') for n in range(50)])"
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert there.strip() == str([share("r", f"u{n}") for n in range(50)])
