"""What is rare weighs more, with and without data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.signals.reask import SHIPPED, Rarity, likenesses
from runner.signals.reask.pieces import Kind, pieces

TEXTS = st.lists(st.text(alphabet="ab 가나", max_size=12), max_size=8)


def weight(word: str, rarity: Rarity) -> float:
    return sum(rarity.weight(piece) for piece in pieces([word]) if piece.kind in (Kind.WORD, Kind.SYLLABLE))


def test_without_data_the_lists_weigh() -> None:
    assert weight("the", SHIPPED) < weight("when", SHIPPED) < weight("parcel", SHIPPED)
    assert weight("는", SHIPPED) < weight("책", SHIPPED)


def test_a_word_of_every_question_loses_weight_and_others_do_not() -> None:
    learned = Rarity.learn(f"where is parcel {number}" for number in range(500))
    assert weight("parcel", learned) < 0.3 * weight("parcel", SHIPPED)
    assert weight("refund", learned) >= weight("refund", SHIPPED)


def test_few_questions_change_little() -> None:
    learned = Rarity.learn(["where is the parcel"])
    assert abs(weight("refund", learned) - weight("refund", SHIPPED)) < 0.05


def test_the_same_text_again_teaches_nothing() -> None:
    once = ["where is it", "책은 어디에 있나요"]
    assert Rarity.learn(once * 3) == Rarity.learn(once)


@given(TEXTS, st.sampled_from(["parcel", "the", "책", "는"]))
def test_no_weight_is_below_zero(texts: list[str], word: str) -> None:
    assert weight(word, Rarity.learn(texts)) >= 0.0


def test_learned_weights_tell_apart_what_the_lists_cannot() -> None:
    learned = Rarity.learn(f"the history of the {name} dynasty" for name in map(str, range(400)))
    before, after = ["the history of the ming dynasty"], ["the history of the tang dynasty"]
    assert likenesses(before, after, learned)[0] < likenesses(before, after)[0]
