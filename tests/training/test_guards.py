"""Guards decide from a run's history alone: what trips them, what does not, and that order and length do not matter."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.spec.training import DpoRecipe, Guards, KtoRecipe, Optimiser, SftRecipe
from runner.training.guards import LENGTH_RATIO, RECENT, WINDOW, Guard, Tripped, hold, look, worst

OPTIMISER = Optimiser(learning_rate=1e-4, epochs=1, batch_size=8)
COMMON: dict[str, Any] = {"dataset": "pairs", "parent": "baseline", "optimiser": OPTIMISER, "max_length": 64}
DPO = DpoRecipe(type="DPO", beta=0.1, guards=Guards(max_chosen_drop=10, max_accuracy=0.99), **COMMON)
KTO = KtoRecipe(type="KTO", beta=0.1, **COMMON)
SFT = SftRecipe(type="SFT", **COMMON)


def history(steps: int, **values: float) -> list[dict[str, Any]]:
    return [{"step": step, "loss": 0.7, "grad_norm": 1.0, **values} for step in range(1, steps + 1)]


def tripped(entries: list[dict[str, Any]], recipe: Any = DPO) -> set[Guard]:
    return {reading.guard for reading in look(entries, recipe) if reading.tripped}


@pytest.mark.parametrize("key", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("recipe", [DPO, KTO, SFT])
def test_a_loss_or_gradient_that_is_no_number_stops_any_run(key: str, value: float, recipe: Any) -> None:
    assert tripped(history(1, **{key: value}), recipe) == {Guard.FINITE}


@given(st.floats(-50, 50))
def test_the_fall_of_chosen_answers_is_their_reward_over_beta(reward: float) -> None:
    entries = history(RECENT, **{"rewards/chosen": reward})
    assert (Guard.CHOSEN in tripped(entries)) == (
        -reward / DPO.beta > 10 + 1e-9 or not -reward / DPO.beta <= 10
    )


def test_one_bad_batch_among_good_ones_is_no_fall() -> None:
    entries = history(RECENT, **{"rewards/chosen": 0.0})
    entries[-1]["rewards/chosen"] = -2.0
    assert tripped(entries) == set()


@given(st.integers(0, 2 * WINDOW))
def test_pairs_are_told_apart_by_all_of_a_window_or_saturation_is_not_said(steps: int) -> None:
    entries = history(steps, **{"rewards/accuracies": 1.0})
    assert (Guard.ACCURACY in tripped(entries)) == (steps >= WINDOW)


def test_the_length_of_answers_is_held_to_the_limit_of_the_recipe() -> None:
    for ratio, expected in ((1.5, set()), (1.51, {Guard.LENGTH})):
        assert tripped([*history(2), {"step": 2, LENGTH_RATIO: ratio}]) == expected


@pytest.mark.parametrize(
    "ratio, epoch, first",
    [
        (1.6, 0.5, "set length_normalised"),
        (4.6, 0.5, "lower learning_rate"),
        (1.6, 0.1, "lower learning_rate"),
    ],
)
def test_answers_that_grow_far_or_at_once_are_told_as_a_learning_rate_that_is_too_high(
    ratio: float, epoch: float, first: str
) -> None:
    (reading,) = (
        each
        for each in look([*history(5, epoch=epoch), {"step": 5, LENGTH_RATIO: ratio}], DPO)
        if each.guard is Guard.LENGTH
    )
    assert reading.tripped
    assert reading.advice.startswith(first)


def test_supervised_runs_are_not_held_to_rewards() -> None:
    assert tripped(history(WINDOW, **{"rewards/chosen": -9.0, "rewards/accuracies": 1.0}), SFT) == set()


entry = st.fixed_dictionaries(
    {"loss": st.floats(0, 5), "rewards/chosen": st.floats(-3, 3), "rewards/accuracies": st.floats(0, 1)}
)


@given(st.lists(entry, max_size=60))
def test_the_worst_reading_is_the_highest_that_any_step_saw(entries: list[dict[str, Any]]) -> None:
    logged = [{**each, "step": step} for step, each in enumerate(entries, 1)]
    seen: dict[Guard, float] = {}
    for end in range(1, len(logged) + 1):
        for reading in look(logged[:end], DPO):
            seen[reading.guard] = max(seen.get(reading.guard, -math.inf), reading.value)
    assert {reading.guard: reading.value for reading in worst(logged, DPO)} == pytest.approx(seen)


def test_a_run_that_goes_on_reads_as_one_that_was_never_interrupted() -> None:
    """What is decided at a step hangs on the history alone, which a checkpoint holds."""
    entries = history(30, **{"rewards/chosen": -0.5, "rewards/accuracies": 0.9})
    assert look(entries[:17], DPO) == look([*entries[:10], *entries[10:17]], DPO)


def test_the_first_guard_that_trips_is_the_one_that_is_told() -> None:
    with pytest.raises(Tripped, match="finite: nan"):
        hold(look(history(1, loss=math.nan), DPO))
    hold(look(history(1), DPO))


def test_a_reading_is_json_also_where_its_value_is_no_number() -> None:
    (reading, _) = look(history(1, loss=math.nan), DPO)
    assert reading.to_json()["value"] is None
    assert (reading.to_json()["limit"], reading.to_json()["verdict"]) == (None, "FAIL")
    assert reading.advice
