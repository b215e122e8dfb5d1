"""Real pairs as short as tests can say them."""

from __future__ import annotations

from typing import Any

from runner.feedback.augmentation.made import How
from runner.feedback.preferences.leakage import Guarded, HeldOut, Suite
from runner.feedback.preferences.pairs import Origin, Pair
from runner.feedback.preferences.screen import Screen

HOW = How(
    "rewrite",
    "frame.brief",
    "chat-v1.0",
    "a" * 64,
    "b" * 64,
    (0.2, 1.0),
    "facts",
    "facts-of-the-shop",
    "c" * 64,
)


def pair(number: int, asked: str = "", category: str = "factual_qa", **changes: Any) -> Pair:
    question = asked or f"Who wrote book number {number}?"
    values: dict[str, Any] = {
        "id": f"pair-{number}",
        "prompt": ({"role": "user", "content": question},),
        "chosen": "It was written by Mirel Oakhart. She lives in a tower.",
        "rejected": "It was written by somebody else.",
        "category": category,
        "language": "en",
        "origin": Origin.VOTE,
        "sources": (f"vote-{number}",),
        "at_us": number,
    }
    return Pair(**values | changes)


def screen(*suites: str) -> Screen:
    guarded = Guarded([Suite("regression", dict(enumerate_as_ids(suites)))], 0.9, str)
    return Screen(guarded, HeldOut([], 0.0, 0.9), frozenset({"factual_qa", "creative"}))


def enumerate_as_ids(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(str(number), text) for number, text in enumerate(texts)]
