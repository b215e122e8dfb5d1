"""Small plots as SVG text, for the monitor page and the HTML report: data in, one `<svg>` element out.

A plot loads nothing, runs nothing and needs no style sheet: colours stand in attributes, in middle tones that
contrast with white and with near-black alike. `STYLE` refines them where a page may include it. Each is an image
with a name (`title`) and its figures in words (`desc`), and two series differ in line or fill, not by colour alone.
Pure; no plot knows what its numbers mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from runner.report import svg

Number = float | None
Words = Callable[[float], str]

STYLE = """
.plot{display:block;width:100%;height:auto;overflow:visible}
.plot text{font-size:12px;fill:currentColor;opacity:.72;font-variant-numeric:tabular-nums}
.plot .end{font-size:11px}
"""


@dataclass(frozen=True, slots=True)
class Dot:
    """One step of a line: where, its value, and the ends of a band around it; None where there is no data."""

    at: float
    value: Number
    low: Number = None
    high: Number = None


@dataclass(frozen=True, slots=True)
class Span:
    """A value and the ends of its interval; None where there is none."""

    value: Number
    low: Number = None
    high: Number = None


@dataclass(frozen=True, slots=True)
class Scale:
    """What a bar reaches from and to, and the limits that are marked across it.

    Where `ticks` writes numbers, the ends and the marks have theirs below them.
    """

    low: float
    high: float
    marks: tuple[float, ...] = ()
    ticks: Words | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One line over time: its name ("" where it stands alone), its steps, and the value of all of them together."""

    name: str
    dots: tuple[Dot, ...]
    whole: Span = Span(None)
    series: int = 0
    """Its colour; from 1 on it is dashed."""


@dataclass(frozen=True, slots=True)
class Axis:
    """How values are written (`words`), and round ones on the axis (`ticks`, else as `words`); named levels across."""

    words: Words = lambda value: f"{value:.4g}"
    ticks: Words | None = None
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """One histogram: ascending upper edges, a count for each, and what it is called."""

    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def sparkline(
    values: Sequence[Number], title: str, words: Words = lambda value: f"{value:.4g}", series: int = 0
) -> str:
    """Return a word-sized line of values in order; a gap where one is None, a dot where the line ends."""
    known = [value for value in values if value is not None]
    if not known:
        return svg.element(title, "no data", 120, 28, svg.rule(0, 120, 14))
    low, high = min(known), max(known)
    across = svg.scale(0, max(len(values) - 1, 1), 3, 117)
    up = svg.scale(low, high, 24, 4) if high > low else (lambda _value: 14.0)
    dots = [None if value is None else (across(step), up(value)) for step, value in enumerate(values)]
    last = next(dot for dot in reversed(dots) if dot is not None)
    told = f"from {words(known[0])} to {words(known[-1])}; lowest {words(low)}, highest {words(high)}"
    body = _line(dots, svg.ink(series), "1.4") + svg.dot(*last, "2.4", svg.ink(series))
    return svg.element(title, told, 120, 28, body)


def interval(
    span: Span, scale: Scale, title: str, words: Words = lambda value: f"{value:.4g}", series: int = 0
) -> str:
    """Return a value with its interval on a scale from left to right; what lies outside it is cut off at its end."""
    left, right = 4.0, 236.0
    ticks = scale.ticks
    height = 18 if ticks is None else 34
    across = svg.scale(scale.low, scale.high, left, right)
    body = svg.rule(left - 2, right + 2, 9)
    for mark in scale.marks:
        at = svg.n(across(mark))
        body += f'<path d="M{at} 1V17" stroke="{svg.MARK}" stroke-width="1.2" stroke-dasharray="2 2"/>'
    if ticks is not None:
        body += _below(scale, across, ticks)
    limits = ""
    if ticks is not None and scale.marks:
        limits = f"; {'limit' if len(scale.marks) == 1 else 'limits'} at {', '.join(map(ticks, scale.marks))}"
    if span.value is None:
        return svg.element(title, f"no data{limits}", 240, height, body)
    told = words(span.value)
    if span.low is not None and span.high is not None:
        begin, end = across(span.low), across(span.high)
        told = f"{told}, between {words(span.low)} and {words(span.high)}"
        body += (
            f'<rect x="{svg.n(begin)}" y="5" width="{svg.n(max(end - begin, 1.5))}" height="8" rx="4" '
            f'fill="{svg.ink(series)}" fill-opacity=".32"/>'
        )
    body += svg.dot(across(span.value), 9, "4.5", svg.ink(series))
    return svg.element(title, told + limits, 240, height, body)


