"""Writes down an evaluation: the report's files, and last its figures in the version's own file.

Called by `loop evaluate`. Each file appears as a whole; the version's file is written last, so what it says is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import terminal

if TYPE_CHECKING:
    from runner.evaluation.results import Report
    from runner.registry.comparison import Record

KEY = "evaluation"
DIGITS = 6


def write_report(folder: Path, report: Report) -> None:
    """Write evaluation.md, evaluation.xml and evaluation.json into a folder, the last one last. Raises OSError."""
    from runner.report import evaluation, junit

    value = report.to_json()
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "evaluation.md", evaluation.to_markdown(value))
    _replace(folder / "evaluation.xml", junit.to_xml(value))
    _replace(folder / "evaluation.json", json.dumps(value, ensure_ascii=False) + "\n")


def write_card(folder: Path, known: Record, report: Report) -> None:
    """Make the model card again, with this evaluation in it. Raises OSError."""
    from runner.report.card import card

    _replace(folder / "card.md", card(known.model, known.manifest, report.to_json()))


def record(file: Path, report: Report, where: str) -> None:
    """Put the figures into `models/NAME.yaml`; every other byte of it stays. `where` is the report's path in Git.

    Raises TerminalError where the file cannot be edited so.
    """
    text = file.read_text(encoding="utf-8")
    _replace(file, edited(text, section(report, where)))


def section(report: Report, where: str) -> dict[str, Any]:
    """Return the `evaluation:` of a version's file: metrics that conditions can name, by suite, and the gates."""
    from runner.spec.metric import METRICS

    metrics = {
        _named(suite.suite, each.metric): round(each.value, DIGITS)
        for suite in report.suites
        for each in suite.measured
        if each.value is not None and each.metric in METRICS
    }
    return {
        "report": where,
        "metrics": metrics,
        "gates": {each.gate: each.verdict.value for each in report.gates},
    }


def edited(text: str, value: Mapping[str, Any]) -> str:
    """Return a version's file with another `evaluation:`, in its old place or behind `training:`.

    Raises TerminalError where anything else would change by that.
    """
    import yaml

    from runner.git import cut

    before = yaml.safe_load(text)
    block = yaml.safe_dump({KEY: dict(value)}, sort_keys=False, allow_unicode=True, width=110)
    rest, at = text, None
    if KEY in before:
        comments = {line.strip() for line in text.splitlines() if line.lstrip().startswith("#")}
        rest, span = cut.without(text, (KEY,), keep=comments)
        at = span.start
    elif (entry := cut.find(text.removeprefix(cut.MARK), ("training",))) is not None:
        at = cut.line_end(text, entry.end - 1 + len(text) - len(text.removeprefix(cut.MARK)))
    at = len(rest) if at is None else at
    head = rest[:at] if not at or rest[:at].endswith("\n") else f"{rest[:at]}\n"
    written = f"{head}{block}{rest[at:]}"
    if _meaning(written) != {**before, KEY: dict(value)}:
        raise terminal(
            "the version's file cannot be edited without changing more of it",
            fix="write its `evaluation:` in block style, on lines of its own",
        )
    return written


def _meaning(text: str) -> Any:
    """Return what a text says, None where it is not YAML."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _named(suite: str, metric: str) -> str:
    return metric if metric.startswith(suite) else f"{suite}_{metric}"


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
