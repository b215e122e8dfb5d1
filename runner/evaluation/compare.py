"""The ways in which sampled answers are compared with each other, behind one call: by words, by meaning, by a judge.

Called by the sampler. The first two cost no tokens; a judge has a price and can fail to be understood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.evaluation.judge import Judge, Judgement
from runner.evaluation.price import Meter
from runner.signals.consistency.agreement import Matrix, Similarity


@dataclass(frozen=True, slots=True)
class Compared:
    """Similarity of each answer with each; None with a reason where the comparison came to nothing."""

    matrix: Matrix | None
    reason: str


class Comparison(Protocol):
    """Compares answers to one question."""

    def most(self, question: str, answers: int, longest: int) -> int:
        """Return more tokens than comparing can take; `longest`: bytes of an answer at most."""

    async def compare(self, question: str, answers: Sequence[str], meter: Meter) -> Compared:
        """Compare, and tell the meter what it took. Raises TerminalError where asking is in vain."""


@dataclass(frozen=True, slots=True)
class ByTexts:
    """By the texts alone; whoever computes for long does so in a thread."""

    similarity: Similarity

    def most(self, question: str, answers: int, longest: int) -> int:  # noqa: ARG002 - the port's signature
        """Return 0: nobody is asked."""
        return 0

    async def compare(self, question: str, answers: Sequence[str], meter: Meter) -> Compared:  # noqa: ARG002 - as above
        """Compare by the texts."""
        return Compared(await asyncio.to_thread(self.similarity, answers), "")


@dataclass(frozen=True, slots=True)
class ByJudge:
    """By a judge, one pair after the other."""

    judge: Judge

    def most(self, question: str, answers: int, longest: int) -> int:
        """Return more tokens than all pairs together can take."""
        return answers * (answers - 1) // 2 * self.judge.most(question, "x" * longest, "x" * longest)

    async def compare(self, question: str, answers: Sequence[str], meter: Meter) -> Compared:
        """Compare all pairs; the first one that the judge cannot be understood on ends it."""
        matrix = [[1.0] * len(answers) for _ in answers]
        for one in range(len(answers)):
            for other in range(one):
                found: Judgement = await self.judge.compare(question, answers[one], answers[other], meter)
                if found.value is None:
                    return Compared(None, found.reason)
                matrix[one][other] = matrix[other][one] = found.value
        return Compared(matrix, "")
