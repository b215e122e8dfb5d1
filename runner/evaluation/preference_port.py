"""What `loop evaluate` hands to whoever finds out which of two versions is preferred, and what it wants back.

`runner.evaluation.preference` implements it (`async def win_rate(job: PreferenceJob) -> SuiteResult`); the suites call
it. It only names what both need to know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runner.evaluation.chat import ChatClient, Reply
from runner.evaluation.marking import Declines, Row
from runner.spec.evaluation import Judge, Suite


class Ask(Protocol):
    """Has a served version answer; what it answered to the same before is not asked again."""

    async def __call__(
        self, served: str, questions: Sequence[str], *, max_tokens: int, seed: int, temperature: float
    ) -> list[Reply]:
        """Return one reply to each question, in order; a question the engine does not take has an empty one.

        Raises LoopError where the engine does not answer.
        """


@dataclass(frozen=True, slots=True)
class PreferenceJob:
    """One suite of kind `win_rate`: rows with the right answers, and both versions by the engine's names.

    `candidate` and `parent` are served names; `parent` may be the name of the base model. `alpha`: with what chance
    each end of an interval may be wrong. `judge` and its `calibration` (the data set's file) are None where the policy has
    no judge; `judge_client` asks it. `told` is called with the steps done and the steps in all.
    """

    name: str
    suite: Suite
    rows: Sequence[Row]
    candidate: str
    parent: str
    ask: Ask
    declines: Declines
    alpha: float
    judge: Judge | None = None
    judge_client: ChatClient | None = None
    calibration: Path | None = None
    told: Callable[[int, int], None] = lambda _done, _of: None
