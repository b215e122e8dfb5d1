"""Questions are sorted as the most similar sorted ones are, into categories of the policy and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.categories import Categories

BOOKSHOP = Path(__file__).parents[2] / "datasets" / "bookshop"
EXAMPLES = (
    ("Who wrote The Lantern Ledger?", "factual_qa"),
    ("When do you open on Saturday?", "factual_qa"),
    ("Which is cheaper, Turnip Royal or Violet Engine?", "comparison"),
    ("My book is damaged, what can I do?", "problem_solving"),
    ("책이 찢어졌어요. 교환할 수 있나요?", "problem_solving"),
)


@pytest.fixture(scope="module")
def learned() -> Categories:
    return Categories.learn(EXAMPLES)


@given(st.lists(st.text(max_size=40), max_size=5))
def test_every_question_whatever_it_says_gets_a_known_category(learned, questions) -> None:
    found = learned.of_all(questions)
    assert len(found) == len(questions)
    assert set(found) <= {name for _, name in EXAMPLES}
    assert found == [learned.of(question) for question in questions]


def test_a_question_is_sorted_as_the_most_similar_one(learned) -> None:
    assert learned.of("Which is cheaper, Kettle Weather or Violet Engine?") == "comparison"
    assert learned.of("My book is damaged") == "problem_solving"
    assert learned.of("책이 찢어졌는데 교환되나요?") == "problem_solving"


def test_categories_that_the_policy_does_not_have_are_not_learnt() -> None:
    found = Categories.learn(EXAMPLES, known=("factual_qa",))
    assert found.of("Which is cheaper, Turnip Royal or Violet Engine?") == "factual_qa"


def test_without_examples_there_is_no_category() -> None:
    assert Categories.learn(()).of_all(["Who?", ""]) == ["", ""]


def test_nine_in_ten_unseen_questions_of_the_bookshop_are_sorted_right() -> None:
    if not (BOOKSHOP / "train_sft.jsonl").exists():
        pytest.skip("the bookshop's data are not here: `dvc pull`")
    learnt, held = rows("train_sft")[:4000], rows("regression")
    found = Categories.learn(learnt).of_all([question for question, _ in held])
    right = sum(one == name for one, (_, name) in zip(found, held, strict=True))
    assert right >= 0.9 * len(held)


def rows(name: str) -> list[tuple[str, str]]:
    lines = (BOOKSHOP / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [(row["question"], row["category"]) for row in map(json.loads, lines)]
