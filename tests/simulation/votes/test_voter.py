"""Simulated people compare answers as customers who know the facts would, with slips."""

from __future__ import annotations

from itertools import islice

import pytest

from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.questions import Question, Split
from runner.simulation.bookshop.suites import shipped
from runner.simulation.votes.reviewer import judgement, known
from runner.simulation.votes.voter import opinion, questions

ASKED = list(islice(questions(3), 400))
PEOPLE = [f"voter-{number}" for number in range(5)]


def votes(better: str, worse: str, question: Question, places: tuple[int, int]) -> int | str:
    """Return who wins: 0 for `better`, 1 for `worse`, whatever their sides are."""
    pair = [better, worse] if places == (0, 1) else [worse, better]
    choice = opinion(f"{question.id}", question, pair).choice
    return choice if isinstance(choice, str) else places[choice]


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_a_right_answer_beats_a_wrong_one_on_either_side_but_for_slips(places: tuple[int, int]) -> None:
    won = [votes(each.answer, "I like trains.", each, places) for each in ASKED]
    assert set(won) <= {0, 1}
    assert 0.9 < won.count(0) / len(won) < 0.99


def test_of_two_right_answers_the_fuller_one_is_liked_better_and_not_always() -> None:
    full = [votes(f"{each.answer} {each.answer}", each.answer, each, (0, 1)) for each in ASKED]
    share = full.count(0) / len(full)
    assert 0.65 < share < 0.9


def test_the_same_answer_twice_is_a_tie_and_two_wrong_ones_are_neither() -> None:
    for each in ASKED[:50]:
        assert opinion("ann", each, [each.answer, f" {each.answer}"]).choice == "tie"
        assert opinion("ann", each, ["I like trains.", "So do I."]).choice == "neither"


def test_a_better_answer_that_is_typed_in_is_a_sentence_and_mostly_right() -> None:
    written = [(each, opinion("ann", each, ["a", "b"]).correction) for each in ASKED]
    sentences = [(each, text) for each, text in written if text is not None]
    assert 0.15 < len(sentences) / len(written) < 0.35
    right = [judge(each, text).good for each, text in sentences]
    assert 0.75 < sum(right) / len(right) < 0.95
    assert all(len(text) > len(each.answer) for each, text in sentences if judge(each, text).good)


def test_no_question_is_one_that_a_suite_asks() -> None:
    suites = {
        each.question for split in (Split.REGRESSION, Split.OOD, Split.ADVERSARIAL) for each in shipped(split)
    }
    assert not suites & {each.question for each in ASKED}


def test_what_a_person_says_depends_on_nothing_but_person_question_and_answers() -> None:
    for each in ASKED[:20]:
        said = [opinion(person, each, [each.answer, "No."]) for person in PEOPLE]
        assert said == [opinion(person, each, [each.answer, "No."]) for person in PEOPLE]


def test_reviewers_know_the_facts_and_slip_rarely() -> None:
    right = [judgement("ann", each, each.answer) for each in ASKED]
    wrong = [judgement("ann", each, "I like trains.") for each in ASKED]
    assert 0.93 < right.count("good") / len(right) < 1
    assert 0.93 < wrong.count("bad") / len(wrong) < 1


def test_reviewers_know_what_voters_with_the_same_seed_ask() -> None:
    found = known(3, 400)
    assert all(found[each.question] == each for each in ASKED)


def test_so_many_questions_as_asked_for_are_none_of_the_shops_business_and_the_others_stay_what_they_are() -> (
    None
):
    mixed = list(islice(questions(3, off_topic=0.25), 2000))
    off = [question for question in mixed if question.expected is None]
    assert 0.2 < len(off) / len(mixed) < 0.3
    assert all(question.expected is not None for question in ASKED)
    declines, answers = off[0].answer, "Flying elephants."
    assert opinion("ada", off[0], (answers, declines)).choice in (0, 1)
    liked = [opinion("ada", each, (answers, each.answer)).choice for each in off]
    assert liked.count(1) > 0.9 * len(off)
