"""A page of the feed as what the templates show: words and plots in reading order. Pure; decides nothing.

Four signals come first, because they are what users feel; for each the arms stand side by side on one scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from runner.console.monitor import words
from runner.console.monitor.feed import PASSED, Page
from runner.report import limits, plots
from runner.report.limits import Limit, Limits
from runner.signals.reading import Histogram, Level, Reading, Snapshot
from runner.spec.metric import METRICS, Better
from runner.spec.quantity import Dimension

LATE_S = 60.0
"""Age from which a snapshot counts as old."""
CAUSES = 4
"""How many readings the headline names."""
MOST_ROWS = 500
"""How many readings the table holds; beyond that nobody reads, and every update would carry them."""
SPREAD_S = 86_400.0
"""The window of every histogram; `signals.readings` makes them so."""
SIDES = ("baseline", "candidate")
_QUALITY = (
    ("refusals", "Refusals", ("refusal_rate", "over_refusal_rate")),
    ("reasks", "Re-asks", ("reask_rate",)),
    ("hallucination", "Hallucination", ("consistency", "factuality")),
    ("satisfaction", "Satisfaction", ("satisfaction", "thumbs_down_rate", "response_rate")),
)
_SPREADS = ("latency", "first_token", "prompt_tokens", "answer_tokens")


@dataclass(frozen=True, slots=True)
class Cell:
    """One reading. `series` is the colour of its arm: 1 the candidate's, 7 everyone's where arms stand beside it."""

    reading: Reading
    series: int
    arm: str
    value: str
    between: str
    n: str
    arrow: str
    trend: str
    bar: Markup
    line: Markup


@dataclass(frozen=True, slots=True)
class Row:
    """One reading in the table of all."""

    reading: Reading
    name: str
    arm: str
    value: str
    between: str
    n: str
    window: str
    arrow: str
    trend: str
    note: str


@dataclass(frozen=True, slots=True)
class Strip:
    """One metric, its arms side by side."""

    metric: str
    name: str
    meaning: str
    cells: tuple[Cell, ...]
    limits: str = ""
    """Its thresholds in words."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """How ratings are shared out, as a plot and in words."""

    plot: Markup
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """One of the quality signals: the metrics that tell of it together, and the gravest of their levels."""

    key: str
    title: str
    level: Level
    strips: tuple[Strip, ...]
    ratings: Ratings | None


@dataclass(frozen=True, slots=True)
class Cause:
    """A reading that the headline names, and the section that shows it."""

    text: str
    level: Level
    anchor: str


@dataclass(frozen=True, slots=True)
class Head:
    """The overall level, in words, and what it comes from."""

    level: Level
    text: str
    causes: tuple[Cause, ...]
    more: int
    measured: float | None
    late: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of one metric: arms over each other, and their percentiles."""

    name: str
    plot: Markup
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    window: str
    """What the plot and the percentiles are of."""


def folded(snapshot: Snapshot) -> Snapshot:
    """Return what there is to show where only one arm answers: everyone and that arm are the same then.

    A reading of the arm stays where nothing else tells of it, or where it is graver than everyone's.
    """
    arms = {each.arm for each in snapshot.readings if each.arm and each.value is not None}
    if len(arms) != 1:
        return snapshot
    whole = {(each.metric, each.segment): each.level for each in snapshot.readings if not each.arm}

    def told(each: Reading) -> bool:
        level = whole.get((each.metric, each.segment))
        return bool(each.arm) and level is not None and words.gravest([level, each.level]) is level

    together = {each.metric for each in snapshot.histograms if not each.arm}
    return replace(
        snapshot,
        readings=tuple(each for each in snapshot.readings if not told(each)),
        histograms=tuple(
            replace(each, arm="")
            for each in snapshot.histograms
            if not each.arm or (each.arm in arms and each.metric not in together)
        ),
    )


def head(page: Page, now: float) -> Head:
    """Return the overall level: the gravest of all readings."""
    snapshot = page.snapshot
    if snapshot is None:
        return Head(Level.UNMEASURED, words.LEVELS[Level.UNMEASURED], (), 0, None, False)
    level = words.gravest([each.level for each in snapshot.readings])
    text = words.undecided(_by_metric(snapshot)) if level is Level.UNSURE else words.LEVELS[level]
    told = [each for each in _sorted(snapshot.readings) if stands_out(each)]
    shown = tuple(map(_cause, told[:CAUSES]))
    late = now - snapshot.at > LATE_S
    return Head(level, text, shown, len(told) - len(shown), snapshot.at, late)


def _by_metric(snapshot: Snapshot) -> dict[str, Level]:
    found: dict[str, Level] = {}
    for each in snapshot.readings:
        found[each.metric] = words.gravest([each.level, found.get(each.metric, Level.UNMEASURED)])
    return found


