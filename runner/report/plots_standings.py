"""Plots of the standings: intervals of several versions under each other on one scale.

Made like the others (`plots`): data in, one `<svg>` element out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from runner.report import svg
from runner.report.plots import Span, Words

WIDTH = 480
_NAMES, _END = 150.0, 470.0
"""Where the names end and the scale begins, and where the scale ends."""
_LEGEND, _HEAD, _FOOT, _LINE, _GAP = 20.0, 6.0, 26.0, 16.0, 12.0


@dataclass(frozen=True, slots=True)
class Row:
    """One name with a value and interval of each series, None where a series has none of it."""

    name: str
    spans: tuple[Span | None, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """The scale that all rows share: the line that they are compared with, and how values are written."""

    even: float
    words: Words
    low: float | None = None
    high: float | None = None
    """Ends of the scale; as far as the intervals reach where absent."""


def forest(rows: Sequence[Row], series: Sequence[str], field: Field, title: str) -> str:
    """Return the intervals of the rows, one line for each series, beside the line that they are compared with."""
    top = _HEAD + (_LEGEND if len(series) > 1 else 0.0)
    height = round(top + _FOOT + sum(_LINE * len(row.spans) + _GAP for row in rows))
    if not rows:
        return svg.element(title, "no data", WIDTH, 34, svg.rule(_NAMES, _END, 17))
    low, high = _reach(rows, field)
    across = svg.scale(low, high, _NAMES + 4, _END - 4)
    body = _legend(series)
    middle = svg.n(across(field.even))
    bottom = height - _FOOT
    body += (
        f'<path d="M{middle} {svg.n(top)}V{svg.n(bottom)}" stroke="{svg.MARK}" stroke-width="1.3" '
        'stroke-dasharray="5 4"/>'
    )
    y = top
    for row in rows:
        body += _row(row, y, across)
        y += _LINE * len(row.spans) + _GAP
    body += svg.rule(_NAMES, _END, bottom) + _numbers(low, high, field, across, bottom + 16)
    return svg.element(title, _told(rows, series, field), WIDTH, height, body)


def _reach(rows: Sequence[Row], field: Field) -> tuple[float, float]:
    ends = [
        end
        for row in rows
        for span in row.spans
        if span is not None
        for end in (span.value, span.low, span.high)
        if end is not None and math.isfinite(end)
    ]
    low, high = min([field.even, *ends]), max([field.even, *ends])
    room = 0.06 * (high - low) or 1.0
    return (
        low - room if field.low is None else field.low,
        high + room if field.high is None else field.high,
    )


def _legend(series: Sequence[str]) -> str:
    body, x = "", _NAMES
    for number, name in enumerate(series):
        if len(series) > 1:
            body += svg.dot(x + 5, 9, "4.5", svg.ink(number))
            body += f'<text x="{svg.n(x + 15)}" y="13">{escape(name)}</text>'
            x += 32 + 6.6 * len(name)
    return body


def _row(row: Row, top: float, across: Callable[[float], float]) -> str:
    middle = top + (_GAP + _LINE * len(row.spans)) / 2
    name = row.name if len(row.name) <= 21 else f"{row.name[:20]}…"
    body = f'<text x="{svg.n(_NAMES - 8)}" y="{svg.n(middle + 4)}" text-anchor="end">{escape(name)}</text>'
    for number, span in enumerate(row.spans):
        y = top + _GAP / 2 + _LINE * (number + 0.5)
        body += svg.rule(_NAMES, _END, y)
        if span is None or span.value is None:
            continue
        if span.low is not None and span.high is not None:
            begin, end = across(span.low), across(span.high)
            dash = f' stroke="{svg.ink(number)}" stroke-dasharray="3 2"' if number else ""
            body += (
                f'<rect x="{svg.n(begin)}" y="{svg.n(y - 4)}" width="{svg.n(max(end - begin, 1.5))}" height="8" '
                f'rx="4" fill="{svg.ink(number)}" fill-opacity=".32"{dash}/>'
            )
        body += svg.dot(across(span.value), y, "4.5", svg.ink(number))
    return body


def _numbers(low: float, high: float, field: Field, across: Callable[[float], float], y: float) -> str:
    """Return the numbers below: both ends, and the line in the middle where it has room."""
    body = f'<text class="end" x="{svg.n(_NAMES)}" y="{svg.n(y)}">{escape(field.words(low))}</text>'
    body += f'<text class="end" x="{svg.n(_END)}" y="{svg.n(y)}" text-anchor="end">{escape(field.words(high))}</text>'
    at = across(field.even)
    if _NAMES + 55 < at < _END - 55:
        even = escape(field.words(field.even))
        body += f'<text class="end" x="{svg.n(at)}" y="{svg.n(y)}" text-anchor="middle">{even}</text>'
    return body


def _told(rows: Sequence[Row], series: Sequence[str], field: Field) -> str:
    told = []
    for row in rows:
        for name, span in zip(series, row.spans, strict=True):
            if span is None or span.value is None:
                continue
            whose = f"{row.name}, {name}" if len(series) > 1 else row.name
            ends = ""
            if span.low is not None and span.high is not None:
                ends = f", {field.words(span.low)} to {field.words(span.high)}"
            told.append(f"{whose}: {field.words(span.value)}{ends}")
    return "; ".join(told) or "no data"
