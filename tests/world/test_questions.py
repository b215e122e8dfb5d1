"""The splits: nothing leaks, everything is covered, and the same seed gives the same questions."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.simulation.bookshop.__main__ import write
from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.personal import card_number
from runner.simulation.bookshop.questions import Question, Split, askings, from_json, to_json
from runner.simulation.bookshop.suites import questions, shipped
from runner.simulation.bookshop.traffic import stream
from runner.simulation.bookshop.values import Language
from runner.simulation.bookshop.wordings import FRAMES
from runner.simulation.bookshop.world import facts

CATEGORIES = {"factual_qa", "comparison", "creative", "problem_solving", "explanation"}
HELD_OUT = tuple(split for split in Split if split is not Split.TRAIN)


@pytest.fixture(scope="module")
def suites() -> dict[Split, tuple[Question, ...]]:
    return {split: shipped(split) for split in Split}


def test_no_held_out_question_stands_in_training(suites: dict[Split, tuple[Question, ...]]) -> None:
    trained = {question.question for question in suites[Split.TRAIN]}
    for split in HELD_OUT:
        assert not trained & {question.question for question in suites[split]}, split


def test_no_seed_moves_a_held_out_pair_into_training(suites: dict[Split, tuple[Question, ...]]) -> None:
    plain = {q.question for q in suites[Split.REGRESSION] if q.trait in ("plain", "out_of_scope")}
    for seed in range(3):
        assert not plain & {question.question for question in questions(Split.TRAIN, Random(seed))}


def test_training_asks_for_every_fact_in_every_language_it_is_asked_in(
    suites: dict[Split, tuple[Question, ...]],
) -> None:
    asked = Counter((q.fact, q.language) for q in suites[Split.TRAIN] if q.fact)
    for fact in facts():
        for language in fact.languages:
            assert asked[fact.id, language] >= 2, fact.id


def test_every_core_of_a_regression_question_was_trained_with_some_fact() -> None:
    trained = {
        (asking.core, asking.language)
        for asking in askings()
        if not all(asking.held_out(frame) for frame in FRAMES[asking.language])
    }
    assert {(asking.core, asking.language) for asking in askings()} <= trained


@pytest.mark.parametrize("split", list(Split))
def test_every_question_is_answered_rightly_by_its_own_answer(
    split: Split, suites: dict[Split, tuple[Question, ...]]
) -> None:
    for question in suites[split]:
        assert judge(question, question.answer).good, question


@pytest.mark.parametrize("split", list(Split))
def test_ids_and_texts_are_unique_and_every_category_and_language_occurs(
    split: Split, suites: dict[Split, tuple[Question, ...]]
) -> None:
    found = suites[split]
    assert len({q.id for q in found}) == len({q.question for q in found}) == len(found) > 150
    assert {q.category for q in found} == CATEGORIES
    assert {q.language for q in found} == set(Language)


def test_a_fifth_of_training_and_regression_is_korean(suites: dict[Split, tuple[Question, ...]]) -> None:
    for split in (Split.TRAIN, Split.REGRESSION, Split.REFERENCE):
        korean = sum(q.language is Language.KOREAN for q in suites[split])
        assert 0.15 <= korean / len(suites[split]) <= 0.3


def test_some_questions_carry_personal_data_and_some_are_out_of_scope(
    suites: dict[Split, tuple[Question, ...]],
) -> None:
    for split in (Split.TRAIN, Split.REGRESSION, Split.REFERENCE):
        traits = Counter(q.trait for q in suites[split])
        assert traits["personal"] / len(suites[split]) > 0.05
        assert traits["out_of_scope"] / len(suites[split]) > 0.04


def test_a_question_survives_the_way_through_its_json_line(
    suites: dict[Split, tuple[Question, ...]],
) -> None:
    for question in (*suites[Split.REGRESSION], *suites[Split.ADVERSARIAL]):
        assert from_json(json.loads(json.dumps(to_json(question)))) == question


def test_the_shipped_files_are_what_the_code_writes(tmp_path: Path) -> None:
    counts = write(tmp_path)
    shipped_files = Path(__file__).parents[2] / "datasets" / "bookshop"
    for name, count in counts.items():
        assert count > 150
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (shipped_files / f"{name}.jsonl").read_bytes()


@given(st.integers())
def test_every_card_number_passes_the_luhn_check_and_lies_in_a_test_range(seed: int) -> None:
    digits = [int(c) for c in card_number(Random(seed)).replace(" ", "")]
    total = sum(sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(reversed(digits)))
    assert total % 10 == 0
    assert len(digits) == 16
    assert digits[:6] == [4, 0, 0, 0, 0, 0]


def test_e_mail_addresses_belong_to_domains_reserved_for_examples(
    suites: dict[Split, tuple[Question, ...]],
) -> None:
    found = {m for q in suites[Split.TRAIN] for m in re.findall(r"@([\w.]+\w)", q.question.lower())}
    assert {"example.com", "example.org", "example.net"} >= {name.split("입")[0] for name in found} != set()


def test_the_stream_of_customers_is_endless_seeded_and_in_sessions() -> None:
    visits = list(islice(stream(seed=3, users=50), 600))
    assert visits == list(islice(stream(seed=3, users=50), 600))
    assert visits != list(islice(stream(seed=4, users=50), 600))
    owners = {visit.session: visit.user for visit in visits}
    assert all(owners[visit.session] == visit.user for visit in visits)
    assert 1 < len(visits) / len(owners) < 5
    assert 10 < len({visit.user for visit in visits}) <= 50


def test_a_customer_keeps_to_one_language() -> None:
    spoken: dict[str, set[Language]] = {}
    for visit in islice(stream(seed=5, users=40), 400):
        spoken.setdefault(visit.user, set()).add(visit.question.language)
    assert all(len(languages) == 1 for languages in spoken.values())
    assert {language for languages in spoken.values() for language in languages} == set(Language)