def _cause(found: Reading) -> Cause:
    whose = ", ".join(part for part in (found.arm, found.segment) if part)
    text = f"{words.name(found.metric)} {words.number(found.metric, found.value)}"
    return Cause(f"{text} ({whose})" if whose else text, found.level, _anchor(found))


def _anchor(found: Reading) -> str:
    quality = (key for key, _, metrics in _QUALITY if found.metric in metrics and not found.segment)
    topics = "drift" if found.metric in ("input_drift", "input_shift") else "signals"
    return next(quality, "cost" if found.metric == "cost_per_1000" else topics)


def cards(snapshot: Snapshot, thresholds: Limits | None = None) -> tuple[Card, ...]:
    """Return the four quality signals."""
    return tuple(_card(snapshot, thresholds or {}, *each) for each in _QUALITY)


def _card(snapshot: Snapshot, thresholds: Limits, key: str, title: str, metrics: Sequence[str]) -> Card:
    strips = tuple(strip(snapshot, metric, thresholds.get(metric, ())) for metric in metrics)
    shown = [cell.reading.level for each in strips for cell in each.cells]
    whole = [each.level for each in snapshot.readings if each.metric in metrics and not each.segment]
    ratings = _ratings(snapshot) if key == "satisfaction" else None
    return Card(key, title, words.gravest([*shown, *whole]), strips, ratings)


def strip(snapshot: Snapshot, metric: str, thresholds: Sequence[Limit] = ()) -> Strip:
    """Return one metric, baseline beside candidate; where it is not measured by arm, everyone together."""
    whole = [each for each in snapshot.readings if each.metric == metric and not each.segment]
    sides = [most for side in SIDES if (most := _fullest(whole, side))]
    shown = sides or [most for most in (_fullest(whole, ""),) if most]
    scale = _reach(metric, shown, thresholds)
    cells = tuple(_cell(each, scale) for each in shown)
    return Strip(metric, words.name(metric), words.meaning(metric), cells, words.limits(thresholds))


def _fullest(readings: Iterable[Reading], side: str) -> Reading | None:
    """Return the reading of an arm that rests on most, where its version changed within the window."""
    return max((each for each in readings if each.arm == side), key=lambda each: each.n, default=None)


def _cell(found: Reading, scale: plots.Scale, everyone: int = 0) -> Cell:
    arrow, trend = words.trend(found)
    series = {"candidate": 1, "": everyone}.get(found.arm, 0)
    whose = f"{words.name(found.metric)}, {words.arm(found.arm)}"

    def told(value: float) -> str:
        return words.number(found.metric, value)

    span = plots.Span(found.value, found.low, found.high)
    bar = plots.interval(span, scale, f"{whose}: interval", told, series)
    line = plots.sparkline([each.value for each in found.points], f"{whose}: over the window", told, series)
    return Cell(
        found,
        series,
        words.arm(found.arm),
        told(found.value) if found.value is not None else words.number(found.metric, None),
        words.between(found),
        words.count(found.n),
        arrow,
        trend,
        Markup(bar),
        Markup(line),
    )


def _reach(metric: str, shown: Sequence[Reading], thresholds: Sequence[Limit] = ()) -> plots.Scale:
    """Return the scale of a metric's bars: all of it where it ends soon and high is good, else up to what occurs.

    Its thresholds lie within it, and its ends are round numbers.
    """
    marks = tuple(mark for mark, _ in limits.names(tuple(thresholds)))
    ends = [end for each in shown for end in (each.value, each.low, each.high) if end is not None]
    known, is_share = METRICS.get(metric), words.dimension(metric) is Dimension.RATIO
    most = plots.above(1.15 * max([*ends, *(1.1 * mark for mark in marks)], default=1.0))
    low, high = min([0.0, *ends]), min(most, 1.0) if is_share else most
    if metric == "satisfaction":
        low, high = 1.0, 5.0
    elif known and is_share and known.better is Better.HIGHER and metric != "response_rate":
        low, high = 0.0, 1.0
    return plots.Scale(low, high, marks, lambda value: limits.number(metric, value))


def _ratings(snapshot: Snapshot) -> Ratings | None:
    """Return how the ratings are shared out, of all arms together, the worst first."""
    found = [each for each in snapshot.histograms if each.metric == "satisfaction"]
    whole = [each for each in found if not each.arm] or found
    stars = dict.fromkeys((1.0, 2.0, 3.0, 4.0, 5.0), 0)
    for each in whole:
        for edge, counted in zip(each.edges, each.counts, strict=True):
            if edge in stars:
                stars[edge] += counted
    if not any(stars.values()):
        return None
    parts = [(f"{edge:.0f}★", float(counted)) for edge, counted in stars.items()]
    told = ", ".join(f"{words.count(counted)} × {edge:.0f}★" for edge, counted in stars.items())
    return Ratings(Markup(plots.stacked(parts, "How the ratings from 1 to 5 are shared out")), told)


