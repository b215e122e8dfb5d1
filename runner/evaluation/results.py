"""What an evaluation found: measured values with intervals, answers row by row, suites, gates, and the whole report.

Suites make results, gates read them, `loop evaluate` writes the report as evaluation.json; what people read is made of
those JSON values, so that no form can disagree with another. Values only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runner.errors import terminal
from runner.spec.evaluation import SuiteKind
from runner.spec.model import GateVerdict

FORMAT = 1
"""Of evaluation.json; a reader refuses any other."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one version. `low` and `high` are each wrong with a chance of at most the suite's `alpha`.

    `value` is None without data. An end is None where the data cannot bound it. Both ends equal the value where nothing
    was sampled. `n` observations stand behind it; `about` says in words of what. Units are those of conditions: shares
    between 0 and 1, seconds, scores, counts.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a suite with what was answered, and whether that is right; None where it cannot be said.

    The same of the parent, where it was asked. `seconds` is how long the candidate took, where it was timed.
    """

    id: str
    question: str
    answer: str
    parent_answer: str | None
    right: bool | None
    parent_right: bool | None = None
    note: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """What one suite found of the candidate, and of the parent (`baseline`, the same metrics where it was measured).

    `alpha` is the chance with which each end of an interval may be wrong. With an `error` nothing else counts: the
    suite could not be carried through, in words.
    """

    suite: str
    kind: SuiteKind
    measured: tuple[Measured, ...]
    baseline: tuple[Measured, ...]
    rows: tuple[Row, ...]
    seconds: float
    alpha: float
    error: str | None = None

    def of(self, metric: str) -> Measured | None:
        """Return what was measured of the candidate under a name, None where nothing was."""
        return next((each for each in self.measured if each.metric == metric), None)

    def of_baseline(self, metric: str) -> Measured | None:
        """Return what was measured of the parent under a name, None where nothing was."""
        return next((each for each in self.baseline if each.metric == metric), None)


@dataclass(frozen=True, slots=True)
class GateResult:
    """How a gate ended: its condition as written, and the figures that decided it, in words."""

    gate: str
    suite: str
    verdict: GateVerdict
    condition: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Against:
    """What a version was compared with; `digest` is empty for the base model, which has no adapter."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation in full. `dataset_hashes`: data set -> the hash its file had; `seconds` all suites took together.

    `verdict` is that of the worst gate: ERROR, then FAIL, then INCONCLUSIVE; PASS only where every gate passed.
    `base` names the base model, `engine` vLLM's version, `revision` the commit that stood checked out, `at` the day in
    ISO 8601.
    """

    version: str
    digest: str
    against: Against
    base: str
    environment: str
    engine: str
    dataset_hashes: dict[str, str]
    revision: str
    at: str
    seconds: float
    suites: tuple[SuiteResult, ...]
    gates: tuple[GateResult, ...]
    verdict: GateVerdict

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, value: Any, path: str = "evaluation.json") -> Report:
        """Read what `to_json` wrote. Raises TerminalError where it is something else, naming `path`."""
        try:
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']!r}, not {FORMAT}")
            return TypeAdapter(cls).validate_python(value)
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise terminal(
                f"{path} is no report of an evaluation",
                str(error).splitlines()[0],
                fix="make it again: `loop evaluate`",
            ) from error


def worst(verdicts: Iterable[GateVerdict]) -> GateVerdict:
    """Return the verdict of all gates together; INCONCLUSIVE where there is none, for no data is never PASS."""
    found = set(verdicts)
    for each in (GateVerdict.ERROR, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE):
        if each in found:
            return each
    return GateVerdict.PASS if found else GateVerdict.INCONCLUSIVE
