"""Whether to train: each reason by the figures that turn it, the proposal, and what a decision says of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from runner.economics.decide import Decision, decide
from runner.economics.reasons import Choice, Reason, Verdict
from runner.economics.situation import Trouble
from runner.signals.readings.estimates import Estimate
from runner.spec.condition import parse
from runner.spec.model import TrainingType
from tests.economics.situations import (
    CALM,
    DRIFTED,
    FIRST,
    cadence,
    past,
    pool,
    price,
    situation,
)

TODAY = date(2026, 11, 21)
FOUR = [
    past(f"chat-v1.{n}", date(2026, 7, n), parent=f"chat-v1.{n - 1}", win=Estimate(0.6, 0.55, 0.65, 300))
    for n in range(1, 5)
]


def of(decision: Decision, reason: Reason) -> Verdict:
    return decision.of(reason).verdict


def test_a_round_that_is_due_with_enough_data_is_trained():
    found = decide(situation())
    assert (found.choice, found.by) == (Choice.RETRAIN, (Reason.CALENDAR,))
    assert found.proposal is not None and found.proposal.command == "loop train dpo"
    assert [each.reason for each in found.reasons] == list(Reason), "every reason is told, in one order"


AGAINST = {
    Reason.DATA: situation(pools=(pool(fresh=99),)),
    Reason.CHANGE: situation(signals=CALM),
    Reason.GAIN: situation(clear=Estimate(0.03, 0.02, 0.05, 900)),
    Reason.BUDGET: situation(cost=price(amount="$51", per="quarter")),
    Reason.FREEZE: situation(closed="frozen from friday 16:00 to monday 08:00 (Asia/Seoul): weekend"),
    Reason.ROUNDS: situation(baseline="chat-v1.4", rounds=(FIRST, *FOUR)),
    Reason.CHECKS: situation(troubles=(Trouble("data-dpo", "refused: longer_share", True, "curate"),)),
    Reason.PROMOTION: situation(under_way="'chat-v1.1' is on trial at stage 'canary'"),
    Reason.LAST: situation(
        rounds=(FIRST, past("chat-v1.1", date(2026, 11, 1), dataset_hash="a" * 32, stopped="rolled back")),
    ),
}


@pytest.mark.parametrize("reason", AGAINST)
def test_each_reason_against_leaves_the_round_out_alone(reason):
    found = decide(AGAINST[reason])
    assert (found.choice, found.by) == (Choice.SKIP, (reason,)), [
        (each.reason, each.verdict) for each in found.reasons
    ]
    assert all(of(found, other) is not Verdict.AGAINST for other in AGAINST if other is not reason)


def test_a_round_of_this_week_is_over_until_the_next_begins():
    trained = past("chat-v1.1", date(2026, 11, 15), dataset="data-other")
    found = decide(situation(rounds=(FIRST, trained)))
    assert (found.choice, set(found.by)) == (Choice.SKIP, {Reason.CALENDAR, Reason.SIGNALS})
    assert found.next_round == date(2026, 11, 22)
    assert (
        decide(situation(rounds=(FIRST, replace(trained, trained=date(2026, 11, 14))))).choice
        is Choice.RETRAIN
    )


def test_a_signal_that_calls_for_training_overrides_the_calendar_and_a_condition_that_nothing_has_changed():
    trained = past("chat-v1.1", TODAY, dataset="data-other")
    found = decide(situation(rounds=(FIRST, trained), signals=DRIFTED))
    assert (found.choice, found.by) == (Choice.RETRAIN, (Reason.SIGNALS,))
    assert of(found, Reason.CALENDAR) is Verdict.AGAINST
    anyway = cadence(unneeded_if=parse("satisfaction > 4.0"))
    unneeded = decide(situation(signals=DRIFTED, cadence=anyway))
    assert (of(unneeded, Reason.CHANGE), unneeded.choice) == (Verdict.AGAINST, Choice.RETRAIN)


def test_signals_that_were_not_measured_are_unknown_and_the_calendar_decides():
    found = decide(situation(signals=None))
    assert of(found, Reason.SIGNALS) is of(found, Reason.CHANGE) is Verdict.UNKNOWN
    assert (found.choice, found.by) == (Choice.RETRAIN, (Reason.CALENDAR,))


def test_a_wide_interval_proves_neither_that_something_changed_nor_that_nothing_did():
    unsure = replace(CALM, readings=tuple(replace(each, low=None, high=None) for each in CALM.readings))
    found = decide(situation(signals=unsure))
    assert of(found, Reason.CHANGE) is Verdict.UNKNOWN


def test_new_rows_that_nobody_can_count_are_no_reason_to_train():
    found = decide(situation(pools=(pool(fresh=None),)))
    assert (found.choice, found.by) == (Choice.SKIP, (Reason.DATA,))
    absent = decide(situation(pools=(pool(fresh=None, rows=None),)))
    assert absent.of(Reason.DATA).fix == "`dvc pull`"


def test_without_a_recipe_for_preferences_there_is_nothing_to_propose():
    found = decide(situation(pools=(pool("sft"),)))
    assert (found.proposal, found.choice) == (None, Choice.SKIP)


def test_thumbs_are_trained_on_only_where_pairs_do_not_suffice():
    both = decide(situation(pools=(pool("kto"), pool("dpo"))))
    assert both.proposal is not None and both.proposal.pool.recipe == "dpo"
    thumbs = decide(situation(pools=(pool("kto"), pool("dpo", fresh=20))))
    assert thumbs.proposal is not None and thumbs.proposal.pool.recipe == "kto"
    assert thumbs.choice is Choice.RETRAIN


def test_after_the_most_rounds_supervised_training_comes_first_where_corrections_suffice():
    corrections = pool("sft", fresh=39, flags=("--dataset", "data-sft", "--parent", "chat-v1.4"))
    after = situation(baseline="chat-v1.4", rounds=(FIRST, *FOUR), pools=(pool(), corrections))
    found = decide(after)
    assert found.choice is Choice.RETRAIN and found.proposal is not None
    assert found.proposal.command == "loop train sft --dataset data-sft --parent chat-v1.4"
    assert of(found, Reason.GAIN) is Verdict.UNKNOWN, "nothing foretells what supervised training gains"
    few = decide(replace(after, pools=(pool(), replace(corrections, fresh=20))))
    assert (few.choice, few.by) == (Choice.SKIP, (Reason.ROUNDS,))
    assert "10 more corrections" in few.of(Reason.ROUNDS).fix


def test_rounds_count_from_the_last_supervised_one_of_the_baselines_own_line():
    stray = past("chat-v2.0", date(2026, 7, 9), parent="chat-v1.0")
    resets = past("chat-v2.1", date(2026, 7, 10), parent="chat-v1.4", type=TrainingType.SFT)
    every = (FIRST, *FOUR, stray, resets)
    assert [each.name for each in situation(baseline="chat-v1.4", rounds=every).since_supervised] == [
        f"chat-v1.{n}" for n in range(1, 5)
    ]
    assert len(situation(baseline="chat-v2.0", rounds=every).since_supervised) == 1
    assert situation(baseline="chat-v2.1", rounds=every).since_supervised == ()


def test_a_gain_that_fell_below_the_least_leaves_the_round_out():
    rounds = (past("chat-v1.1", date(2026, 11, 1), win=Estimate(0.505, 0.495, 0.515, 9000)),)
    found = decide(situation(baseline="chat-v1.1", rounds=(FIRST, *rounds)))
    assert (found.choice, found.by) == (Choice.SKIP, (Reason.GAIN,))


def test_a_budget_whose_hours_are_not_known_is_not_taken_as_kept():
    unmeasured = past("chat-v1.1", date(2026, 10, 2), seconds=None, dataset="data-other")
    found = decide(situation(rounds=(FIRST, unmeasured), cost=price(amount="$1", per="hour")))
    assert (found.choice, found.by) == (Choice.SKIP, (Reason.BUDGET,))
    assert "chat-v1.1" in found.of(Reason.BUDGET).says


def test_the_first_round_of_all_shows_what_an_hour_comes_to():
    first = replace(FIRST, seconds=None)
    found = decide(situation(rounds=(first,), cost=price(amount="$1", per="hour")))
    assert of(found, Reason.BUDGET) is Verdict.FOR


def test_only_money_of_this_quarter_counts():
    dear = price(amount="$10", per="hour")
    long = past("chat-v1.1", date(2026, 9, 30), seconds=4 * 3600.0, dataset="data-other")
    assert decide(situation(rounds=(FIRST, long), cost=dear)).choice is Choice.RETRAIN
    again = decide(situation(rounds=(FIRST, replace(long, trained=date(2026, 10, 1))), cost=dear))
    assert again.by == (Reason.BUDGET,)
    assert again.of(Reason.BUDGET).figures["spent"] == 40.0


def test_a_check_that_was_not_made_is_unknown_and_one_of_another_data_set_says_nothing():
    open_ = decide(situation(troubles=(Trouble("data-dpo", "not checked", False, "`loop data check`"),)))
    assert (of(open_, Reason.CHECKS), open_.choice) == (Verdict.UNKNOWN, Choice.RETRAIN)
    other = decide(situation(troubles=(Trouble("data-kto", "refused", True, ""),)))
    assert of(other, Reason.CHECKS) is Verdict.FOR


def test_a_candidate_that_was_stopped_on_other_data_does_not_bar_a_round():
    stopped = past("chat-v1.1", date(2026, 11, 1), stopped="rolled back")
    assert decide(situation(rounds=(FIRST, stopped))).choice is Choice.RETRAIN


def test_the_same_situation_gives_the_same_decision():
    assert all(decide(each) == decide(each) for each in AGAINST.values())
