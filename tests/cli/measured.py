"""A workbench with a log of the last hour, for tests of the commands that measure it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.cli.workbench import Bench
from tests.watch import house as of
from tests.watch.house import NOW, REFUSAL, House

QUESTIONS = tuple(f"Where would I find the {noun}?" for noun in ("atlas", "novel", "diary", "comic", "poem"))


def ago(seconds: float) -> float:
    """Return how long before the house's own time something was that happened so many seconds ago."""
    return NOW - time.time() + seconds


def bench(root: Path) -> Bench:
    """Return a repository in which nothing was logged."""
    return Bench(root)


def log(made: Bench) -> House:
    """Log ten answers, two of them refusals, and one error; return the house to log more."""
    house = House(made.root)
    answered = house.asked(QUESTIONS, ago(900))
    house.asked(QUESTIONS[:3], ago(800))
    house.asked(QUESTIONS[:2], ago(700), says=REFUSAL)
    of.failed(house, 1, ago(600))
    of.thumbs(house, answered[:3], 1, ago(500))
    return house


def strict(text: str) -> Any:
    """Parse JSON as programs do that know no NaN and no infinity."""

    def none(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=none)


def of_all(value: Any, metric: str) -> Any:
    """Return the reading of a metric over all arms and segments."""
    (found,) = [
        one for one in value["readings"] if one["metric"] == metric and not one["arm"] and not one["segment"]
    ]
    return found
