"""Arenas with known truths: people who vote by the strengths of versions, and by whatever else a test plants."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runner.feedback.records import Answer, Ballot, Choice

START_US = 1_790_000_000_000_000
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class World:
    """How people vote: log odds for strength, for the left side, and for an answer e times as long."""

    strengths: Mapping[str, float]
    side: float = 0.0
    length: float = 0.0
    lengths: Mapping[str, float] = field(default_factory=dict)
    """Version -> how many times as long its answers are as others."""
    ties: float = 0.0
    users: int = 30
    tastes: float = 0.0
    """How much people differ: standard deviation of each one's own strengths."""


def answer(version: str, response: str, characters: int = 100) -> Answer:
    return Answer(version, "a" * 64, response, "x" * characters)


def ballot(
    number: int, left: str | Answer, right: str | Answer, choice: Choice = Choice.LEFT, **changes: Any
) -> Ballot:
    """Return a ballot; `changes` are further fields of it."""
    fields = {
        "id": f"vote-{number}",
        "comparison": f"c{number}",
        "prompt": ({"role": "user", "content": "What is it?"},),
        "left": answer(left, f"{number}-l") if isinstance(left, str) else left,
        "right": answer(right, f"{number}-r") if isinstance(right, str) else right,
        "choice": choice,
        "user": f"u{number % 7}",
        "group": "public",
        "category": "factual_qa",
        "language": "en",
        "at_us": START_US + number,
    }
    return Ballot(**{**fields, **changes})


def decided(first: str, second: str, won: int, lost: int, ties: int = 0, start: int = 0) -> list[Ballot]:
    """Return votes on two versions, sides in turn."""
    results = [1.0] * won + [0.0] * lost + [0.5] * ties
    found = []
    for number, score in enumerate(results, start=start):
        turned = number % 2 == 1
        left, right = (second, first) if turned else (first, second)
        won_left = score != (1.0 if turned else 0.0)
        choice = Choice.TIE if score == 0.5 else Choice.LEFT if won_left else Choice.RIGHT
        found.append(ballot(number, left, right, choice))
    return found


def arena(world: World, votes: int, rng: np.random.Generator) -> list[Ballot]:
    """Return votes on random pairs by random people, sides at random."""
    names = list(world.strengths)
    tastes = rng.normal(0.0, world.tastes, (world.users, len(names)))
    found = []
    for number in range(votes):
        user = int(rng.integers(world.users))
        one, other = (int(at) for at in rng.choice(len(names), 2, replace=False))
        left, right = (
            answer(
                names[at],
                f"{number}-{at}",
                max(1, int(60 * world.lengths.get(names[at], 1.0) * math.exp(noise))),
            )
            for at, noise in ((one, rng.normal(0, 0.5)), (other, rng.normal(0, 0.5)))
        )
        logit = world.side + world.length * math.log(len(left.text) / len(right.text))
        logit += world.strengths[names[one]] - world.strengths[names[other]]
        logit += float(tastes[user, one] - tastes[user, other])
        choice = Choice.LEFT if rng.random() < 1 / (1 + math.exp(-logit)) else Choice.RIGHT
        if rng.random() < world.ties:
            choice = Choice.TIE
        found.append(ballot(number, left, right, choice, user=f"user-{user}"))
    return found


def event(of: Ballot) -> dict[str, Any]:
    """Return the event that a ballot is read from."""
    sides = {
        f"loop.{side}.{name}": value
        for side, one in (("left", of.left), ("right", of.right))
        for name, value in (
            ("version", one.version),
            ("digest", one.digest),
            ("response", one.response),
            ("answer", one.text),
            ("sampling", json.dumps(one.sampling)),
        )
    }
    return sides | {
        "event.id": of.id,
        "event.time": of.at_us,
        "loop.environment": "production",
        "loop.user": of.user,
        "loop.group": of.group,
        "loop.vote.question": of.comparison,
        "loop.vote.choice": of.choice.value,
        "loop.vote.counted": of.counted,
        "loop.vote.shown": of.shown,
        "loop.vote.category": of.category,
        "loop.vote.language": of.language,
        "loop.vote.prompt": json.dumps(list(of.prompt)),
    }


def events(ballots: Iterable[Ballot]) -> list[dict[str, Any]]:
    return [event(each) for each in ballots]
