"""How figures are written in reports: values with intervals in the metric's unit, durations, moments, tables.

Called by the other reports. Values in, text out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from runner.rollout.verdict import Estimate
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension

NOTHING = "-"
LONGEST_TEXT = 160
"""Characters of what somebody wrote that stand in a line."""


def value(metric: str, number: float | None) -> str:
    """Return a number in the unit of a metric; a dash where there is none."""
    if number is None:
        return NOTHING
    match METRICS[metric].dimension:
        case Dimension.RATIO:
            return share(number)
        case Dimension.DURATION:
            return seconds(number)
        case Dimension.COUNT:
            return f"{number:.0f}"
        case _:
            return f"{number:.2f}"


def estimate(metric: str, found: Estimate | None) -> str:
    """Return value, interval and count of sessions; a dash where there is no data."""
    if found is None or found.value is None:
        return NOTHING
    return spread(value(metric, found.value), _end(metric, found.low), _end(metric, found.high), found.n)


def spread(middle: str, low: str, high: str, n: int) -> str:
    """Return a value with its interval and what it was counted over."""
    return f"{middle} [{low} to {high}] n={n}"


def of_share(found: Estimate) -> str:
    """Return an estimate of a share."""
    if found.value is None or found.low is None or found.high is None:
        return NOTHING
    return spread(share(found.value), share(found.low), share(found.high), found.n)


def share(number: float) -> str:
    """Return a share from 0 to 1 in percent."""
    digits = 0 if number in (0.0, 1.0) else 2 if number < 0.1 else 1
    return f"{100 * number:.{digits}f}%"


def chance(number: float) -> str:
    """Return an estimated chance in whole percent; none is told as certain that is not."""
    percent = f"{100 * number:.0f}%"
    if percent == "100%" and number < 1.0:
        return "over 99%"
    return "under 1%" if percent == "0%" and number > 0.0 else percent


def seconds(number: float) -> str:
    """Return a latency."""
    return f"{1000 * number:.0f} ms" if number < 10 else f"{number:.1f} s"


def duration(number: float) -> str:
    """Return how long something took."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if number >= 2 * size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} s"


def moment(at: float) -> str:
    """Return a time, seconds since 1970, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def evidence(e_value: float) -> str:
    """Return an e-value: 1 says nothing, 100 is as rare as one in a hundred where nothing is wrong."""
    if e_value >= 1e6:
        return f"10^{math.log10(e_value):.0f}"
    return f"{e_value:.0f}" if e_value >= 100 else f"{e_value:.2g}"


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return rows as lines with columns that stand below each other; the first row is the head."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """Return a text of which nothing moves a cursor, ends a line or turns the direction of writing."""
    return "".join(each if each.isprintable() else " " for each in text)


def line(text: str) -> str:
    """Return a text in one line, so that what somebody wrote cannot look like ours; long ones are cut."""
    whole = " ".join(printable(text).split())
    return whole if len(whole) <= LONGEST_TEXT else f"{whole[: LONGEST_TEXT - 1]}…"


def _end(metric: str, number: float | None) -> str:
    return "?" if number is None else value(metric, number)
