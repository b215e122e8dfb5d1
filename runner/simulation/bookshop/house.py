"""The rules of the house: opening hours, returns, shipping, gift cards, loyalty card, events, cafe and so on.

`world` turns them into facts. The rules themselves stand in `house.toml`, which is data without logic.
Reads that one file of this package and nothing else.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from runner.simulation.bookshop.values import Kind

HOURS = (  # weekday, opens, closes
    ("Monday", "closed", "closed"),
    ("Tuesday", "10:00", "18:00"),
    ("Wednesday", "10:00", "18:30"),
    ("Thursday", "09:30", "19:30"),
    ("Friday", "10:00", "21:00"),
    ("Saturday", "09:00", "20:00"),
    ("Sunday", "11:00", "17:00"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its value, a sentence that states it, and the questions that ask for it in each language."""

    id: str
    kind: Kind
    value: str
    category: str
    says: str
    asks: tuple[str, ...]
    says_ko: str = ""
    asks_ko: tuple[str, ...] = ()


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rules in the order of the file."""
    text = files(__package__).joinpath("house.toml").read_text(encoding="utf-8")
    return tuple(map(_rule, tomllib.loads(text)["rule"]))


def _rule(row: dict[str, Any]) -> Rule:
    asks, asks_ko = tuple(row["asks"]), tuple(row.get("asks_ko", ()))
    says, says_ko = row["says"], row.get("says_ko", "")
    return Rule(row["id"], Kind(row["kind"]), row["value"], row["category"], says, asks, says_ko, asks_ko)
