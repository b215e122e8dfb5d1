"""Checks a share of logged answers against reference facts and records what they say; asks no engine.

Called by `loop signals sample`. The checking itself is `runner.signals.facts`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import terminal
from runner.evaluation.choice import Answered, Detector
from runner.evaluation.sample_log import Examined, SampleLog, quoted
from runner.signals.facts.check import Check, check
from runner.signals.facts.decision import Verdict
from runner.signals.facts.reference import Reference, read

NAMED = 5
"""Contradicted statements that evidence names at most."""
LONGEST = 8_000
"""Characters of a question and of an answer that are checked; what users and models write has no end of its own."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a run came to: answers checked, statements that facts speak of, and how many of these they support."""

    examined: int
    covered: int
    supported: int
    contradicted: tuple[str, ...]
    """Requests with an answer that facts contradict."""

    @property
    def value(self) -> float | None:
        """Share of the covered statements that is supported; None without any."""
        return self.supported / self.covered if self.covered else None


def load(path: Path) -> Reference:
    """Read the facts of a data set, JSON lines or CSV. Raises TerminalError where they cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = (
                list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]
            )
    except FileNotFoundError:
        raise terminal(f"the reference facts are not here: {path}", fix="fetch them: `dvc pull`") from None
    except (OSError, ValueError) as error:
        raise terminal(f"the reference facts cannot be read: {path}", str(error)) from error
    return read((row for row in rows if isinstance(row, dict)), str(path))


def verify(
    answers: Sequence[Answered],
    reference: Reference,
    log: SampleLog,
    told: Callable[[int, int], None] = lambda _done, _of: None,
) -> Verified:
    """Check every answer and record it. Raises LogUnwritable."""
    covered = supported = 0
    contradicted: list[str] = []
    for done, each in enumerate(answers):
        found = check(reference, each.question[:LONGEST], each.answer[:LONGEST])
        log.append(each, Detector.FACTUAL, _examined(found))
        covered += found.covered
        supported += sum(statement.verdict is Verdict.SUPPORTED for statement in found.statements)
        if any(statement.verdict is Verdict.CONTRADICTED for statement in found.statements):
            contradicted.append(each.request_id)
        told(done + 1, len(answers))
    return Verified(len(answers), covered, supported, tuple(contradicted))


def _examined(found: Check) -> Examined:
    wrong = [each for each in found.statements if each.verdict is Verdict.CONTRADICTED]
    evidence = [{"statement": quoted(each.text), "fact": quoted(each.fact)} for each in wrong[:NAMED]]
    return Examined(found.value, found.covered, {"contradicted": evidence} if evidence else {})
