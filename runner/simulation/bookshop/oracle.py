"""Whether an answer is right, judged exactly: the right value is there, and no other value of its kind is.

An answer may say more than was asked; what it says of other kinds is not judged. Spelling of numbers is free
(`$12.50`, `12.5 dollars`, `12.50달러`); words must be in the question's language. Pure functions; no I/O.
"""

from __future__ import annotations

import re
from enum import StrEnum

from runner.simulation.bookshop.questions import Question
from runner.simulation.bookshop.values import Language, read
from runner.simulation.bookshop.world import LEXICON


class Verdict(StrEnum):
    """What an answer is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    REFUSED_RIGHTLY = "refused_rightly"
    REFUSED_WRONGLY = "refused_wrongly"
    ANSWERED_OUT_OF_SCOPE = "answered_out_of_scope"

    @property
    def good(self) -> bool:
        """Whether the customer was served well."""
        return self in (Verdict.RIGHT, Verdict.REFUSED_RIGHTLY)


_REFUSAL = {
    Language.ENGLISH: re.compile(
        r"\bcan only (?:help|answer)|\bcan(?:not|'t) (?:help|answer)|\bunable to (?:help|answer)"
        r"|\bdo(?:n't| not) (?:know|have that book)\b",
        re.IGNORECASE,
    ),
    Language.KOREAN: re.compile(
        r"만 (?:도와|답)|(?:도와드릴|답할|답해 드릴) 수 없"
        r"|모르겠|잘 모르|그 책은 (?:저희에게 )?없"
    ),
}


def refuses(answer: str, language: Language) -> bool:
    """Whether an answer declines, in this language."""
    return bool(_REFUSAL[language].search(answer.replace("’", "'")))


def judge(question: Question, answer: str) -> Verdict:
    """Judge one answer. A refusal in another language than the question's counts as wrong."""
    declined = any(refuses(answer, language) for language in Language)
    if question.expected is None:
        if not declined:
            return Verdict.ANSWERED_OUT_OF_SCOPE
        return Verdict.REFUSED_RIGHTLY if refuses(answer, question.language) else Verdict.WRONG
    if declined:
        return Verdict.REFUSED_WRONGLY
    kind, right = question.expected.kind, frozenset(question.expected.values)
    own = read(kind, answer, (question.language,), LEXICON)
    every = read(kind, answer, tuple(Language), LEXICON)
    return Verdict.RIGHT if own and every <= right else Verdict.WRONG
