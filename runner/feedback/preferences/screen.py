"""What every conversation has to meet, whatever it is used for: a question, a category, nothing a suite asks. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runner.feedback.preferences.leakage import Guarded, HeldOut
from runner.feedback.preferences.pairs import Why, is_question
from runner.feedback.records import Messages


@dataclass(frozen=True, slots=True)
class Screened:
    """Why a conversation may not be trained on; `held_out` where the one reason is that it is kept for a case."""

    reasons: tuple[Why, ...]
    detail: str = ""

    @property
    def held_out(self) -> bool:
        """Whether it may become a regression case, and nothing else."""
        return self.reasons == (Why.HELD_OUT,)


@dataclass(frozen=True, slots=True)
class Screen:
    """The questions that training may not see, and the categories that are collected."""

    guarded: Guarded
    held_out: HeldOut
    categories: Collection[str]

    def of(self, prompt: Messages, category: str) -> Screened:
        """Return what speaks against a conversation."""
        leak = self.guarded.leak(prompt)
        against = {
            Why.NO_QUESTION: not is_question(prompt),
            Why.CATEGORY: category not in self.categories,
            Why.LEAKED: leak is not None,
            Why.HELD_OUT: self.held_out.holds(prompt),
        }
        return Screened(tuple(why for why, true in against.items() if true), str(leak) if leak else "")
