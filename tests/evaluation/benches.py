"""What suites need, without an engine: answers by a function, time that is only counted, results by numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.evaluation.bench import Bench, Job, Tasks, TaskScore, Timed
from runner.evaluation.chat import Reply
from runner.evaluation.marking import Row
from runner.evaluation.results import Measured, SuiteResult
from runner.spec.evaluation import EvaluationPolicy, Suite, SuiteKind
from runner.stats.exact import share_ends

CANDIDATE, PARENT, BASE = "chat-v1.1--bbbbbbbbbbbb", "chat-v1.0--aaaaaaaaaaaa", "bookshop-base"
REFUSAL = "Sorry, I can only help with the bookshop."


def declines(_question: str, answer: str) -> bool:
    return answer.startswith("Sorry")


@dataclass
class Said:
    """Answers of versions by question; what is asked without an answer is said nothing to."""

    by: Mapping[str, Mapping[str, str]]
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, served: str, questions: Sequence[str], **_how: Any) -> list[Reply]:
        self.asked += [(served, question) for question in questions]
        return [Reply(self.by[served].get(each, ""), "stop", 5, 3) for each in questions]


def bench(**changes: Any) -> Bench:
    """Return a bench of which a test needs only what it names."""
    given: dict[str, Any] = {
        "candidate": CANDIDATE,
        "parent": PARENT,
        "base": BASE,
        "answers": Said({}),
        "declines": declines,
        "scores": None,
        "probe": (),
        "stream": None,
        "clock": None,
        "harness": None,
    }
    return Bench(**(given | changes))


def job(kind: SuiteKind, rows: Sequence[Row] = (), **suite: Any) -> Job:
    dataset = None if kind is SuiteKind.HARNESS else "some"
    return Job(kind.value, Suite(kind=kind, dataset=dataset, **suite), tuple(rows), 0.05)


def policy(require: str, alpha: float = 0.05) -> EvaluationPolicy:
    """Return one suite with one gate."""
    return EvaluationPolicy.model_validate(
        {
            "suites": {"facts": {"kind": "regression", "dataset": "some"}},
            "gates": {"gate": {"suite": "facts", "require": require, "alpha": alpha}},
        }
    )


def share(metric: str, k: int, n: int, alpha: float) -> Measured:
    low, high = share_ends(k, n, alpha)
    return Measured(metric, k / n if n else None, low, high, n)


def result(measured: Sequence[Measured], alpha: float = 0.05, **more: Any) -> SuiteResult:
    given: dict[str, Any] = {"baseline": (), "rows": (), "seconds": 1.0}
    return SuiteResult("facts", SuiteKind.REGRESSION, tuple(measured), alpha=alpha, **(given | more))


@dataclass
class Counted:
    """A clock that stands still but for those who wait on it."""

    at: float = 0.0

    def now(self) -> float:
        return self.at

    async def until(self, moment: float) -> None:
        await asyncio.sleep(0)  # what was begun before sees the time before
        self.at = max(self.at, moment)


def streamed(clock: Counted, end: Callable[[float], float], failure: str | None = None) -> Any:
    """Return a stream that ends a request begun at some time when `end` says."""

    async def answer(_served: str, question: str, _most: int) -> Timed:
        begun = clock.now()
        return Timed(question.upper(), begun, end(begun), 4, failure)

    return answer


def harness(*scores: TaskScore) -> Any:
    async def run(_tasks: Tasks) -> Sequence[TaskScore]:
        return scores

    return run


def rows_file(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
