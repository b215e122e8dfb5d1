"""What `loop data check` shows: every expectation of every data set and how it came out; text, JSON, one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from runner.feedback.expectations.checked import Checked, Line
from runner.report import figures
from runner.report.document import Document, Section, to_html

PASSED, FAILED, ABSENT = "passed", "failed", "not here"


def to_text(checked: Sequence[Checked], absent: Sequence[tuple[str, str]] = ()) -> str:
    """Return one line for each data set, and what is wrong below it; `absent` are names with the reason."""
    width = max(
        (len(name) for name in [*(each.name for each in checked), *(n for n, _ in absent)]), default=0
    )
    lines = [line for each in checked for line in _text(each, width)]
    lines += [f"{name:<{width}}  {ABSENT}: {why}" for name, why in absent]
    return "\n".join(lines)


def to_json(checked: Sequence[Checked], absent: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return the same as plain JSON values."""
    return {
        "checked": [{**asdict(each), "passed": each.passed} for each in checked],
        "absent": [{"name": name, "why": why} for name, why in absent],
    }


def to_page(checked: Sequence[Checked], absent: Sequence[tuple[str, str]] = ()) -> str:
    """Return the result as one HTML page that loads nothing."""
    good = all(each.passed for each in checked)
    head = Section(
        "Data sets",
        table=(
            ("data set", "result", "rows", "expectations", "file"),
            *(
                (
                    each.name,
                    PASSED if each.passed else FAILED,
                    str(each.rows),
                    f"{len(each.lines) - len(each.failed)} of {len(each.lines)} met",
                    f"{each.path} ({each.hash[:12]})",
                )
                for each in checked
            ),
            *((name, ABSENT, "", "", why) for name, why in absent),
        ),
    )
    sections = (head, *map(_section, sorted(checked, key=lambda each: (each.passed, each.name))))
    return to_html(
        Document(
            "Data sets and what is expected of them", PASSED if good else FAILED, sections, (PASSED, FAILED)
        )
    )


def _section(checked: Checked) -> Section:
    rows = [("expectation", "result", "rows", "not so", "for example")]
    rows += [
        (
            f"{line.column or 'the table'} {line.says}" if line.column else line.says,
            PASSED if line.passed else FAILED,
            str(line.rows) if line.rows else "",
            str(line.bad) if line.bad else "",
            "; ".join(line.examples),
        )
        for line in sorted(checked.lines, key=lambda line: line.passed)
    ]
    counts = ", ".join(f"{name} {count}" for name, count in checked.categories.items())
    lines = (
        f"{checked.rows} rows, checked {figures.moment(checked.at)}",
        *([f"categories: {counts}"] * bool(counts)),
    )
    return Section(checked.name, lines, table=tuple(rows))


def _text(checked: Checked, width: int) -> Iterator[str]:
    met = len(checked.lines) - len(checked.failed)
    word = PASSED if checked.passed else FAILED
    yield f"{checked.name:<{width}}  {word}: {met} of {len(checked.lines)} expectations, {checked.rows} rows"
    for line in checked.failed:
        yield f"  {_broken(line)}"
        for example in line.examples:
            yield f"    {example}"


def _broken(line: Line) -> str:
    subject = f"{line.column} {line.says}" if line.column else line.says
    return f"not so: {subject}" + (f" ({line.bad} of {line.rows} rows)" if line.bad else "")
