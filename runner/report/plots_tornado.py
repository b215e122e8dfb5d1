"""The tornado: what each assumption does to one figure, at its least and at its most, the greatest swing on top.

`report.cost` draws it. What an assumption does at its least is a filled bar, at its most an outlined one. Pure; the
plot does not know what its numbers mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from runner.report import svg

Words = Callable[[float], str]
_WIDTH, _LEFT, _RIGHT = 520.0, 250.0, 462.0
"""Bars lie between `_LEFT` and `_RIGHT`, with room for their figures on both sides."""
_TOP, _ROW, _BAR, _LINE = 20.0, 34.0, 16.0, 14.0
_LONGEST = 28
"""Characters of a name that have room; the description has all."""
STYLE = (
    f"svg{{color:{svg.MARK}}}text{{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:currentColor}}"
    ".end{font-size:11px}"
)
"""For a picture of its own: text takes this grey, which any page can show."""


@dataclass(frozen=True, slots=True)
class Row:
    """One assumption: its name, what it ranges over, and the change at its least and at its most."""

    name: str
    ranges: str
    at_low: float
    at_high: float


def tornado(
    rows: Sequence[Row], title: str, words: Words, marks: Sequence[tuple[float, str]] = (), style: str = ""
) -> str:
    """Return the plot of rows in their order; `words` writes a change, `marks` are changes that mean something.

    With a `style` it is a picture that needs no page around it.
    """
    marked = sorted(marks)
    top = _TOP + _LINE * len(marked)
    height = top + _ROW * max(len(rows), 1) + 30
    across = _scale(rows, [at for at, _ in marked])
    bottom = top + _ROW * len(rows)
    body = f"<style>{style}</style>" if style else ""
    body += _marks(marked, across, bottom)
    middle = f"M{svg.n(across(0))} {svg.n(top - 6)}V{svg.n(bottom)}"
    body += f'<path d="{middle}" stroke="currentColor" stroke-opacity=".6"/>'
    for number, row in enumerate(rows):
        body += _row(row, top + _ROW * number, across, words)
    body += _legend(bottom + 22)
    told = "; ".join(
        f"{row.name}, {row.ranges}: {words(row.at_low)} at its least, {words(row.at_high)} at its most"
        for row in rows
    )
    levels = "".join(f"; {name} at {words(at)}" for at, name in marked)
    return svg.element(title, (told or "no assumption has a range") + levels, int(_WIDTH), int(height), body)


def _scale(rows: Sequence[Row], marks: Sequence[float]) -> Callable[[float], float]:
    ends = [0.0, *marks, *(end for row in rows for end in (row.at_low, row.at_high))]
    return svg.scale(min(ends), max(ends), _LEFT, _RIGHT)


def _row(row: Row, y: float, across: Callable[[float], float], words: Words) -> str:
    name = row.name if len(row.name) <= _LONGEST else f"{row.name[: _LONGEST - 1]}…"
    body = f'<text x="0" y="{svg.n(y + 11)}">{escape(name)}</text>'
    body += f'<text class="end" x="0" y="{svg.n(y + 25)}">{escape(row.ranges)}</text>'
    same = row.at_low * row.at_high > 0
    outer = max(row.at_low, row.at_high, key=abs)
    for change, filled in ((row.at_low, True), (row.at_high, False)):
        body += _bar(change, y + 3, across, filled)
        if change and (not same or change == outer):
            body += _figure(change, y + 15, across, words)
    return body


def _bar(change: float, y: float, across: Callable[[float], float], filled: bool) -> str:
    begin, end = sorted((across(0), across(change)))
    colour = svg.ink(0 if filled else 1)
    fill = "0.75" if filled else "0.12"
    return (
        f'<rect x="{svg.n(begin)}" y="{svg.n(y)}" width="{svg.n(end - begin)}" height="{svg.n(_BAR)}" '
        f'fill="{colour}" fill-opacity="{fill}" stroke="{colour}" stroke-width="1.2"/>'
        if end > begin
        else ""
    )


def _figure(change: float, y: float, across: Callable[[float], float], words: Words) -> str:
    left = change < 0
    x, anchor = (across(change) - 4, "end") if left else (across(change) + 4, "start")
    return f'<text class="end" x="{svg.n(x)}" y="{svg.n(y)}" text-anchor="{anchor}">{escape(words(change))}</text>'


def _marks(marked: Sequence[tuple[float, str]], across: Callable[[float], float], bottom: float) -> str:
    """Return dashed lines through all rows, each with its name on its left, the rightmost on top.

    So no name is crossed by the line of another. One that has no room there stands on the right.
    """
    body = ""
    for number, (at, name) in enumerate(reversed(marked)):
        x, y = across(at), 12 + _LINE * number
        left = x > 6 * len(name)
        where = f'x="{svg.n(x - 5)}" text-anchor="end"' if left else f'x="{svg.n(x + 5)}"'
        body += (
            f'<path d="M{svg.n(x)} {svg.n(y - 9)}V{svg.n(bottom)}" stroke="{svg.MARK}" stroke-opacity=".6" '
            'stroke-width="1.2" stroke-dasharray="4 3"/>'
        )
        body += f'<text class="end" {where} y="{svg.n(y)}">{escape(name)}</text>'
    return body


def _legend(y: float) -> str:
    body = ""
    for number, (name, fill) in enumerate((("at its least", "0.75"), ("at its most", "0.12"))):
        x, colour = _LEFT + 110 * number, svg.ink(number)
        body += (
            f'<rect x="{svg.n(x)}" y="{svg.n(y - 9)}" width="11" height="11" fill="{colour}" fill-opacity="{fill}" '
            f'stroke="{colour}" stroke-width="1.2"/><text class="end" x="{svg.n(x + 17)}" y="{svg.n(y)}">{name}</text>'
        )
    return body