def spreads(snapshot: Snapshot) -> tuple[Spread, ...]:
    """Return the distributions of latency and tokens."""
    found = ((metric, _histograms(snapshot, metric)) for metric in _SPREADS)
    return tuple(_spread(snapshot, metric, histograms) for metric, histograms in found if histograms)


def _histograms(snapshot: Snapshot, metric: str) -> list[Histogram]:
    """Return one histogram per arm, baseline and candidate first; without arms the one of everyone."""
    own = [each for each in snapshot.histograms if each.metric == metric and any(each.counts)]
    arms = sorted({each.arm for each in own}, key=lambda arm: (arm not in SIDES, arm))
    shown = [arm for arm in arms if arm in SIDES] or arms
    fullest = sorted(own, key=_size)
    return [next(each for each in reversed(fullest) if each.arm == arm) for arm in shown]


def _size(found: Histogram) -> int:
    return sum(found.counts)


def _spread(snapshot: Snapshot, metric: str, histograms: Sequence[Histogram]) -> Spread:
    def told(value: float) -> str:
        return words.number(metric, value)

    bars = [plots.Bars(words.arm(each.arm), each.edges, each.counts) for each in histograms]
    plot = plots.histogram(bars, f"{words.name(metric)}, distribution", told)
    rows, window = _percentiles(snapshot, metric, histograms)
    columns = tuple(words.arm(each.arm) for each in histograms)
    return Spread(words.name(metric), Markup(plot), columns, rows, window)


_PARTS = (50, 95, 99)
_Rows = tuple[tuple[str, tuple[str, ...]], ...]


def _percentiles(snapshot: Snapshot, metric: str, histograms: Sequence[Histogram]) -> tuple[_Rows, str]:
    """Return percentiles by arm, all of one window, and that window in words.

    They are those read as signals where all of them were, over the same time; else the upper edges of the plot's bars.
    """
    day = words.window(SPREAD_S)
    found = {(each.metric, each.arm): each for each in snapshot.readings if not each.segment}
    read = [[found.get((f"{metric}_p{part}", each.arm)) for each in histograms] for part in _PARTS]
    known = [each for row in read for each in row if each is not None and each.value is not None]
    windows = {each.window for each in known}
    if len(known) == len(_PARTS) * len(histograms) and len(windows) == 1:
        rows = [
            tuple(words.number(metric, each.value) if each else "" for each in row)
            for row in read
        ]  # fmt: skip
        said = f"Plot: last {day}. Percentiles: last {words.window(windows.pop())}."
    else:
        rows = [tuple(_edge(each, part) for each in histograms) for part in _PARTS]
        said = f"Plot and percentiles: last {day}."
    return tuple((f"p{part}", row) for part, row in zip(_PARTS, rows, strict=True)), said


def _edge(found: Histogram, part: int) -> str:
    """Return the upper edge of the bucket in which a percentile lies."""
    wanted, seen = part / 100 * sum(found.counts), 0
    for edge, counted in zip(found.edges, found.counts, strict=True):
        seen += counted
        if seen >= wanted:
            return f"≤ {words.number(found.metric, edge)}"
    return words.number(found.metric, None)


def cost(snapshot: Snapshot, thresholds: Limits | None = None) -> Strip:
    """Return what a thousand requests cost: of everyone, then by arm, on one scale."""
    metric = "cost_per_1000"
    own_limits = (thresholds or {}).get(metric, ())
    own = [each for each in snapshot.readings if each.metric == metric and not each.segment]
    shown = [most for side in ("", *SIDES) if (most := _fullest(own, side))]
    scale = _reach(metric, shown, own_limits)
    cells = tuple(_cell(each, scale, everyone=7 if len(shown) > 1 else 0) for each in shown)
    return Strip(metric, "Cost of 1,000 requests", "", cells, words.limits(own_limits))


def table(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return the readings, the gravest first and those of segments last, `MOST_ROWS` of them at most."""
    return tuple(map(_row, _sorted(snapshot.readings)[:MOST_ROWS]))


def _row(found: Reading) -> Row:
    return Row(
        found,
        words.name(found.metric),
        words.arm(found.arm),
        words.number(found.metric, found.value),
        words.between(found),
        words.count(found.n),
        words.window(found.window),
        *words.trend(found),
        found.note or (words.conditions(found) if stands_out(found) else ""),
    )


def stands_out(found: Reading) -> bool:
    """Return whether a reading passed a threshold."""
    return found.level in PASSED


def segments(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the segments that occur."""
    return tuple(sorted({each.segment for each in snapshot.readings} - {""}))


def _sorted(readings: Iterable[Reading]) -> list[Reading]:
    def place(each: Reading) -> tuple[int, bool, str, str, str]:
        grave = -words.ORDER.index(each.level)
        return grave, bool(each.segment), each.metric, each.arm, each.segment

    return sorted(readings, key=place)
