"""What `loop evaluate` hands to whoever finds out which of two versions is preferred, and what it wants back.

`runner.evaluation.preference` implements it (`async def win_rate(job: PreferenceJob) -> SuiteResult`); the suites call
it. It only names what both need to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.evaluation.chat import ChatClient, Reply
from runner.evaluation.marking import Declines, Row
from runner.feedback.records import Ballot
from runner.spec.evaluation import AnyJudge, Suite


class Ask(Protocol):
    """Has a served version answer; what it answered to the same before is not asked again."""

    async def __call__(
        self,
        served: str,
        questions: Sequence[str],
        *,
        max_tokens: int,
        seed: int | None,
        temperature: float,
    ) -> list[Reply]:
        """Return one reply to each question, in order; a question the engine does not take has an empty one.

        Raises LoopError where the engine does not answer.
        """


@dataclass(frozen=True, slots=True)
class PreferenceJob:
    """One suite of kind `win_rate`: rows with the right answers, and both versions by the engine's names.

    `candidate` and `parent` are served names; `parent` may be the name of the base model. `alpha`: with what chance
    each end of an interval may be wrong. `judge` and its `calibration` (the data set's file) are None where the policy
    has no judge; `judge_client` asks it, and `calibrations` is the folder that keeps what is known of judges. `told` is
    called with the steps done and the steps in all. `segments`: id of a row -> its category and language, as
    `{"category": ..., "language": ...}`. `ballots` returns people's votes, for a suite that they decide.
    """

    name: str
    suite: Suite
    rows: Sequence[Row]
    candidate: str
    parent: str
    ask: Ask
    declines: Declines
    alpha: float
    judge: AnyJudge | None = None
    judge_client: ChatClient | None = None
    calibration: Path | None = None
    calibrations: Path | None = None
    told: Callable[[int, int], None] = lambda _done, _of: None
    segments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ballots: Callable[[], Sequence[Ballot]] = tuple
