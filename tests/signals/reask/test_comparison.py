"""The same question again, and what only looks like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.embedder import Vectors
from runner.signals.reask import Rarity, asked_again, likeness, likenesses, sketch

TEXTS = st.text(alphabet="abcno wait,12?가는책아니", max_size=60)


@given(TEXTS, TEXTS)
def test_it_is_symmetric_and_between_0_and_1(one: str, other: str) -> None:
    found = likeness(sketch(one), sketch(other))
    assert 0.0 <= found <= 1.0 + 1e-12
    assert found == pytest.approx(likeness(sketch(other), sketch(one)))


@given(TEXTS.filter(lambda text: any(letter.isalnum() for letter in text)))
def test_every_question_is_wholly_like_itself(text: str) -> None:
    assert likeness(sketch(text), sketch(text)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("When does the library close?", "when does teh library close"),
        ("When does the library close?", "no wait, I meant when does the library close?"),
        ("How much is the harbour tour?", "How much is the castle, no sorry, the harbour tour?"),
        ("Where can I park a bicycle?", "where can i park bicycles??"),
        ("Can I pay by card?", "so can i pay with a card"),
        ("반품은 어떻게 하나요?", "교환, 아니 반품은 어떻게 하나요?"),
        ("주차는 어디에 하나요?", "주차 어디에 해요"),
        ("예약은 어디서 취소하나요?", "예약은어디서취소하나요"),
    ],
)
def test_typing_errors_corrections_and_endings_do_not_hide_a_reask(before: str, after: str) -> None:
    assert asked_again(sketch(before), sketch(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("When are you open on Friday?", "and on Sunday?"),
        ("When are you open on Friday?", "When are you open on Sunday?"),
        ("Do you have the harbour tour?", "How much is it?"),
        ("Do you have the harbour tour?", "How much is the harbour tour?"),
        ("Who guides the harbour tour?", "When is the harbour tour?"),
        ("How much is a ticket for 2 people?", "How much is a ticket for 5 people?"),
        ("How do I cancel a ticket?", "How do I order a ticket?"),
        ("금요일은 몇 시에 여나요?", "일요일은요?"),
        ("금요일은 몇 시에 여나요?", "일요일은 몇 시에 여나요?"),
        ("항구 여행 있나요?", "항구 여행 얼마예요?"),
        ("표 2장은 얼마예요?", "표 5장은 얼마예요?"),
    ],
)
def test_a_follow_up_on_the_same_subject_is_no_reask(before: str, after: str) -> None:
    assert not asked_again(sketch(before), sketch(after))


def test_a_negation_weighs_more_than_its_letters() -> None:
    asked, negated = sketch("Which tours are in English?"), sketch("Which tours aren't in English?")
    padded = sketch("Which tours are then in English?")
    assert likeness(asked, negated) < 0.75 < likeness(asked, padded)
    assert likeness(sketch("Which tours are not in English?"), negated) > 0.95


def test_what_was_taken_back_is_not_what_is_asked() -> None:
    corrected = sketch("How much is the castle, no sorry, the harbour tour?")
    harbour, castle = sketch("How much is the harbour tour?"), sketch("How much is the castle tour?")
    assert likeness(harbour, corrected) == pytest.approx(1.0)
    assert likeness(castle, corrected) < 0.9


def test_the_threshold_is_the_callers_to_choose() -> None:
    one, other = sketch("How do I cancel a ticket?"), sketch("How do I order a ticket?")
    found = likeness(one, other)
    assert asked_again(one, other, found)
    assert not asked_again(one, other, found + 1e-9)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=10), st.lists(TEXTS, max_size=5))
def test_many_pairs_get_the_numbers_of_each(pairs: list[tuple[str, str]], known: list[str]) -> None:
    before, after = [one for one, _ in pairs], [other for _, other in pairs]
    for rarity in (Rarity(), Rarity.learn(known)):
        found = likenesses(before, after, rarity)
        assert found.dtype == np.float64
        assert found.shape == (len(pairs),)
        expected = [likeness(sketch(one, rarity), sketch(other, rarity)) for one, other in pairs]
        assert found.tolist() == expected


def test_pairs_need_two_sides() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        likenesses(["where"], [])


class _Axes:
    """An embedder of three meanings, each an axis; everything else is nothing."""

    digest, size = "axes", 3
    _meanings = ("close", "shut", "open")

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = [
            [float(name in text or (name == "close" and "shut" in text)) for name in self._meanings]
            for text in texts
        ]
        vectors = np.asarray(rows, dtype=np.float32)
        return np.asarray(
            vectors / np.maximum(1.0, np.linalg.norm(vectors, axis=1, keepdims=True)), dtype=np.float32
        )


def test_an_embedder_adds_what_words_cannot_see() -> None:
    before, after = ["close", "close"], ["shut", "open"]
    found = likenesses(before, after, embedder=_Axes())
    assert found[0] > found[1]
    assert np.all((found >= 0.0) & (found <= 1.0))
    assert likenesses([], [], embedder=_Axes()).shape == (0,)
