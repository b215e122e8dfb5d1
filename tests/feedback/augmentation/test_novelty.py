from __future__ import annotations

from runner.feedback.augmentation.novelty import fit, known
from runner.feedback.preferences.pairs import Origin
from runner.spec.collection import PairQuality
from tests.feedback.augmentation.made_up import pair, screen

ASKED = "Who wrote The Lantern Ledger?"
PROMPT = ({"role": "user", "content": ASKED},)


def prompt(text: str):
    return ({"role": "user", "content": text},)


def test_what_somebody_asked_is_not_new_nor_what_is_nearly_the_same() -> None:
    found = known([PROMPT], screen(), 0.9)

    assert not found.is_new(PROMPT, "factual_qa")
    assert not found.is_new(prompt("who wrote the lantern ledger"), "factual_qa")
    assert found.is_new(prompt("Do you know the author of The Lantern Ledger?"), "factual_qa")


def test_what_a_suite_asks_is_not_new() -> None:
    found = known([], screen(ASKED), 0.9)

    assert not found.is_new(prompt("who wrote the Lantern Ledger"), "factual_qa")


def test_what_was_made_since_is_not_new() -> None:
    found = known([], screen(), 0.9)

    assert not found.is_new(PROMPT, "factual_qa", [ASKED.lower()])


def test_a_pair_on_a_question_of_a_suite_is_no_parent() -> None:
    leaked, free = pair(1, ASKED), pair(2, "How do I find the cookery books?")

    assert fit([leaked, free], screen(ASKED), PairQuality()) == {"factual_qa": [free]}


def test_only_real_pairs_that_may_be_trained_on_count() -> None:
    short = pair(1, chosen="No. Not.", rejected="Yes.")
    synthetic = pair(2, origin=Origin.SYNTHETIC)
    elsewhere = pair(3, category="gossip")

    assert fit([short, synthetic, elsewhere], screen(), PairQuality()) == {}


def test_parents_come_in_an_order_that_depends_on_their_ids_alone() -> None:
    pairs = [pair(number) for number in range(6)]

    assert fit(pairs, screen(), PairQuality()) == fit(pairs[::-1], screen(), PairQuality())
