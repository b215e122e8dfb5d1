"""Near-duplicates: what is alike in every part is found, what is not is kept, and order decides which stays."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.feedback.near import leaders, likeness

TEXTS = st.text(st.sampled_from("ab 가나1.\ud800é"), max_size=30)
WORDS = [f"word{number * 7919 % 9973:x}" for number in range(4000)]


def long_text(rng: Random, words: int = 60) -> list[str]:
    return [rng.choice(WORDS) for _ in range(words)]


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=12), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
@settings(max_examples=150)
def test_whoever_has_a_leader_is_as_alike_in_every_part_and_leaders_lead_themselves(items, threshold) -> None:
    found = leaders(items, threshold)
    assert len(found) == len(items)
    for place, leader in enumerate(found):
        assert found[leader] == leader <= place
        for mine, theirs in zip(items[place], items[leader], strict=True):
            assert mine == theirs or likeness(mine, theirs) >= threshold


@given(TEXTS, TEXTS)
def test_likeness_is_symmetric_between_0_and_1_and_1_for_the_same(one, other) -> None:
    assert likeness(one, other) == likeness(other, one)
    assert 0.0 <= likeness(one, other) <= 1.0
    assert likeness(one, one) == 1.0


def test_case_punctuation_and_spacing_make_no_difference() -> None:
    assert likeness("Who wrote  “Turnip Royal”?", "who wrote turnip royal") == 1.0
    assert leaders([("Who wrote it?",), ("WHO  wrote it!",)], 1.0) == [0, 0]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_texts_that_are_alike_are_found_among_many_that_are_not(threshold) -> None:
    rng = Random(3)
    texts = [long_text(rng) for _ in range(300)]
    changed = max(1, int(60 * (1.0 - threshold) / 4))
    copies = [[*text[changed:], *long_text(rng, changed)] for text in texts]
    items = [(" ".join(text), "the same canned answer") for text in (*texts, *copies)]
    alike = [likeness(items[place][0], items[300 + place][0]) >= threshold for place in range(300)]
    found = leaders(items, threshold)
    assert found[:300] == list(range(300))
    missed = sum(found[300 + place] != place for place in range(300) if alike[place])
    assert sum(alike) > 250
    assert missed <= 0.02 * sum(alike)


def test_one_canned_answer_does_not_make_different_questions_one() -> None:
    canned = "Sorry, I can only help with the bookshop, its books, its opening hours and its services."
    items = [(" ".join(long_text(Random(number), 6)), canned) for number in range(200)]
    assert leaders(items, 0.9) == list(range(200))


def test_a_text_of_a_megabyte_is_compared_like_any_other() -> None:
    huge = " ".join(long_text(Random(1), 100_000))
    assert leaders([(huge,), (huge + " more",), ("another " * 9,)], 0.9) == [0, 0, 2]


def test_nothing_is_like_nothing() -> None:
    assert leaders([], 0.9) == []
    assert leaders([("",), ("a",), ("?!",)], 0.9) == [0, 1, 0]
