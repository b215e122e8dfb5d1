"""Plots of collecting: one bar against marked levels, and how much of each kind there is.

Made like the others (`plots`): data in, one `<svg>` element out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from runner.report import svg

WIDTH = 480


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something there is and how much is wanted; `lacks` marks what wants attention."""

    name: str
    there: int
    wanted: int
    lacks: bool = False


def filled(there: int, levels: Sequence[tuple[str, int]], title: str) -> str:
    """Return a bar that is filled as far as the collection has come, with its levels marked and named."""
    most = max([there, 1, *(level for _, level in levels)])
    across = svg.scale(0, most, 2, WIDTH - 2)
    body = (
        f'<rect x="2" y="20" width="{WIDTH - 4}" height="16" rx="8" fill="currentColor" fill-opacity=".1"/>'
    )
    if there:
        width = max(across(there) - 2, 8)
        body += f'<rect x="2" y="20" width="{svg.n(width)}" height="16" rx="8" fill="{svg.ink(0)}"/>'
    free = -1.0
    for name, level in sorted(levels, key=lambda each: each[1]):
        at, text = across(level), f"{name} {level}"
        body += f'<path d="M{svg.n(at)} 14V42" stroke="{svg.MARK}" stroke-width="1.5"/>'
        begin = min(max(at - 3.3 * len(text), 0.0), WIDTH - 6.6 * len(text))
        y = 10 if begin >= free else 55
        free = max(free, begin + 6.6 * len(text) + 6)
        body += f'<text class="end" x="{svg.n(begin)}" y="{y}">{escape(text)}</text>'
    told = f"{there} collected; " + ", ".join(f"{name} {level}" for name, level in levels)
    return svg.element(title, told, WIDTH, 60, body)


def amounts(rows: Sequence[Amount], title: str) -> str:
    """Return a bar for each kind, against how much of it is wanted."""
    most = max([1, *(max(row.there, row.wanted) for row in rows)])
    across = svg.scale(0, most, 130, WIDTH - 74)
    body = ""
    for number, row in enumerate(rows):
        y = 8 + 24 * number
        width = across(row.there) - 130
        body += f'<text x="122" y="{y + 12}" text-anchor="end">{escape(row.name.replace("_", " "))}</text>'
        body += (
            f'<rect x="130" y="{y}" width="{svg.n(max(across(row.wanted) - 130, 1))}" height="15" rx="3" '
            'fill="currentColor" fill-opacity=".1"/>'
        )
        if row.there:
            body += (
                f'<rect x="130" y="{y}" width="{svg.n(max(width, 1.5))}" height="15" rx="3" '
                f'fill="{svg.ink(1 if row.lacks else 0)}"/>'
            )
        body += f'<text x="{WIDTH - 2}" y="{y + 12}" text-anchor="end">{row.there} of {row.wanted}</text>'
    told = "; ".join(
        f"{row.name}: {row.there} of {row.wanted}{', thin' if row.lacks else ''}" for row in rows
    )
    return svg.element(title, told or "no data", WIDTH, 16 + 24 * len(rows), body)
