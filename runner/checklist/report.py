"""The checklist as text, Markdown, one HTML file and JSON. Made from the judged points; it decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from runner.checklist.points import Area, Checked, Finding, Link, Point, Where
from runner.report import document, figures
from runner.report.document import Document, Section
from runner.spec.model import GateVerdict

FORMAT = 1
"""Of the JSON; raised when a field changes its meaning."""
SHOWN = 3
"""Links of one finding that a line names; JSON has all."""
_WORDS = tuple(verdict.value for verdict in GateVerdict)


def to_json(checked: Checked) -> dict[str, Any]:
    """Return the checklist as plain JSON values; `at` is in seconds since 1970."""
    return {
        "format": FORMAT,
        "environment": checked.environment,
        "at": checked.at,
        "revision": checked.revision,
        "verdict": checked.verdict.value,
        "counts": _counts(checked.points),
        "points": [_point(point) for point in checked.points],
    }


def to_text(checked: Checked) -> str:
    """Return the checklist for a terminal."""
    return "\n".join([headline(checked), *_lines(checked)])


def to_markdown(checked: Checked) -> str:
    """Return the checklist as Markdown."""
    return document.to_markdown(_document(checked))


def to_html(checked: Checked) -> str:
    """Return the checklist as one HTML file that loads nothing."""
    return document.to_html(_document(checked))


def sections(checked: Checked) -> tuple[Section, ...]:
    """Return a section with all points, then one for each, for a document of one's own."""
    rows = [("part", "point", "verdict")]
    rows += [(point.area.value, point.wants, point.verdict.value) for point in checked.points]
    return (Section("All points", (headline(checked),), table=rows), *map(_section, checked.points))


def headline(checked: Checked) -> str:
    """Return one line: environment, verdict, how many points ended how, and at which revision."""
    counted = ", ".join(f"{count} {name}" for name, count in _counts(checked.points).items() if count)
    at = f"at {figures.moment(checked.at)}" + (f", {checked.revision[:12]}" if checked.revision else "")
    return f"{checked.environment}: {checked.verdict.value}: {counted}, {at}"


def _counts(points: Iterable[Point]) -> dict[str, int]:
    found = Counter(point.verdict.value for point in points)
    return {name: found[name] for name in _WORDS}


def _point(point: Point) -> dict[str, Any]:
    return {
        "id": point.id,
        "area": point.area.value,
        "wants": point.wants,
        "verdict": point.verdict.value,
        "findings": [_finding(each) for each in point.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "wants": finding.wants,
        "verdict": finding.verdict.value,
        "says": finding.says,
        "links": [{"kind": link.kind.value, "where": link.where} for link in finding.links],
        "next": finding.next,
    }


def _lines(checked: Checked) -> Iterator[str]:
    for area in Area:
        yield f"\n{area.value}"
        for point in (each for each in checked.points if each.area is area):
            yield f"  {point.verdict.value:<12}  {point.wants}"
            for finding in point.findings:
                yield from _told(finding)


def _told(finding: Finding) -> Iterator[str]:
    mark = "+" if finding.verdict is GateVerdict.PASS else "-"
    yield f"      {mark} {finding.wants}: {finding.says}"
    if finding.links:
        yield f"        see {_see(finding.links)}"
    if finding.next:
        yield f"        next: {finding.next}"


def _see(links: Iterable[Link]) -> str:
    named = list(dict.fromkeys(map(str, links)))
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return ", ".join(named[:SHOWN]) + more


def _document(checked: Checked) -> Document:
    title = f"Checklist of {checked.environment}, {figures.moment(checked.at)}"
    return Document(title, checked.verdict.value, sections(checked), _WORDS)


def _section(point: Point) -> Section:
    rows: list[tuple[str, ...]] = [("wants", "verdict", "what is shown", "where, or what to do")]
    rows += [
        (each.wants, each.verdict.value, each.says, each.next or _where(each.links))
        for each in point.findings
    ]
    return Section(point.wants[:1].upper() + point.wants[1:], table=rows)


def _where(links: Sequence[Link]) -> str:
    """Return where evidence stands; what is a page of the web leads there."""
    address = next((link.where for link in links if link.kind is Where.PAGE), "")
    return document.Link(_see(links), address) if address else _see(links)