def _below(scale: Scale, across: Callable[[float], float], ticks: Words) -> str:
    """Return the numbers under a scale; a mark whose number has no room between the others keeps its line alone."""
    low, high = ticks(scale.low), ticks(scale.high)
    body = f'<text class="end" x="2" y="30">{escape(low)}</text>'
    body += f'<text class="end" x="238" y="30" text-anchor="end">{escape(high)}</text>'
    free, until = 2 + 6.5 * len(low) + 5, 238 - 6.5 * len(high) - 5
    for mark in sorted(scale.marks):
        at, text = across(mark), ticks(mark)
        half = 3.25 * len(text)
        if at - half >= free and at + half <= until:
            body += f'<text class="end" x="{svg.n(at)}" y="30" text-anchor="middle">{escape(text)}</text>'
            free = at + half + 5
    return body


def histogram(series: Sequence[Bars], title: str, words: Words = lambda value: f"{value:.4g}") -> str:
    """Return histograms over each other, on a logarithmic axis, each as shares of its own total.

    The first is filled, the others are lines: dashed from the second on.
    """
    full = [bars for bars in series if sum(bars.counts) and any(edge > 0 for edge in bars.edges)]
    if not full:
        return svg.element(title, "no data", 400, 150, svg.rule(8, 392, 124))
    lowest = min(_first(bars) for bars in full)
    highest = max(_last(bars) for bars in full)
    across = svg.scale(math.log(lowest), math.log(highest), 8, 392)
    shapes = [_density(bars, across) for bars in full]
    peak = max(height for shape in shapes for _, _, height in shape)
    body = ""
    for number, shape in enumerate(shapes):
        body += _steps(shape, peak, number)
    body += _axis(_ticks(lowest, highest), across, words)
    told = "; ".join(
        f"{bars.name}: {sum(bars.counts)} values, most of them near {words(_mode(bars))}" for bars in full
    )
    return svg.element(title, told, 400, 150, body)


