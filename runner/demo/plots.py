"""The one picture of the quarter: whose answers customers got over time, stacked, with what happened marked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from runner.report import svg

Across = Callable[[float], float]
WIDTH, HEIGHT = 400, 236
LEFT, RIGHT, TOP, BOTTOM = 44.0, 392.0, 62.0, 206.0


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, in a few words; `at` is seconds from the beginning."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One version: how many answers it gave in each step of time."""

    version: str
    counts: tuple[int, ...]


def shares(layers: Sequence[Layer], step_s: float, marks: Sequence[Mark]) -> str:
    """Return what share of answers each version gave, step by step; steps without answers stay empty."""
    steps = max((len(layer.counts) for layer in layers), default=0)
    title = "Whose answers customers got"
    if not steps:
        return svg.element(title, "no answers", WIDTH, HEIGHT, svg.rule(LEFT, RIGHT, BOTTOM))
    across = svg.scale(0.0, steps * step_s, LEFT, RIGHT)
    up = svg.scale(0.0, 1.0, BOTTOM, TOP)
    body = "".join(_column(layers, step, step_s, across, up) for step in range(steps))
    body += "".join(_value(share, up) for share in (0.0, 0.5, 1.0))
    body += "".join(_minute(minute, across) for minute in range(0, int(steps * step_s // 60) + 1, 2))
    body += "".join(_mark(number, mark, across) for number, mark in enumerate(marks))
    told = "; ".join(f"{layer.version}: {sum(layer.counts)} answers" for layer in layers)
    return svg.element(title, told, WIDTH, HEIGHT, body + _legend(layers))


def _column(layers: Sequence[Layer], step: int, step_s: float, across: Across, up: Across) -> str:
    counts = [layer.counts[step] if step < len(layer.counts) else 0 for layer in layers]
    total, below, body = sum(counts), 0, ""
    begin, end = across(step * step_s), across((step + 1) * step_s)
    for series, count in enumerate(counts):
        if count:
            high, low = up((below + count) / total), up(below / total)
            body += (
                f'<rect x="{svg.n(begin)}" y="{svg.n(high)}" width="{svg.n(max(end - begin - 0.2, 0.5), 2)}" '
                f'height="{svg.n(low - high)}" fill="{svg.ink(series)}" fill-opacity=".8"/>'
            )
        below += count
    return body


def _value(share: float, up: Across) -> str:
    y = up(share)
    text = f'<text x="{svg.n(LEFT - 6)}" y="{svg.n(y + 4)}" text-anchor="end">{share:.0%}</text>'
    return svg.rule(LEFT, RIGHT, y) + text


def _minute(minute: int, across: Across) -> str:
    return f'<text x="{svg.n(across(minute * 60.0))}" y="{svg.n(BOTTOM + 18)}">{minute} min</text>'


def _mark(number: int, mark: Mark, across: Across) -> str:
    """Return an upright line with its number; the words stand in the legend of the page, where there is room."""
    x = across(mark.at)
    y = TOP - 8 - 12 * (number % 3)
    line = (
        f'<path d="M{svg.n(x)} {svg.n(y + 3)}V{svg.n(BOTTOM)}" stroke="currentColor" stroke-dasharray="3 3"/>'
    )
    return f'{line}<text x="{svg.n(x + 3)}" y="{svg.n(y + 8)}">{number + 1}<title>{escape(mark.words)}</title></text>'


def _legend(layers: Sequence[Layer]) -> str:
    body, x = "", LEFT
    for series, layer in enumerate(layers):
        body += f'<rect x="{svg.n(x)}" y="4" width="12" height="12" rx="2" fill="{svg.ink(series)}" fill-opacity=".8"/>'
        body += f'<text x="{svg.n(x + 18)}" y="14">{escape(layer.version)}</text>'
        x += 34 + 7 * len(layer.version)
    return body
