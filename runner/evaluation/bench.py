"""What every suite of an evaluation gets: its rows, the versions by their served names, and the ports to the engine.

Made by `loop evaluate`, which knows where the engine is; suites know only what is named here. Values and protocols.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.evaluation.asking import Answers
from runner.evaluation.chat import ChatClient
from runner.evaluation.marking import Declines, Row
from runner.feedback.records import Ballot
from runner.spec.evaluation import AnyJudge, Suite

LogProbs = Sequence[float | None]
Tokens = tuple[int, ...]
Conversation = tuple[str, str]
"""A question and its answer."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Tokens of a text, and the natural log-probability of each after those before it; None for the first."""

    tokens: Tokens
    logprobs: LogProbs


class Scores(Protocol):
    """Scores texts by the candidate, in the stack that trained it and in the engine that serves it."""

    async def trained(
        self, recorded: Sequence[Tokens], conversations: Sequence[Conversation]
    ) -> Sequence[Scored]:
        """Return what PEFT says of recorded tokens and then of conversations, in order. Raises LoopError."""

    async def served(self, texts: Sequence[Tokens]) -> Sequence[LogProbs]:
        """Return what the engine says of the same tokens, in order. Raises LoopError."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One answer under load: what was said, when the first text and the end came (seconds of the clock), or why not."""

    text: str
    first: float | None
    end: float
    tokens: int
    failure: str | None = None


Stream = Callable[[str, str, int], Awaitable[Timed]]
"""Has a served name (first) answer a question (second) with so many tokens at most. Raises nothing."""


class Clock(Protocol):
    """Time that passes."""

    def now(self) -> float:
        """Return seconds since some moment."""

    async def until(self, moment: float) -> None:
        """Return at that moment, at once where it is over."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """Public tasks to be run against the engine's completions by a model's name."""

    names: tuple[str, ...]
    served: str
    limit: int | None


@dataclass(frozen=True, slots=True)
class TaskScore:
    """How many of a task's questions were answered right."""

    task: str
    right: int
    n: int


Harness = Callable[[Tasks], Awaitable[Sequence[TaskScore]]]
"""Runs public tasks. Raises LoopError, also where lm-evaluation-harness is not installed."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """Who says which of two answers is better: the policy's judge, and people in the arena.

    `calibration` is the file with people's verdicts that a judge is held to, `calibrations` the folder that keeps what
    came of it; `ballots` reads people's votes.
    """

    judge: AnyJudge | None = None
    judge_client: ChatClient | None = None
    calibration: Path | None = None
    calibrations: Path | None = None
    ballots: Callable[[], Sequence[Ballot]] = tuple


@dataclass(frozen=True, slots=True)
class Bench:
    """What stands ready. `parent` is the base's name where there is no other parent.

    `probe` holds the tokens that the training stack recorded beside the candidate's weights, none where it did not.
    """

    candidate: str
    parent: str
    base: str
    answers: Answers
    declines: Declines
    scores: Scores
    probe: tuple[Tokens, ...]
    stream: Stream
    clock: Clock
    harness: Harness
    opinions: Opinions = field(default_factory=Opinions)


@dataclass(frozen=True, slots=True)
class Job:
    """One suite: its rows in the order in which they are asked, and with what chance an end may be wrong.

    `compared` says whether a gate compares it with the parent, so that what is costly need not be measured twice.
    `segments`: id of a row -> its category and language, as far as it has them.
    """

    name: str
    suite: Suite
    rows: tuple[Row, ...]
    alpha: float
    compared: bool = False
    segments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
