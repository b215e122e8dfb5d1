from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.labels.items import as_voted, independent, items, preference_id, sides
from runner.feedback.records import Answer, Choice, Reason, Task
from tests.feedback.labels.made import ballot, label, record


@pytest.mark.parametrize(
    "reason", [Reason.REFUSAL, Reason.REASK, Reason.THUMBS_DOWN, Reason.LOW_RATING, Reason.SHADOW]
)
def test_an_answer_that_may_be_wrong_is_judged_by_people(reason: Reason) -> None:
    (found,) = items([record(1, reason)], [])

    assert (found.id, found.task, found.reasons) == ("rec-1", Task.ANSWER, (reason.value,))


@pytest.mark.parametrize("reason", [Reason.THUMBS_UP, Reason.HIGH_RATING, Reason.SHORT, Reason.LONG])
def test_an_answer_that_nobody_objects_to_is_not_in_the_queue(reason: Reason) -> None:
    assert items([record(1, reason)], []) == ()


def test_a_correction_is_judged_apart_from_the_answer_it_corrects() -> None:
    corrected = record(1, Reason.THUMBS_DOWN, Reason.CORRECTION, correction="better")

    found = items([corrected], [])

    assert [(each.task, each.other) for each in found] == [(Task.ANSWER, None), (Task.CORRECTION, "better")]


def test_whose_conversation_it_is_and_who_voted_are_involved() -> None:
    found = items([record(1)], [ballot(2), ballot(3)])

    assert [each.involved for each in found] == [{"customer-1"}, {"voter-2", "voter-3"}]


def test_nobody_judges_an_item_that_he_has_a_part_in_and_labels_of_unknown_items_stay() -> None:
    found = items([record(1)], [ballot(2)])
    other = [label("reviewer", "bad"), label("customer-1", "bad", "gone")]
    own = [label("customer-1", "bad"), label("voter-2", "left", "comparison-1", task=Task.PREFERENCE)]

    assert list(independent([*own, *other], found)) == other


def test_two_answers_stand_in_one_order_however_they_stood_on_the_screen() -> None:
    straight, turned = ballot(1), ballot(2, turned=True)

    assert sides(straight) == sides(turned)
    assert preference_id(straight) == preference_id(turned) == "comparison-1"
    assert len(items([], [straight, turned])) == 1


@given(st.sampled_from(Choice), st.booleans())
def test_a_label_names_the_same_answer_in_every_ballot(choice: Choice, turned: bool) -> None:
    voted = ballot(1, turned=turned)
    left, right = sides(voted)
    meant = {Choice.LEFT: left, Choice.RIGHT: right}.get(choice)

    said = as_voted(voted, choice)

    assert {Choice.LEFT: voted.left, Choice.RIGHT: voted.right}.get(said) == meant
    assert said in (choice, Choice.LEFT, Choice.RIGHT)


def test_each_pair_of_a_comparison_of_three_answers_is_an_item() -> None:
    third = Answer("chat-v1.2", "c" * 64, "response-3", "the third answer")
    votes = [ballot(1, shown=3), ballot(2, shown=3, right=third), ballot(3, shown=3, turned=True)]

    found = items([], votes)

    assert len(found) == 2
    assert {each.id for each in found} == {preference_id(vote) for vote in votes}


@pytest.mark.parametrize("choice", [Choice.TIE, Choice.NEITHER])
def test_a_comparison_without_a_winner_makes_no_pair_and_is_not_judged(choice: Choice) -> None:
    assert items([], [ballot(1, choice)]) == ()


def test_a_vote_that_does_not_count_makes_no_item() -> None:
    assert items([], [ballot(1, counted=False, correction="better")]) == ()


def test_a_correction_that_came_with_a_vote_is_judged_beside_the_better_answer() -> None:
    found = {each.task: each for each in items([], [ballot(1, Choice.RIGHT, correction="better still")])}

    item = found[Task.CORRECTION]
    assert (item.id, item.answer, item.other) == ("vote-1", "the second answer", "better still")


@given(st.permutations([record(1), record(2), record(3)]), st.permutations([ballot(4), ballot(5)]))
def test_the_order_in_which_things_were_read_changes_nothing(records, votes) -> None:
    assert items(records, votes) == items([record(1), record(2), record(3)], [ballot(4), ballot(5)])
