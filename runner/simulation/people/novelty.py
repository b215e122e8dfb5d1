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
FRAMES = (
    "How long does the battery of the {r} e-reader last?",
    "Does the {r} e-reader open library loans?",
    "Can I charge the {r} e-reader with my phone's cable?",
    "My {r} e-reader does not switch on, what should I do?",
    "How many books fit on the {r} e-reader?",
    "Is the {r} e-reader waterproof?",
    "How do I send a file from my computer to the {r} e-reader?",
    "Does the {r} e-reader have a light for reading at night?",
    "What is the warranty of the {r} e-reader?",
    "Can two {r} e-readers share one account?",
    "The screen of my {r} e-reader is cracked, is that repaired?",
    "Which cover fits the {r} e-reader?",
)


def readers(rng: Random) -> Iterator[Question]:
    """Yield questions about electronic readers for ever."""
    while True:
        text = rng.choice(FRAMES).format(r=rng.choice(READERS))
        yield Question(
            question_id(text, NOVELTY), text, "factual_qa", Language.ENGLISH, NOVELTY, "", None, ""
        )
