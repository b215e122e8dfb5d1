"""Korean texts of our own: what is found in sentences that the tagger did not learn from. Ours, so an easy test.

Called by `benchmarks.privacy.run`. The sentences are in `korean.txt`, apart from those of the training; names, towns
and streets come from the same lists.
"""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.privacy import systems
from benchmarks.privacy.scoring import NAMES, PLACES, STRUCTURED, Labelled
from benchmarks.privacy.synth import counted
from runner.feedback.privacy.tagger.grammar import Grammar, parse
from runner.feedback.privacy.tagger.korean import KoreanSlots
from runner.feedback.privacy.tagger.train import example

TEXTS = 1000


def texts(count: int, seed: int = 41) -> list[Labelled]:
    """Return Korean texts with their personal data; a telephone is one."""
    slots = KoreanSlots().table()
    phone = slots["kphone"]
    slots["kphone"] = lambda chance: [(phone(chance)[0][0], "phone")]
    grammar = Grammar(parse(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")), slots)
    chance = random.Random(seed)
    made = [example(grammar.text("text", chance)) for _ in range(count)]
    return [Labelled(each.text, each.spans) for each in made]


def measure(_: Path | None) -> dict[str, float]:
    """Print a table and return figures by name."""
    made = texts(TEXTS)
    ours, gateway = (counted(finds, made, "ko") for finds in (systems.ours(), systems.gateway))
    figures = {
        "korean_token_f1": ours.f1,
        "korean_recall_names": ours.whole_of(NAMES),
        "korean_recall_places": ours.whole_of(PLACES),
        "korean_recall_structured": ours.whole_of(STRUCTURED),
        "korean_precision": ours.precision,
        "korean_gateway_token_f1": gateway.f1,
    }
    print(f"Korean, {TEXTS} texts of our own")
    for name, value in figures.items():
        print(f"  {name:<28}{value:.3f}")
    return figures
