"""Whether the statements of an answer are supported or contradicted by reference facts, or not covered by them.

Called by the sampler and by benchmarks. The facts that speak of the question are found by the words they share with it;
then values decide, kind by kind, after them names and other words, after them yes and no. What no fact speaks
of is not covered and counts neither way. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.signals.consistency.words import sentences
from runner.signals.facts.by_value import by_values
from runner.signals.facts.by_word import by_assent, by_words
from runner.signals.facts.decision import Asked, Verdict
from runner.signals.facts.reference import Reference, telling
from runner.signals.facts.values import values
from runner.signals.refusal.rules import refuses

Refuses = Callable[[str], bool]

NEAR = 0.4
"""A fact speaks of the question if it shares this much of what the closest fact shares."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an answer, what the facts say of it, and the fact that decided ("" where none did)."""

    text: str
    verdict: Verdict
    fact: str


@dataclass(frozen=True, slots=True)
class Check:
    """An answer's statements."""

    statements: tuple[Statement, ...]

    @property
    def covered(self) -> int:
        """How many of them the facts speak of."""
        return sum(each.verdict is not Verdict.NOT_COVERED for each in self.statements)

    @property
    def value(self) -> float | None:
        """Share of the covered statements that is supported, 0 to 1; None where no fact speaks of any."""
        if not self.covered:
            return None
        return sum(each.verdict is Verdict.SUPPORTED for each in self.statements) / self.covered


def check(reference: Reference, question: str, answer: str, declines: Refuses = refuses) -> Check:
    """Compare an answer with the facts. `declines` says which sentences decline to help: those state nothing."""
    return Check(
        tuple(
            Statement(text, Verdict.NOT_COVERED, "")
            if declines(text) and not values(text)
            else _judged(reference, question, text)
            for text in sentences(answer)
        )
    )


def _judged(reference: Reference, question: str, text: str) -> Statement:
    """Judge a statement: its values by the facts on all that is said, then its words by those on the question."""
    both = telling(question) | telling(text)
    for topic, rules in ((both, (by_values,)), (telling(question), (by_words, by_assent))):
        found = reference.matches(frozenset(filter(reference.knows, topic)))
        near = tuple(match for match in found if match.closeness >= NEAR * found[0].closeness)
        for decide in rules if near else ():
            decision = decide(Asked(reference, question, near), text)
            if decision is not None:
                return Statement(text, decision.verdict, decision.fact.text)
    return Statement(text, Verdict.NOT_COVERED, "")
