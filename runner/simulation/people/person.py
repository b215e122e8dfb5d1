"""Who asks, and what each does about an answer: taste, temper and habits follow from the name alone.

A right answer pleases; of right ones most people like the whole sentence better than the bare value. Who is not
served well may ask again in other words, send a thumb down, or type what should have been said. Pure: a person, a
question, an answer and a generator of random numbers give the same reaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.questions import Asking, Question, about_fact, askings
from runner.simulation.bookshop.traffic import KOREAN_SHARE, everyday
from runner.simulation.bookshop.values import Language
from runner.simulation.bookshop.world import facts

LIKES_SENTENCES = 0.8
"""Share of people who like a whole sentence better than the bare value."""
SLIP = 0.03
"""Share of feedback that says the opposite of what is thought."""
NOVELTY = "novelty"
"""Trait of questions to which the shop's model has no answer, so that not even a refusal serves."""
WORDS_OF_A_SENTENCE = 4
"""An answer of so many words is taken for a sentence."""


@dataclass(frozen=True, slots=True)
class Person:
    """One customer; shares are from 0 to 1."""

    name: str
    language: Language
    likes_sentences: bool
    speaks: float
    """Share of answers of which this person says what they are worth."""
    rates: float
    """Share of that which is a rating from 1 to 5; the rest are thumbs."""
    insists: float
    """How often a bad answer is followed by the same question in other words."""
    corrects: float
    """How often what is said of a bad answer is what should have been said."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an answer brought about: whether it pleased, the fields of `POST /feedback`, the question once more."""

    pleased: bool
    said: Mapping[str, Any] = field(default_factory=dict)
    again: Question | None = None


def person(number: int, seed: int, speaks: float) -> Person:
    """Return customer `number` of a crowd; `speaks` is the mean share of answers that people judge."""
    name = f"customer-{number:04d}"
    rng = Random(f"person/{seed}/{name}")
    return Person(
        name,
        Language.KOREAN if rng.random() < KOREAN_SHARE else Language.ENGLISH,
        likes_sentences=rng.random() < LIKES_SENTENCES,
        speaks=min(1.0, speaks * rng.uniform(0.4, 1.6)),
        rates=rng.uniform(0.4, 0.9),
        insists=rng.uniform(0.1, 0.7),
        corrects=rng.uniform(0.0, 0.4),
    )


def react(who: Person, question: Question, answer: str, rng: Random) -> Reaction:
    """Return what a person does about an answer."""
    served = judge(question, answer).good and question.trait != NOVELTY
    speaks, slips, insists = (rng.random() for _ in range(3))
    again = None if served or insists >= who.insists else reworded(question, rng)
    if speaks >= who.speaks:
        return Reaction(served, again=again)
    return Reaction(served, _said(who, question, answer, served != (slips < SLIP), rng), again)


def _said(who: Person, question: Question, answer: str, pleased: bool, rng: Random) -> dict[str, Any]:
    """Return what is sent to the gateway. A correction comes with a thumb down."""
    corrects, rates, warm = (rng.random() for _ in range(3))
    right = None if pleased else sentence(question)
    if right is not None and corrects < who.corrects:
        return {"thumbs": "down", "correction": right}
    if rates >= who.rates:
        return {"thumbs": "up" if pleased else "down"}
    if not pleased:
        return {"rating": 1 if warm < 0.6 else 2}
    full = len(answer.split()) >= WORDS_OF_A_SENTENCE or question.expected is None
    return {"rating": 5 if full or not who.likes_sentences else 4}


def reworded(question: Question, rng: Random) -> Question | None:
    """Return the same question in other words; None where there are none."""
    known = _wordings().get((question.fact, question.language), ())
    for asking in rng.sample(known, len(known)):
        found = about_fact(asking, rng, held_out=True)
        if found is not None and found.question != question.question:
            return found
    return None


@cache
def _wordings() -> Mapping[tuple[str, Language], tuple[Asking, ...]]:
    found: dict[tuple[str, Language], tuple[Asking, ...]] = {}
    for asking in askings():
        key = (asking.fact.id, asking.language)
        found[key] = (*found.get(key, ()), asking)
    return found


def sentence(question: Question) -> str | None:
    """Return what should have been said, as a whole sentence; None where the shop has no fact to tell."""
    return _sentences().get((question.fact, question.language))


@cache
def _sentences() -> Mapping[tuple[str, Language], str]:
    return {(fact.id, language): text for fact in facts() for language, text in fact.says}


def interests(who: Person, rng: Random) -> Iterator[Question]:
    """Yield what a person asks in everyday business, for ever, in this person's language."""
    return (question for question in everyday(rng) if question.language is who.language)
