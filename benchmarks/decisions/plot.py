"""Both tables as one picture, written as SVG by hand: nothing else in the project needs a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LABELS, WIDTH, ROW, TOP = 250, 420, 18, 58
SEPARATION = 80
OURS, OTHERS, DESIGN, GOAL = "#2a6f97", "#b5651d", "#222222", "#b00020"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: what was measured, and what the design had measured before."""

    label: str
    value: float | None
    design: float | None
    colour: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One table; `goal` is a vertical line, `greatest` the end of the axis."""

    title: str
    bars: Sequence[Bar]
    goal: float
    greatest: float
    root: bool = False
    """Whether the axis is that of the square root, on which a hundredth is visible beside one."""


def svg(panels: Sequence[Panel]) -> str:
    """Return the panels side by side."""
    rows = max(len(panel.bars) for panel in panels)
    width, height = len(panels) * (LABELS + WIDTH + SEPARATION), TOP + ROW * rows + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, number * (LABELS + WIDTH + SEPARATION) + 10)
    parts.append(
        f'<text x="10" y="{height - 12}" fill="#444">bar: measured; '
        "black tick: figure of the design; red line: goal</text></svg>"
    )
    return "\n".join(parts) + "\n"


def _panel(panel: Panel, left: float) -> list[str]:
    start = left + LABELS
    bottom = TOP + ROW * len(panel.bars)
    parts = [f'<text x="{left}" y="22" font-size="15" font-weight="bold">{escape(panel.title)}</text>']
    for tick in _ticks(panel):
        x = start + _at(panel, tick)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP - 10}" text-anchor="middle" fill="#444">{tick:g}</text>')
    for row, bar in enumerate(panel.bars):
        parts += _bar(panel, bar, left, TOP + ROW * row)
    x = start + _at(panel, panel.goal)
    parts.append(
        f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="{GOAL}" stroke-width="1.5"/>'
    )
    return parts


def _bar(panel: Panel, bar: Bar, left: float, top: float) -> list[str]:
    start = left + LABELS
    middle = top + ROW / 2 + 4
    parts = [f'<text x="{start - 8}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>']
    if bar.value is not None:
        length = _at(panel, bar.value)
        parts.append(
            f'<rect x="{start}" y="{top + 3}" width="{max(length, 0.8):.1f}" height="{ROW - 6}" fill="{bar.colour}"/>'
        )
        parts.append(f'<text x="{start + length + 6:.1f}" y="{middle}" fill="#444">{bar.value:.3g}</text>')
    if bar.design is not None:
        x = start + _at(panel, bar.design)
        parts.append(
            f'<line x1="{x:.1f}" y1="{top + 1}" x2="{x:.1f}" y2="{top + ROW - 1}" stroke="{DESIGN}" stroke-width="2"/>'
        )
    return parts


def _ticks(panel: Panel) -> Sequence[float]:
    return (0.0, 0.01, 0.1, 0.25, 0.5, 1.0) if panel.root else (0.0, 0.5, 1.0, 1.5, 2.0)


def _at(panel: Panel, value: float) -> float:
    share = min(value, panel.greatest) / panel.greatest
    return float(WIDTH * (share**0.5 if panel.root else share))
