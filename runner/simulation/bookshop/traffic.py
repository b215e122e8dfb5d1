"""An endless stream of customers with their questions, for replay and for drift's reference.

Customers come in sessions of a few questions; a few books draw most of the interest; some write Korean,
some give personal data, some ask what is none of the shop's business. Deterministic in the generator; no
clock, no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from runner.simulation.bookshop.questions import Asking, Question, about_fact, askings, refused
from runner.simulation.bookshop.values import Language

KOREAN_SHARE = 0.2
OUT_OF_SCOPE_SHARE = 0.06
MEAN_QUESTIONS = 3.0
INTEREST = 0.7  # exponent of Zipf's law over facts


@dataclass(frozen=True, slots=True)
class Visit:
    """One question of one customer. `user` and `session` are names that the gateway hashes."""

    user: str
    session: str
    question: Question


def stream(seed: int, users: int = 200) -> Iterator[Visit]:
    """Yield visits for ever: `users` customers who come back, up to eight of them in the shop at once."""
    rng = Random(seed)
    present: list[tuple[str, str, Iterator[Question], int]] = []
    opened = 0
    while True:
        while len(present) < min(8, users):
            user = f"customer-{rng.randrange(users):04d}"
            length = 1 + min(11, int(rng.expovariate(1 / (MEAN_QUESTIONS - 1))))
            present.append((user, f"session-{opened:06d}", _asked_by(user, rng), length))
            opened += 1
        place = rng.randrange(len(present))
        user, session, source, left = present.pop(place)
        yield Visit(user, session, next(source))
        if left > 1:
            present.append((user, session, source, left - 1))


def everyday(rng: Random) -> Iterator[Question]:
    """Yield questions for ever as customers in general ask them, both languages mixed."""
    english, korean = _questions(Language.ENGLISH, rng), _questions(Language.KOREAN, rng)
    while True:
        yield next(korean if rng.random() < KOREAN_SHARE else english)


def _asked_by(user: str, rng: Random) -> Iterator[Question]:
    """A customer keeps to one language."""
    korean = Random(user).random() < KOREAN_SHARE
    return _questions(Language.KOREAN if korean else Language.ENGLISH, rng)


def _questions(language: Language, rng: Random) -> Iterator[Question]:
    known = _by_interest(language)
    weights = [1 / (rank + 1) ** INTEREST for rank in range(len(known))]
    while True:
        if rng.random() < OUT_OF_SCOPE_SHARE:
            yield refused(language, rng, held_out=True)
            continue
        (asking,) = rng.choices(known, weights)
        if question := about_fact(asking, rng, held_out=True):
            yield question


@cache
def _by_interest(language: Language) -> tuple[Asking, ...]:
    """Every asking of a language, in an order of popularity that is fixed for the world."""
    found = [asking for asking in askings() if asking.language is language]
    return tuple(Random(f"interest/{language.value}").sample(found, len(found)))
