"""What is masked where nobody's data is: words of 1,000 in the shop's questions and answers, and in banking questions.

Called by `benchmarks.privacy.run`. The shop's authors stand in its reference texts, so they are public, as in the
product; `damage_shop_blind` is without that. Banking questions (Casanueva et al., Banking77, 2020) hold no personal
data but a country now and then.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.privacy import systems
from benchmarks.privacy.scoring import Labelled
from benchmarks.privacy.synth import counted
from runner.feedback.privacy.public import of_texts

SHOP = Path(__file__).resolve().parents[2] / "datasets" / "bookshop"
HELD_OUT = ("reference", "regression", "ood")
"""The tagger learned from the shop's training questions, and from none of these."""
TRAITS = ("plain", "new_wording")
"""Of other questions some name real towns or customers."""


def measure(data: Path | None) -> dict[str, float]:
    """Print a table and return figures by name; the banking questions only where `data` is there."""
    public = of_texts(row["text"] for row in _rows("statements"))
    rows = [row for name in HELD_OUT for row in _rows(name) if row["trait"] in TRAITS]
    asked = {
        language: sorted(
            {row[key] for row in rows if row["language"] == language for key in ("question", "answer")}
        )
        for language in ("en", "ko")
    }
    figures = {
        "damage_shop": _damage(asked["en"], "en", systems.ours(public)),
        "damage_shop_ko": _damage(asked["ko"], "ko", systems.ours(public)),
        "damage_shop_blind": _damage(asked["en"], "en", systems.ours()),
    }
    bank = data / "banking77" / "test.csv" if data else None
    if bank and bank.is_file():
        with bank.open(encoding="utf-8", newline="") as file:
            questions = [row["text"] for row in csv.DictReader(file)]
        figures["damage_banking"] = _damage(questions, "en", systems.ours())
        figures["damage_banking_presidio"] = _damage(questions, "en", systems.presidio(0.0))
    print("Damage: masked words of 1,000 in texts without personal data")
    for name, value in figures.items():
        print(f"  {name:<28}{value:.2f}")
    return figures


def _damage(texts: Iterable[str], language: str, finds: systems.Finds) -> float:
    return counted(finds, [Labelled(text, ()) for text in texts], language).damage


def _rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (SHOP / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
