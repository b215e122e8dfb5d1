"""Whether an answer to a question of a suite is right, told from the answer that stands in the suite's own row.

Called by `suites`. It knows no subject: values (numbers, prices, times, names of days) are compared kind by kind, else
the words that tell something. Where neither says anything the mark is None, which counts for no version. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.signals.facts.by_value import by_values
from runner.signals.facts.by_word import HELD, by_assent
from runner.signals.facts.decision import Asked, Decision, Verdict
from runner.signals.facts.reference import Fact, Keys, Match, fact, read, telling
from runner.signals.facts.values import values
from runner.signals.text import plain

Declines = Callable[[str, str], bool]
"""Whether an answer (second) to a question (first) declines to help."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a suite with the answer it should get."""

    id: str
    question: str
    answer: str


def mark(row: Row, answer: str, declines: Declines) -> bool | None:
    """Return whether an answer is right, None where it cannot be said.

    A row whose own answer declines wants to be declined, and no other does. What holds a value, or the words that the
    question asked for, declines nothing: "no, sold out", "we do not take cheques".
    """
    if plain(answer) == plain(row.answer):
        return True
    if not answer.strip():
        return False
    given = declines(row.question, answer) and not values(answer)
    if declines(row.question, row.answer) and not values(row.answer):
        return given
    if given and not _holds(telling(answer), telling(row.answer) - telling(row.question)):
        return False
    return _by_content(row, answer)


def _by_content(row: Row, answer: str) -> bool | None:
    question, right = fact(row.question), fact(row.answer)
    if right.values - question.values:
        return _by_value(row, answer)
    if right.keys:
        return _by_word(question, right, telling(answer))
    return _said(by_assent(_asked(row), answer))


def _holds(said: Keys, right: Keys) -> bool:
    return bool(right) and len(said & right) >= HELD * len(right)


def _by_value(row: Row, answer: str) -> bool | None:
    """Judge by values; an answer with none of the kind asked for and no word in common answers something else."""
    found = _said(by_values(_asked(row), answer))
    if found is not None:
        return found
    return None if telling(answer) & telling(row.answer) else False


def _by_word(question: Fact, right: Fact, said: Keys) -> bool | None:
    """Judge by the share of the right answer's words that were said.

    Where the question offers the right answer among others, an answer with more than one of them may mean either. A
    name stands beside names: other words of the question are repeated in answers of any kind.
    """
    if not _holds(said, right.keys):
        return None if (said & right.keys) - question.keys else False
    offered = question.names if right.names else question.keys
    return None if right.keys <= question.keys and (said - right.keys) & offered else True


def _asked(row: Row) -> Asked:
    reference = read([{"question": row.question, "answer": row.answer}], f"question {row.id}")
    return Asked(reference, row.question, (Match(reference.facts[0], 1.0, 1.0),))


def _said(decision: Decision | None) -> bool | None:
    return None if decision is None else decision.verdict is Verdict.SUPPORTED
