"""Judges a statement by its values: a fact with an equal one supports it, one with another of its kind contradicts it.

Called by `check`. Of the facts that hold a value of the kind, those closest to the question decide. Pure.
"""

from __future__ import annotations

from runner.signals.facts.decision import Asked, Decision, Verdict, closest
from runner.signals.facts.values import NUMERIC, Kind, Value, values


def by_values(asked: Asked, text: str) -> Decision | None:
    """Return what the values of a statement come to: one that is contradicted is enough; None where none is met."""
    given = values(asked.question)
    decision: Decision | None = None
    for value in sorted(values(text) - given, key=lambda each: (each.kind, each.text)):
        alike = [m for m in asked.near if any(_comparable(value, other) for other in m.fact.values - given)]
        if not alike:
            continue
        facts = closest(alike)
        holds = next((fact for fact in facts if any(_equal(value, other) for other in fact.values)), None)
        if holds is None:
            return Decision(Verdict.CONTRADICTED, facts[0])
        decision = Decision(Verdict.SUPPORTED, holds)
    return decision


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
