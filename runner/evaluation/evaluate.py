"""Carries the suites of a policy through, one after the other, and lets the gates decide.

Called by `loop evaluate`, which starts the engine and writes the report. A suite that fails is an ERROR of its own and
keeps no other from being run; an engine that is gone ends everything, and what was answered stays kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from runner.errors import LoopError, terminal
from runner.evaluation import gates, suites
from runner.evaluation.bench import Bench, Job, Tasks
from runner.evaluation.exact_match import Found, answered, forgotten
from runner.evaluation.load import load
from runner.evaluation.marking import Row
from runner.evaluation.parity import parity
from runner.evaluation.preference_port import PreferenceJob
from runner.evaluation.results import Measured, SuiteResult
from runner.spec.evaluation import EvaluationPolicy, SuiteKind
from runner.stats.exact import share_ends

Alive = Callable[[], Awaitable[None]]
"""Returns while the engine lives. Raises LoopError where it does not."""
Tell = Callable[[str], None]
SEGMENTS: Final = ("category", "language")
"""Columns of a data set by which figures may be split."""


@dataclass(frozen=True, slots=True)
class Order:
    """The suites that are to be carried through, in order, and the data sets by name.

    `files` has each data set's file, `hashes` DVC's hash of it as declared, where one is.
    """

    policy: EvaluationPolicy
    names: tuple[str, ...]
    files: Mapping[str, Path]
    hashes: Mapping[str, str]

    def job(self, name: str) -> Job:
        """Return a suite with its rows. Raises TerminalError where they cannot be read, or are others than declared."""
        suite, policy = self.policy.suites[name], self.policy
        path = None if suite.dataset is None else self.files[suite.dataset]
        return Job(
            name=name,
            suite=suite,
            rows=() if path is None else self._rows(name, str(suite.dataset), path),
            alpha=gates.alpha_of(policy, name),
            compared=gates.compares(policy, name),
            segments={} if path is None else _segments(path),
        )

    def _rows(self, name: str, dataset: str, path: Path) -> tuple[Row, ...]:
        found = tuple(suites.load(path, name, self.policy.suites[name]))
        declared = self.hashes.get(dataset)
        if declared is not None and (actual := _md5(path)) != declared:
            raise terminal(
                f"data set '{dataset}' is not the declared one",
                f"declared {declared}, found {actual}",
                fix="fetch it: `dvc pull`, or declare the hash of what is here",
            )
        if not found:
            raise terminal(f"data set '{dataset}' has no rows")
        return found


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _segments(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        rows: Iterable[dict[str, Any]] = [json.loads(line) for line in lines]
    return {
        str(row["id"]): {name: str(row[name]) for name in SEGMENTS if name in row}
        for row in rows
        if "id" in row
    }


async def run(order: Order, bench: Bench, alive: Alive, tell: Tell) -> tuple[SuiteResult, ...]:
    """Carry the suites through. Raises LoopError where the engine is gone."""
    found = []
    for name in order.names:
        tell(f"{name}: {order.policy.suites[name].kind.value}")
        result = await _one(order, name, bench, tell)
        if result.error is not None:
            await alive()
            tell(f"{name}: {result.error}")
        found.append(result)
    return tuple(found)


async def _one(order: Order, name: str, bench: Bench, tell: Tell) -> SuiteResult:
    started, suite = time.monotonic(), order.policy.suites[name]
    try:
        result = await _carried(order.job(name), bench, tell)
    except LoopError as error:
        first = error.diagnostics[0]
        said = "; ".join([first.summary, *first.evidence[:1], *([f"fix: {first.fix}"] if first.fix else [])])
        result = SuiteResult(name, suite.kind, (), (), (), 0.0, gates.alpha_of(order.policy, name), said)
    return replace(result, seconds=round(time.monotonic() - started, 3))


async def _carried(job: Job, bench: Bench, tell: Tell) -> SuiteResult:
    if job.suite.kind is SuiteKind.WIN_RATE:
        from runner.evaluation.preference.suite import win_rate

        return await win_rate(_preference(job, bench, tell))
    found = await _SUITES[job.suite.kind](job, bench)
    return SuiteResult(job.name, job.suite.kind, found.measured, found.baseline, found.rows, 0.0, job.alpha)


def _preference(job: Job, bench: Bench, tell: Tell) -> PreferenceJob:
    who = bench.opinions
    return PreferenceJob(
        name=job.name,
        suite=job.suite,
        rows=job.rows,
        candidate=bench.candidate,
        parent=bench.parent,
        ask=bench.answers,
        declines=bench.declines,
        alpha=job.alpha,
        judge=who.judge,
        judge_client=who.judge_client,
        calibration=who.calibration,
        calibrations=who.calibrations,
        told=lambda done, of: tell(f"{job.name}: {done} of {of} judged"),
        segments=job.segments,
        ballots=who.ballots,
    )


async def _tasks(job: Job, bench: Bench) -> Found:
    """Run public tasks; `accuracy` is the share of all their questions that are answered right. Raises LoopError."""
    scores = await bench.harness(Tasks(job.suite.tasks, bench.candidate, job.suite.questions))
    measured = [
        Measured(f"accuracy_{each.task}", *_share(each.right, each.n, job.alpha), each.n) for each in scores
    ]
    right, n = sum(each.right for each in scores), sum(each.n for each in scores)
    about = f"{right} of {n} questions of {', '.join(job.suite.tasks)}"
    whole = Measured("accuracy", *_share(right, n, job.alpha), n, about)
    return Found((whole, *measured), (), ())


def _share(right: int, n: int, alpha: float) -> tuple[float | None, float, float]:
    low, high = share_ends(right, n, alpha)
    return (right / n if n else None), low, high


_SUITES: Final[Mapping[SuiteKind, Callable[[Job, Bench], Awaitable[Found]]]] = {
    SuiteKind.REGRESSION: answered,
    SuiteKind.OOD: answered,
    SuiteKind.ADVERSARIAL: answered,
    SuiteKind.FORGETTING: forgotten,
    SuiteKind.PARITY: parity,
    SuiteKind.LOAD: load,
    SuiteKind.HARNESS: _tasks,
}
