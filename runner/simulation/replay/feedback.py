"""What the users say of the answers: the bookshop's oracle judges, moods differ, and not everybody speaks.

Called by the players, which send it as the user who asked. Each call's opinion depends on the seed, its number and
the worth of its answer alone, so the same answers get the same feedback in every order. Pure but for the memory of
what was asked; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.simulation.bookshop.questions import Question

NOISE = 0.05
"""Share of those who speak that say the opposite of what the answer is worth: slips, moods, misreadings."""
RATING_SHARE = 0.4
"""Share of feedback that is a rating; the rest are thumbs."""
DELIGHT = 0.6
"""Share of pleased ratings that give 5 rather than 4, and of displeased ones that give 1 rather than 2."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one user says of one answer, and whether it pleased."""

    pleased: bool
    said: dict[str, Any]
    """The fields of `POST /feedback` that are not about who and what: `thumbs` or `rating`."""


@dataclass(slots=True)
class Critics:
    """Users who know what a right answer is. `share` of their answers get feedback, from 0 to 1."""

    share: float
    seed: int
    _known: dict[str, Question] = field(default_factory=dict)

    def remember(self, asked: Iterator[Question]) -> Iterator[str]:
        """Pass the texts of questions on, and keep what a right answer to each would be."""
        for question in asked:
            self._known[question.question] = question
            yield question.question

    def opinion(self, number: int, question: str, answer: str) -> Opinion | None:
        """Return what is said of the answer to call `number`; None where nothing is, or nobody can judge it."""
        rng = Random(f"{self.seed}:feedback:{number}")
        speaks, slip, rates, warm = (rng.random() for _ in range(4))
        known = self._known.get(question)
        if speaks >= self.share or known is None:
            return None
        pleased = _good(known, answer) != (slip < NOISE)
        if rates >= RATING_SHARE:
            return Opinion(pleased, {"thumbs": "up" if pleased else "down"})
        strong, mild = (5, 4) if pleased else (1, 2)
        return Opinion(pleased, {"rating": strong if warm < DELIGHT else mild})


def _good(question: Question, answer: str) -> bool:
    from runner.simulation.bookshop.oracle import judge  # the bookshop is loaded only where it is asked for

    return judge(question, answer).good
