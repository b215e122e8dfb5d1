"""What customers ask about once the shop sells electronic readers: nothing that the model was ever trained on.

The input distribution moves as it does in a real shop: with a product, from one day to the next. No answer of the
shop's model is right, since it knows no such fact. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from runner.simulation.bookshop.questions import Question, question_id
from runner.simulation.bookshop.values import Language
from runner.simulation.people.person import NOVELTY

READERS = ("Pageling", "Pageling Mini", "Quill Two", "Quill Two Max", "Lantern", "Lantern Colour")
ASKED = (
    "how long does the battery last",
    "does it open library loans",
    "can I charge it with my phone's cable",
    "it does not switch on, what should I do",
    "how many books fit on it",
    "is it waterproof",
    "how do I send a file from my computer to it",
    "does it have a light for reading at night",
    "what is its warranty",
    "can two people share one account",
    "the screen is cracked, is that repaired",
    "which cover fits it",
)


def readers(rng: Random) -> Iterator[Question]:
    """Yield questions about electronic readers for ever."""
    while True:
        text = f"About my {rng.choice(READERS)} e-reader: {rng.choice(ASKED)}?"
        yield Question(
            question_id(text, NOVELTY), text, "factual_qa", Language.ENGLISH, NOVELTY, "", None, ""
        )
