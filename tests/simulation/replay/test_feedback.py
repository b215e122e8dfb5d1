"""What users say of answers follows from what the answers are worth, from the seed, and from nothing else."""

from __future__ import annotations

from itertools import islice

import pytest

from runner.simulation.bookshop.questions import Question
from runner.simulation.replay import questions
from runner.simulation.replay.feedback import NOISE, Critics, Opinion

NUMBER = 2000


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    return list(islice(questions.bookshop(3), NUMBER))


def opinions(
    asked: list[Question], share: float = 1.0, seed: int = 0, *, right: bool
) -> list[Opinion | None]:
    critics = Critics(share, seed)
    texts = list(critics.remember(iter(asked)))
    given = [question.answer if right else "A Book That Nobody Wrote, on shelf Z9." for question in asked]
    return [
        critics.opinion(n, text, answer) for n, (text, answer) in enumerate(zip(texts, given, strict=True))
    ]


def pleased(found: list[Opinion | None]) -> float:
    spoken = [each.pleased for each in found if each]
    return sum(spoken) / len(spoken)


def test_right_answers_please_and_wrong_ones_displease_with_a_little_noise(asked: list[Question]) -> None:
    assert pleased(opinions(asked, right=True)) == pytest.approx(1 - NOISE, abs=0.02)
    assert pleased(opinions(asked, right=False)) == pytest.approx(NOISE, abs=0.02)


@pytest.mark.parametrize("right", [True, False])
def test_what_is_said_agrees_with_whether_it_pleased(asked: list[Question], right: bool) -> None:
    for each in filter(None, opinions(asked, right=right)):
        good = [{"thumbs": "up"}, {"rating": 4}, {"rating": 5}]
        bad = [{"thumbs": "down"}, {"rating": 1}, {"rating": 2}]
        assert each.said in (good if each.pleased else bad)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_only_a_share_of_users_speaks(asked: list[Question], share: float) -> None:
    spoken = sum(each is not None for each in opinions(asked, share, right=True))
    assert spoken / NUMBER == pytest.approx(share, abs=0.04)


def test_the_same_seed_says_the_same_and_who_speaks_does_not_depend_on_the_answer(
    asked: list[Question],
) -> None:
    good, bad = opinions(asked, 0.3, right=True), opinions(asked, 0.3, right=False)
    assert good == opinions(asked, 0.3, right=True)
    assert good != opinions(asked, 0.3, seed=1, right=True)
    assert [each is None for each in good] == [each is None for each in bad]


def test_nothing_is_said_of_what_nobody_can_judge() -> None:
    assert Critics(1.0, 0).opinion(1, "what is a house?", "a home") is None


def test_asking_for_judged_questions_asks_the_same_ones(asked: list[Question], tmp_path) -> None:
    assert list(islice(questions.draw("bookshop", tmp_path, 3), 50)) == [q.question for q in asked[:50]]