def line(
    dots: Sequence[Dot],
    title: str,
    words: Words = lambda value: f"{value:.4g}",
    when: Words = lambda at: f"{at:.4g}",
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Return values over time with a band around them where they have one, and named levels across.

    `words` writes a value and `when` a moment.
    """
    return lines([Track("", tuple(dots))], title, Axis(words, None, tuple(marks)), when)


LEFT, RIGHT, TOP, BOTTOM = 54.0, 372.0, 34.0, 160.0
"""Where the plot of lines lies within its 400 by 186: values stand left of it, intervals of the whole right of it."""


def lines(tracks: Sequence[Track], title: str, axis: Axis, when: Words = lambda at: f"{at:.4g}") -> str:
    """Return lines over the same time on one axis of values; `when` writes a moment.

    What a track is over the whole time stands right of its line, with its interval.
    """
    drawn = [track for track in tracks if any(dot.value is not None for dot in track.dots)]
    if not drawn:
        return svg.element(title, "no data", 400, 186, svg.rule(LEFT, 392, BOTTOM))
    bottom, top = _range(drawn, [level for level, _ in axis.marks])
    up = svg.scale(bottom, top, BOTTOM, TOP)
    moments = [dot.at for track in drawn for dot in track.dots]
    first, last = min(moments), max(moments)
    across = svg.scale(first, max(last, first + 1e-9), LEFT + 6, RIGHT - 10)
    body = _values_axis(bottom, top, up, axis.ticks or axis.words)
    for number, track in enumerate(drawn):
        body += _track(track, across, up) + _whole(track, RIGHT + 4 + 9 * number, up)
    body += _levels(axis.marks, up) + _legend(drawn)
    body += f'<text x="{svg.n(LEFT)}" y="180">{escape(when(first))}</text>'
    if last > first:
        body += f'<text x="392" y="180" text-anchor="end">{escape(when(last))}</text>'
    told = "; ".join(_told(track, axis.words, when) for track in drawn)
    levels = "".join(f"; {name} at {axis.words(level)}" for level, name in axis.marks)
    return svg.element(title, told + levels, 400, 186, body)


def _range(tracks: Sequence[Track], levels: Sequence[float]) -> tuple[float, float]:
    """Return where the axis begins and ends: at zero, unless everything lies far above it or some below."""
    dots = [part for track in tracks for dot in track.dots for part in (dot.value, dot.low, dot.high)]
    ends = [part for track in tracks for part in (track.whole.value, track.whole.low, track.whole.high)]
    reach = [part for part in (*dots, *ends, *levels) if part is not None]
    low, high = min(reach), max(reach)
    if low > 0.6 * high:
        room = 0.4 * (high - low) or 0.1 * high
        return low - room, high + 0.5 * room
    low = min(low, 0.0)
    return (low, high) if high > low else (low, low + 1.0)


def _values_axis(bottom: float, top: float, up: Callable[[float], float], ticks: Words) -> str:
    body = ""
    for tick in _round_values(bottom, top):
        y = up(tick)
        body += svg.rule(LEFT, RIGHT, y)
        body += (
            f'<text x="{svg.n(LEFT - 6)}" y="{svg.n(y + 4)}" text-anchor="end">{escape(ticks(tick))}</text>'
        )
    return body


def _round_values(low: float, high: float) -> list[float]:
    """Return two to five multiples of 1, 2 or 5 times a power of ten that lie between, ends included."""
    size = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(size))
    step = next(part * power for part in (1, 2, 5, 10) if part * power >= size * 0.999)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [number * step for number in range(first, last + 1)]


def above(value: float) -> float:
    """Return the next round number from a value on, for the end of a scale; 1 where there is nothing above zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    parts = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next((part * power for part in parts if part * power >= value), 10 * power)


def _levels(marks: Sequence[tuple[float, str]], up: Callable[[float], float]) -> str:
    """Return dashed levels with names above them; below where the name of a higher one stands there."""
    body, taken = "", -math.inf
    for level, name in sorted(marks, key=lambda each: up(each[0])):
        y = up(level)
        text = y - 4 if y - 15 > taken else y + 12
        taken = max(y, text)
        body += (
            f'<path d="M{svg.n(LEFT)} {svg.n(y)}H392" stroke="{svg.MARK}" stroke-width="1.3" '
            'stroke-dasharray="5 4"/>'
        )
        body += f'<text x="{svg.n(LEFT + 3)}" y="{svg.n(text)}">{escape(name)}</text>'
    return body


def _track(track: Track, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    points = [None if dot.value is None else (across(dot.at), up(dot.value)) for dot in track.dots]
    few = len(track.dots) <= 31
    dots = "".join(
        svg.dot(*point, "2.6", svg.ink(track.series)) for point in points if point is not None and few
    )
    band = _band(track.dots, across, up)
    return band + _line(points, svg.ink(track.series), "2", dashed=track.series > 0) + dots


def _whole(track: Track, x: float, up: Callable[[float], float]) -> str:
    """Return the interval of the whole time as an upright bar with its value."""
    span = track.whole
    if span.value is None:
        return ""
    body = ""
    if span.low is not None and span.high is not None:
        high, low = up(span.high), up(span.low)
        body = (
            f'<rect x="{svg.n(x - 3)}" y="{svg.n(high)}" width="6" height="{svg.n(max(low - high, 1.5))}" rx="3" '
            f'fill="{svg.ink(track.series)}" fill-opacity=".35"/>'
        )
    return body + svg.dot(x, up(span.value), "3.2", svg.ink(track.series))


def _legend(tracks: Sequence[Track]) -> str:
    body, x = "", LEFT
    for track in tracks:
        if not track.name:
            continue
        dash = ' stroke-dasharray="5 3"' if track.series > 0 else ""
        body += f'<path d="M{svg.n(x)} 8H{svg.n(x + 18)}" stroke="{svg.ink(track.series)}" stroke-width="2"{dash}/>'
        body += f'<text x="{svg.n(x + 23)}" y="12">{escape(track.name)}</text>'
        x += 35 + 6.6 * len(track.name)
    return body


def _told(track: Track, words: Words, when: Words) -> str:
    steps = ", ".join(
        f"{when(dot.at)}: {'no data' if dot.value is None else words(dot.value)}" for dot in track.dots
    )
    span, whole = track.whole, ""
    if span.value is not None:
        whole = f"all of it: {words(span.value)}"
        if span.low is not None and span.high is not None:
            whole += f", {words(span.low)} to {words(span.high)}"
    return ": ".join(
        part for part in (track.name, "; ".join(each for each in (steps, whole) if each)) if part
    )


def stacked(parts: Sequence[tuple[str, float]], title: str) -> str:
    """Return one bar that is divided as its parts are, in their order; parts of nothing are left out.

    The name of a part stands in it where it has room, and in the description in any case. Parts are of one colour,
    the later the stronger: they are steps of a scale, as ratings are.
    """
    total = sum(size for _, size in parts)
    if total <= 0:
        return svg.element(title, "no data", 400, 26, svg.rule(0, 400, 13))
    body, begin, strongest = "", 0.0, 0.5  # stronger ones would hide the names
    for number, (name, size) in enumerate(parts):
        width = 400 * size / total
        if width > 0:
            body += (
                f'<rect x="{svg.n(begin)}" y="2" width="{svg.n(max(width - 1.5, 0.5))}" height="22" rx="2" '
                f'fill="{svg.INK[0]}" fill-opacity="{svg.n(strongest * (number + 1) / len(parts), 2)}"/>'
            )
        if width > 8 + 7 * len(name):
            body += f'<text x="{svg.n(begin + 6)}" y="17">{escape(name)}</text>'
        begin += width
    told = ", ".join(f"{name} {100 * size / total:.3g}%" for name, size in parts)
    return svg.element(title, told, 400, 26, body)


def _line(points: Iterable[tuple[float, float] | None], colour: str, width: str, dashed: bool = False) -> str:
    """Return a line through points that begins anew after each None."""
    path, pen = "", "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path += f"{pen}{svg.n(point[0])} {svg.n(point[1])}"
        pen = "L"
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash} '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _band(dots: Sequence[Dot], across: Callable[[float], float], up: Callable[[float], float]) -> str:
    """Return the area between the low and high ends, over each unbroken run of steps that have both."""
    body, run = "", list[Dot]()
    for dot in [*dots, None]:
        if dot is not None and dot.low is not None and dot.high is not None:
            run.append(dot)
            continue
        if len(run) > 1:
            there = [f"{svg.n(across(each.at))} {svg.n(up(each.high or 0.0))}" for each in run]
            back = [f"{svg.n(across(each.at))} {svg.n(up(each.low or 0.0))}" for each in reversed(run)]
            body += f'<path d="M{"L".join([*there, *back])}Z" fill="{svg.INK[0]}" fill-opacity=".18"/>'
        run = []
    return body


Shape = list[tuple[float, float, float]]
"""Begin and end of a step on the page, and the share per unit of width."""


def _density(bars: Bars, across: Callable[[float], float]) -> Shape:
    """Return steps whose area is the share: buckets of several widths stay comparable."""
    total, shape = sum(bars.counts), Shape()
    for below, edge, count in _buckets(bars):
        begin, end = across(math.log(below)), across(math.log(edge))
        if end - begin > 1e-9:
            shape.append((begin, end, count / total / (end - begin)))
    return shape


def _buckets(bars: Bars) -> list[tuple[float, float, int]]:
    """Return lower and upper edge and count; the first bucket is as wide as the second, on the log axis.

    What is not above zero has no place on that axis and is left out, as are the empty ends.
    """
    kept = [(edge, count) for edge, count in zip(bars.edges, bars.counts, strict=True) if edge > 0]
    filled = [at for at, (_, count) in enumerate(kept) if count]
    begin, end = (filled[0], filled[-1] + 1) if filled else (0, len(kept))
    ratio = kept[1][0] / kept[0][0] if len(kept) > 1 else 2.0
    edges = [kept[0][0] / ratio, *(edge for edge, _ in kept)]
    return [(edges[at], edges[at + 1], kept[at][1]) for at in range(begin, end) if edges[at + 1] < math.inf]


def _first(bars: Bars) -> float:
    return min((below for below, _, _ in _buckets(bars)), default=1.0)


def _last(bars: Bars) -> float:
    return max((edge for _, edge, _ in _buckets(bars)), default=2.0)


def _mode(bars: Bars) -> float:
    below, edge, _ = max(_buckets(bars), key=lambda each: each[2], default=(1.0, 1.0, 0))
    return math.sqrt(below * edge)


def _steps(shape: Shape, peak: float, number: int) -> str:
    """Return one outline; heights are relative to the highest step of all."""
    if not shape:
        return ""
    path = f"M{svg.n(shape[0][0])} 124"
    for begin, end, height in shape:
        y = svg.n(124 - 108 * height / peak)
        path += f"L{svg.n(begin)} {y}H{svg.n(end)}"
    path += "V124"
    colour = svg.ink(number)
    fill = f'fill="{colour}" fill-opacity=".26"' if number == 0 else 'fill="none"'
    dash = "" if number == 0 else f' stroke-dasharray="{5 if number == 1 else 2} 3"'
    return f'<path d="{path}" {fill} stroke="{colour}" stroke-width="{1 if number == 0 else 2}"{dash}/>'


def _axis(ticks: Iterable[float], across: Callable[[float], float], words: Words) -> str:
    body, free = svg.rule(8, 392, 124), -math.inf
    for tick in ticks:
        at, text = across(math.log(tick)), words(tick)
        half = 3.5 * len(text)
        if at - half < free:
            continue
        free = at + half + 6
        anchor = "start" if at - half < 4 else "end" if at + half > 396 else "middle"
        body += f'<path d="M{svg.n(at)} 124V128" stroke="currentColor" stroke-opacity=".4"/>'
        body += f'<text x="{svg.n(at)}" y="142" text-anchor="{anchor}">{escape(text)}</text>'
    return body


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers: 1, 2 and 5 times powers of ten."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [part * 10.0**power for power in range(first, last + 1) for part in (1, 2, 5)]
    return [tick for tick in every if low <= tick <= high]
