"""Judges a statement by its values: a fact with an equal one supports it, one with another of its kind contradicts it.

Called by `check`. Of the facts that hold a value of the kind, those closest to the question decide; where another is
hardly further from it and agrees with the statement, nothing is decided: the question may have meant that one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.signals.facts.decision import Asked, Decision, Verdict, closest, rivals
from runner.signals.facts.reference import Fact, Match
from runner.signals.facts.values import NUMERIC, Kind, Value, values
from runner.signals.text import plain

_ASKS_FOR_END = re.compile(r"\b(?:until|till)\b|\bhow late\b|까지")
_TELLS_END = re.compile(r"\b(?:until|till|clos(?:e|es|ed|ing)|ends?|last)\b|까지|닫|마감|끝")


def by_values(asked: Asked, text: str) -> Decision | None:
    """Return what the values of a statement come to: one that is contradicted is enough; None where none is met."""
    given = values(asked.question)
    decision: Decision | None = None
    for value in sorted(values(text) - given, key=lambda each: (each.kind, each.text)):
        alike = [
            m for m in _on_end(asked, value) if any(_comparable(value, o) for o in m.fact.values - given)
        ]
        if not alike:
            continue
        holds = _holding(value, closest(alike))
        if holds is not None:
            decision = Decision(Verdict.SUPPORTED, holds)
        elif _holding(value, rivals(alike)) is None:
            return Decision(Verdict.CONTRADICTED, alike[0].fact)
    return decision


def _on_end(asked: Asked, value: Value) -> Sequence[Match]:
    """Return the facts that may judge a value: who asks until when is not answered by when something begins."""
    if value.kind not in (Kind.TIME, Kind.NUMBER) or not _ASKS_FOR_END.search(plain(asked.question)):
        return asked.near
    return [match for match in asked.near if _tells_end(match.fact)]


def _tells_end(fact: Fact) -> bool:
    times = [value for value in fact.values if value.kind is Kind.TIME]
    return len(times) != 1 or times[0].text == "closed" or bool(_TELLS_END.search(plain(fact.text)))


def _holding(value: Value, facts: Sequence[Fact]) -> Fact | None:
    return next((fact for fact in facts if any(_equal(value, other) for other in fact.values)), None)


def _comparable(one: Value, other: Value) -> bool:
    if Kind.NUMBER in (one.kind, other.kind):
        return one.kind in NUMERIC and other.kind in NUMERIC
    return one.comparable == other.comparable


def _equal(one: Value, other: Value) -> bool:
    """Whether two values are the same; a bare number equals any value with that number, a bare hour either half."""
    if one.comparable == other.comparable:
        return one.text == other.text
    if not _comparable(one, other):
        return False
    bare, full = (one, other) if one.kind is Kind.NUMBER else (other, one)
    if full.kind is not Kind.TIME:
        return bare.text == full.text
    hour, _, minute = full.text.partition(":")
    return minute == "00" and bare.text in (str(int(hour)), str(int(hour) % 12 or 12))
