"""Who judges what the review queue holds: people who know the bookshop's facts, with slips. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from random import Random

from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.questions import Question, Split
from runner.simulation.bookshop.suites import shipped
from runner.simulation.bookshop.traffic import stream
from runner.simulation.votes.voter import questions

SLIP = 0.02
"""Share of judgements that are the opposite of what the person thinks."""
_OPPOSITE = {"good": "bad", "bad": "good"}


def known(seed: int, count: int) -> Mapping[str, Question]:
    """Return questions by their texts: those of the files, the first ones of voters and of traffic with this seed."""
    asked = [question for split in Split for question in shipped(split)]
    asked += islice(questions(seed), count)
    asked += (visit.question for visit in islice(stream(seed), count))
    return {question.question: question for question in asked}


def judgement(person: str, question: Question, answer: str) -> str:
    """Return `good` or `bad`: whether a person takes an answer for right."""
    value = "good" if judge(question, answer).good else "bad"
    slips = Random(f"{person}/{question.id}/{answer}").random() < SLIP
    return _OPPOSITE[value] if slips else value
