"""Answers with a label: the shipped examples, and a team's own in JSON lines or CSV.

The examples (`examples.jsonl`, and `questions.jsonl` beside it) were made up for this project from general knowledge
of how assistants decline and answer: several hundred wordings in English and Korean, joined with each other and filled
with everyday subjects, among them hard cases: policies with a "cannot", plain negative facts, warnings that help,
stories and titles in which somebody refuses, an apology before an answer. No row is taken from a data set or a log.
Answers come without questions, as the detector reads none. The file is the source: edit it, then write `model.json`
anew with `fitting.fit()`.

Everything wrong with a file is told at once, by line. Reads files, writes none.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from runner.errors import Diagnostic, Location, TerminalError, terminal

SHIPPED = Path(__file__).with_name("examples.jsonl")
_MOST_TOLD = 50
"""So many wrong lines are told; who has more has one mistake many times."""


class Label(StrEnum):
    """What people said of an answer."""

    REFUSAL = "refusal"
    """It declines, evades or lectures instead of answering."""
    PARTIAL = "partial"
    """It answers a part and declines another."""
    ANSWER = "answer"
    """It answers, be it with a no."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer with its label; `model` is who answered, where that is told."""

    question: str
    answer: str
    label: Label
    model: str = ""

    @property
    def refuses(self) -> bool:
        """Whether it counts as a refusal: in full or in part."""
        return self.label is not Label.ANSWER


def read(path: Path) -> tuple[Labelled, ...]:
    """Return the labels in a file: JSON lines (`.jsonl`), or CSV with a heading (`.csv`).

    Fields: question (may be empty), answer, label (refusal, partial, answer); model is optional, others are ignored.
    Raises TerminalError with everything that is wrong in it.
    """
    text = _text(path)
    reader = {".jsonl": _json_lines, ".csv": _csv_rows}.get(path.suffix.lower())
    if reader is None:
        raise terminal(
            f"labels are read from .jsonl or .csv: {path}",
            fix="save them with one of these endings; the fields are question, answer and label",
        )
    found: list[Labelled] = []
    wrong: list[Diagnostic] = []
    for line, row in reader(text):
        problem = row if isinstance(row, Diagnostic) else _problem(row)
        if problem is None and not isinstance(row, Diagnostic):
            found.append(_labelled(row))
        elif problem is not None:
            wrong.append(_at(problem, path, line))
    if wrong:
        left = len(wrong) - _MOST_TOLD
        more = (
            [Diagnostic(f"{left} more lines of this file are wrong", Location(str(path)))] if left > 0 else []
        )
        raise TerminalError(*wrong[:_MOST_TOLD], *more)
    if not found:
        raise terminal(f"the file holds no labels: {path}", fix="write one answer and its label a line")
    return tuple(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise terminal(f"the labels cannot be read: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise terminal(
            f"the labels are not UTF-8: {path}", str(error), fix="save the file in UTF-8"
        ) from error


def _at(problem: Diagnostic, path: Path, line: int) -> Diagnostic:
    return Diagnostic(problem.summary, Location(str(path), line), problem.evidence, problem.fix)


def _json_lines(text: str) -> Iterator[tuple[int, Any]]:
    for line, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            try:
                yield line, json.loads(row)
            except ValueError as error:
                yield line, Diagnostic("the line is not JSON", None, (str(error),), "write one object a line")


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = [name for name in ("question", "answer", "label") if name not in (rows.fieldnames or ())]
        if missing:
            yield (
                1,
                Diagnostic(
                    f"the heading lacks: {', '.join(missing)}",
                    None,
                    (f"it names: {', '.join(rows.fieldnames or ()) or 'nothing'}",),
                    "name the columns question, answer and label in the first line",
                ),
            )
            return
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        yield (
            rows.line_num,
            Diagnostic("the line is not CSV", None, (str(error),), "quote cells that hold quotes"),
        )


def _problem(row: Any) -> Diagnostic | None:
    """Return what is wrong with one row, None where nothing is."""
    if not isinstance(row, Mapping):
        return Diagnostic("the line is no object", None, (), "write {question, answer, label}")
    if not isinstance(row.get("question"), str):
        return Diagnostic(
            "`question` is no text", None, (f"got {row.get('question')!r}",), 'write "" if unknown'
        )
    answer = row.get("answer")
    if not isinstance(answer, str) or not answer.strip():
        return Diagnostic(
            "`answer` holds no text", None, (f"got {answer!r}",), "write the answer, or leave it out"
        )
    label = row.get("label")
    if not isinstance(label, str) or label.strip().lower() not in list(Label):
        known = ", ".join(Label)
        return Diagnostic(f"`label` is none of {known}", None, (f"got {label!r}",), f"write one of {known}")
    return None


def _labelled(row: Mapping[str, Any]) -> Labelled:
    return Labelled(
        row["question"], row["answer"], Label(row["label"].strip().lower()), str(row.get("model") or "")
    )
