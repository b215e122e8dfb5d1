from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.feedback.labels.opinions import opinions
from runner.feedback.labels.resolution import By, Resolved, Unsettled, Wait, resolve, resolved
from runner.feedback.records import Label, Task
from runner.spec.collection import Agreement
from tests.feedback.labels.made import label

POLICY = Agreement()
WORDS = Task.ANSWER.values
KEY = ("rec-1", Task.ANSWER)

anybody = st.builds(
    lambda user, value, at, final: label(user, value, at=at, final=final),
    st.sampled_from("abcde"),
    st.sampled_from(WORDS),
    st.integers(0, 20),
    st.booleans(),
)


def outcome(*labels: Label, raters: int = 3) -> Resolved | Unsettled:
    return resolved(opinions(labels)[KEY], raters)


def votes(*values: str) -> list[Label]:
    return [label(f"person-{number}", value) for number, value in enumerate(values)]


def test_nothing_is_settled_before_everybody_has_spoken() -> None:
    found = outcome(*votes("good", "good"))

    assert found == Unsettled(Wait.VOTES, "2 of 3 people have spoken", {"good": 2})


def test_more_than_half_settle_an_item() -> None:
    found = outcome(*votes("good", "bad", "good"))

    assert found == Resolved("good", By.MAJORITY, {"good": 2, "bad": 1})


def test_where_nobody_has_more_than_half_the_item_waits_for_a_last_word() -> None:
    found = outcome(*votes("good", "bad", "unclear"))

    assert isinstance(found, Unsettled)
    assert (found.why, found.reason) == (
        Wait.LAST_WORD,
        "no word has more than half of the votes: 1 bad, 1 good, 1 unclear",
    )


def test_somebody_who_has_not_voted_has_the_last_word() -> None:
    found = outcome(*votes("good", "bad", "unclear"), label("judge", "bad", final=True))

    assert isinstance(found, Resolved)
    assert (found.value, found.by) == ("bad", By.FINAL)


def test_nobody_has_the_last_word_on_what_they_voted_on() -> None:
    found = outcome(*votes("good", "bad", "unclear"), label("person-0", "good", at=9, final=True))

    assert isinstance(found, Unsettled)


def test_a_last_word_never_overrules_a_majority() -> None:
    found = outcome(*votes("good", "good", "unclear"), label("judge", "bad", final=True))

    assert isinstance(found, Resolved)
    assert found.value == "good"


def test_a_last_word_does_not_replace_the_votes_that_are_missing() -> None:
    assert isinstance(outcome(label("judge", "bad", final=True)), Unsettled)


def test_of_several_votes_of_one_person_the_latest_counts() -> None:
    found = outcome(*votes("good", "good", "bad"), label("person-1", "bad", at=5))

    assert isinstance(found, Resolved)
    assert found.value == "bad"


def test_the_correction_is_the_latest_of_those_who_won() -> None:
    found = outcome(
        label("a", "bad", at=1, correction="first"),
        label("b", "bad", at=2, correction="second"),
        label("c", "good", at=3, correction="of somebody who found it good"),
    )

    assert isinstance(found, Resolved)
    assert found.correction == "second"


@given(st.lists(anybody, min_size=1, max_size=12), st.randoms())
def test_neither_order_nor_repetition_changes_what_labels_come_to(labels, random) -> None:
    again = [*labels, *random.choices(labels, k=4)]
    random.shuffle(again)

    assert opinions(again) == opinions(labels)


@given(st.lists(anybody, min_size=1, max_size=12), st.integers(2, 5))
def test_a_settled_value_has_a_majority_or_a_judge_who_did_not_vote(labels, raters) -> None:
    said = opinions(labels)[KEY]

    found = resolved(said, raters)

    latest = {each.user: each.value for each in said.votes}
    counts = Counter(latest.values())
    best = max(counts.values(), default=0)
    if isinstance(found, Resolved):
        assert len(latest) >= raters
        if found.by is By.MAJORITY:
            assert counts[found.value] == best > len(latest) / 2
        else:
            assert best <= len(latest) / 2
            assert said.judges - said.voters
    else:
        assert (found.why is Wait.VOTES) == (len(latest) < raters)


def agreeing(items: int) -> list[Label]:
    """Three people who say the same of every item, half of which are good."""
    return [
        label(user, ("good", "bad")[number % 2], f"rec-{number}")
        for number in range(items)
        for user in ("a", "b", "c")
    ]


def test_labels_of_people_who_agree_are_used() -> None:
    settled = resolve(agreeing(6), POLICY)

    assert settled.usable(Task.ANSWER)
    assert settled.of("rec-0", Task.ANSWER) == Resolved("good", By.MAJORITY, {"good": 3})


def test_labels_below_the_floor_are_not_used_and_say_so() -> None:
    careless = [label("c", "bad", f"rec-{number}", at=5) for number in range(0, 12, 2)]

    settled = resolve([*agreeing(12), *careless], POLICY)

    found = settled.of("rec-0", Task.ANSWER)
    assert isinstance(settled.by_item["rec-0", Task.ANSWER], Resolved)
    assert isinstance(found, Unsettled)
    assert found.why is Wait.AGREEMENT
    assert "is below the floor of 0.667" in found.reason


def test_without_labels_nothing_is_usable() -> None:
    settled = resolve([], POLICY)

    assert not settled.usable(Task.PREFERENCE)
    assert settled.of("rec-1", Task.PREFERENCE) == Unsettled(Wait.VOTES, "0 of 3 people have spoken", {})


def test_labels_that_are_all_alike_prove_no_agreement() -> None:
    settled = resolve([label(user, "bad", f"rec-{n}") for user in "abc" for n in range(5)], POLICY)

    assert not settled.usable(Task.ANSWER)
    assert "cannot be told from chance" in settled.agreement[Task.ANSWER].reason


def test_each_task_is_judged_by_its_own_agreement() -> None:
    disputed = [
        label(user, value, f"vote-{n}", task=Task.CORRECTION)
        for n in range(4)
        for user, value in zip("abc", ("good", "bad", "bad"), strict=True)
    ]

    settled = resolve([*agreeing(6), *disputed], POLICY)

    assert settled.usable(Task.ANSWER)
    assert not settled.usable(Task.CORRECTION)


@settings(max_examples=20)
@given(st.lists(anybody, max_size=12))
def test_what_may_be_used_is_always_of_a_task_that_may_be_used(labels) -> None:
    settled = resolve(labels, POLICY)

    for item, task in settled.by_item:
        assert isinstance(settled.of(item, task), Unsettled) or settled.usable(task)


@pytest.mark.parametrize(("raters", "spoken"), [(2, 2), (4, 4)])
def test_half_of_the_votes_are_no_majority(raters: int, spoken: int) -> None:
    said = ["good"] * (spoken // 2) + ["bad"] * (spoken // 2)

    assert isinstance(outcome(*votes(*said), raters=raters), Unsettled)
