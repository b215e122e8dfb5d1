"""What `loop explain` shows: why a rollout advances, holds or went back, with a table of every comparison.

Formats assessments and records of rollbacks; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from runner.report import figures
from runner.rollout import explain
from runner.rollout.verdict import Assessment, Because, Estimate, Finding, Mismatch, Step, Verdict

Values = Mapping[str, Any]
_HEAD = ("condition", "comparison", "candidate", "baseline", "evidence / needed", "verdict")


def to_text(
    assessment: Assessment | None,
    serving: str,
    rollbacks: Sequence[Values],
    holds: Sequence[Values] = (),
    declared: str | None = None,
) -> str:
    """Return the rollout for a terminal, first what else holds it; without one what serves and the last rollback.

    `serving` is a clause for people, `holds` are those of the status file; `declared` is the candidate in loop.yaml.
    """
    own = [each for each in holds if each["subject"].startswith("rollout ") and not told_by_evidence(each)]
    lines = [line for each in own for line in _hold(each)]
    if assessment is None:
        if declared is not None and not own:
            lines.append(f"loop.yaml declares a rollout of {declared}, and no look has assessed it yet")
        lines.append(serving if own or declared is not None else f"no rollout{_then(serving)}")
    else:
        told = explain.lines(assessment)
        lines += [
            *(told[:-1] if own else told),
            "",
        ]  # the last says what is next, which something else prevents
        lines += [f"as of {figures.moment(assessment.at)}"]
        if assessment.findings:
            lines += figures.table([_HEAD, *(_row(each, assessment) for each in assessment.findings)], "")
    lines += _rollbacks(rollbacks)
    return "\n".join(lines)


def told_by_evidence(hold: Values) -> bool:
    """Return whether a hold says what the assessment says."""
    return hold.get("reason") in ("evidence", "mismatch")


def _then(serving: str) -> str:
    return f"; {serving}" if serving.endswith("serves") else f", and {serving}"


def _hold(hold: Values) -> Iterator[str]:
    yield f"{hold['subject']} is held ({hold['why']}): {hold['text']}"
    if hold.get("next"):
        yield f"  next: {hold['next']}"


def from_json(value: Values) -> Assessment:
    """Read an assessment back from plain JSON values.

    Raises KeyError, TypeError or ValueError where it is none.
    """
    own = dict(value)
    own["step"], own["because"] = Step(own["step"]), Because(own["because"])
    own["findings"] = tuple(_finding(each) for each in own["findings"])
    own["mismatch"] = None if own["mismatch"] is None else Mismatch(**own["mismatch"])
    own["notes"] = tuple(own["notes"])
    missing = {field.name for field in fields(Assessment)} - own.keys()
    if missing:
        raise KeyError(f"{', '.join(sorted(missing))} missing")
    return Assessment(**own)


def _finding(value: Values) -> Finding:
    baseline = None if value["baseline"] is None else Estimate(**value["baseline"])
    parts = {"verdict": Verdict(value["verdict"]), "candidate": Estimate(**value["candidate"])}
    return Finding(**{**value, **parts, "baseline": baseline})


def _row(finding: Finding, assessment: Assessment) -> tuple[str, ...]:
    return (
        finding.condition,
        finding.text,
        figures.estimate(finding.metric, finding.candidate),
        figures.estimate(finding.metric, finding.baseline),
        f"{explain.capital(finding.evidence, assessment.threshold)} / {figures.evidence(assessment.threshold)}",
        finding.verdict.value,
    )


def _rollbacks(found: Iterable[Values]) -> Iterator[str]:
    newest = max(found, key=lambda each: each["at"], default=None)
    if newest is None:
        return
    git = "Git says so" if newest["git"] == "landed" else "not in Git yet"
    yield ""
    yield (
        f"last rollback: {newest['served']} in stage '{newest['stage']}' at {figures.moment(newest['at'])}: "
        f"{newest['condition']} ({git})"
    )
    evidence = newest["evidence"]
    for line in [evidence] if isinstance(evidence, str) else evidence:
        yield f"  {line}"
