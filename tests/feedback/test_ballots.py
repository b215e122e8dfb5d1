"""Ballots from vote events: everything that was said is there once, and of several votes the latest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.ballots import ballots, pair, placed, read
from runner.feedback.records import Ballot, Choice
from tests.feedback.arenas import answer, ballot, event, events

ANSWERS = [answer(f"chat-v1.{at}", f"r{at}") for at in range(3)]

votes = st.builds(
    lambda number, user, comparison, choice, at: ballot(
        number,
        ANSWERS[0],
        ANSWERS[1],
        choice,
        user=f"u{user}",
        comparison=f"c{comparison}",
        at_us=1_790_000_000_000_000 + at,
    ),
    st.integers(0, 10_000),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(Choice),
    st.integers(0, 50),
)


def vote_on_three(number: int, winner: int, at: int) -> list[Ballot]:
    """Return the events' ballots of one vote on three answers: the winner against each other one."""
    return [
        ballot(
            10 * number + other,
            *(ANSWERS[winner], ANSWERS[other]) if winner < other else (ANSWERS[other], ANSWERS[winner]),
            Choice.LEFT if winner < other else Choice.RIGHT,
            user="u",
            comparison="c",
            shown=3,
            at_us=at,
        )
        for other in range(3)
        if other != winner
    ]


@given(st.lists(votes, unique_by=lambda each: each.id, max_size=25), st.randoms())
def test_neither_order_nor_repetition_of_events_matters(cast: list[Ballot], chance: Any) -> None:
    told = events(cast)
    again = told + chance.sample(told, len(told) // 2)
    chance.shuffle(again)
    assert ballots(again) == ballots(told)


@given(st.lists(votes, unique_by=lambda each: each.id, max_size=25))
def test_each_person_has_one_ballot_on_a_pair_and_it_is_the_latest(cast: list[Ballot]) -> None:
    kept = ballots(events(cast))
    said = [(each.user, each.comparison, pair(each)) for each in kept]
    assert len(said) == len(set(said))
    for each in kept:
        assert each.at_us == max(
            one.at_us for one in cast if (one.user, one.comparison) == (each.user, each.comparison)
        )


def test_an_event_comes_back_as_the_ballot_that_it_was() -> None:
    said = ballot(1, "chat-v1.0", "chat-v1.1", Choice.NEITHER, category="creative", counted=False, shown=3)
    assert ballots([event(said)]) == (said,)


def test_a_later_vote_on_three_answers_replaces_the_earlier_one_whole() -> None:
    first, second = vote_on_three(1, 0, 1_000), vote_on_three(2, 1, 2_000)
    found = read(events([*second, *first]))
    assert found.ballots == tuple(second)
    assert found.replaced == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event.id", None),
        ("event.time", "soon"),
        ("event.time", float("inf")),
        ("loop.user", ""),
        ("loop.user", ["u"]),
        ("loop.left.version", ""),
        ("loop.right.version", None),
        ("loop.vote.choice", "both"),
        ("loop.vote.prompt", "{"),
        ("loop.vote.prompt", '["hello"]'),
        ("loop.vote.prompt", "3"),
        ("loop.vote.prompt", "[" * 100_000),
        ("loop.left.sampling", "[]"),
        ("loop.vote.question", {"a": 1}),
        ("loop.right.answer", 7),
    ],
)
def test_an_event_that_is_no_vote_is_counted_and_left_out(field: str, value: Any) -> None:
    good = ballot(1, "chat-v1.0", "chat-v1.1")
    found = read([event(good), event(ballot(2, "chat-v1.0", "chat-v1.1")) | {field: value}, {}])
    assert (found.ballots, found.broken) == ((good,), 2)


def test_a_vote_without_texts_counts_and_its_comparison_is_the_same_from_both_sides() -> None:
    bare = {"loop.vote.question", "loop.vote.prompt", "loop.left.answer", "loop.right.answer"}
    one = ballot(1, ANSWERS[0], ANSWERS[1], user="u1")
    turned = dataclasses.replace(one, id="vote-2", left=ANSWERS[1], right=ANSWERS[0], user="u2")
    told = [
        {name: value for name, value in each.items() if name not in bare} for each in events([one, turned])
    ]
    found = ballots(told)
    assert [each.left.text for each in found] == ["", ""]
    assert found[0].comparison == found[1].comparison


KOREAN = ({"role": "user", "content": "혜성 부스러기 책은 얼마예요?"},)


def test_a_vote_that_names_no_category_gets_the_likeliest_one_and_the_language_of_its_letters() -> None:
    said = ballot(1, "a", "b", Choice.LEFT, category="creative", language="en")
    unsaid = ballot(2, "a", "b", Choice.LEFT, category="", language="", prompt=KOREAN)
    asked: list[str] = []

    def kinds(questions: Sequence[str]) -> list[str]:
        asked.extend(questions)
        return ["factual_qa"] * len(questions)

    found = placed([said, unsaid], kinds)
    assert [(each.category, each.language) for each in found] == [("creative", "en"), ("factual_qa", "ko")]
    assert asked == [KOREAN[0]["content"]]
