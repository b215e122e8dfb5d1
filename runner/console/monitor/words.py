"""How the monitor page writes numbers, times, names and verdicts. Pure; `views` calls it.

What people or models wrote is cut to a bearable length here; that it is escaped is the templates' business.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from runner.report import figures
from runner.report.limits import Limit
from runner.signals.reading import Direction, Holds, Level, Reading
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension

LONGEST = 240
"""Characters of an example question that are shown."""

NAMES = {
    "refusal_rate": "Refusals",
    "over_refusal_rate": "Over-refusals",
    "reask_rate": "Re-asks",
    "consistency": "Consistency",
    "factuality": "Factuality",
    "satisfaction": "Satisfaction",
    "thumbs_down_rate": "Thumbs down",
    "response_rate": "Response rate",
    "latency": "Latency",
    "first_token": "Time to first token",
    "cost_per_1000": "Cost of 1,000 requests",
    "win_rate_length_controlled": "Win rate at equal length",
}
ARMS = {"": "everyone", "pinned": "asked for by name"}
LEVELS = {
    Level.UNMEASURED: "Nothing is measured yet",
    Level.UNSURE: "Not enough data yet to say that all is well",
    Level.FINE: "All is well",
    Level.WARN: "Something needs a look",
    Level.HOLD: "Keep the rollout where it is",
    Level.RETRAIN: "Time to think about training",
}
ORDER = tuple(Level)
"""Levels, the gravest last; what is undecided outranks what is fine, as it may yet turn out not to be."""
_ARROWS = {
    Direction.RISING: ("↗", "rising"),
    Direction.FALLING: ("↘", "falling"),
    Direction.STEADY: ("→", "steady"),
    Direction.UNKNOWN: ("·", "no trend"),
}
_LIMITS = {Holds.YES: "is crossed", Holds.NO: "is kept", Holds.UNSURE: "is open"}


def gravest(levels: Sequence[Level]) -> Level:
    """Return the gravest level; no data where there is none."""
    return max(levels, key=ORDER.index, default=Level.UNMEASURED)


def name(metric: str) -> str:
    """Return what people call a metric."""
    return NAMES.get(metric) or metric.replace("_", " ").capitalize()


def meaning(metric: str) -> str:
    """Return one clause on what a metric is, "" for one that no table names."""
    return METRICS[metric].meaning if metric in METRICS else ""


def undecided(levels: Mapping[str, Level]) -> str:
    """Return the headline where no signal passed a threshold and some are undecided; `levels` are by metric."""
    known = [level for level in levels.values() if level is not Level.UNMEASURED]
    unsure = sum(level is Level.UNSURE for level in known)
    if 2 * unsure >= len(known):
        return LEVELS[Level.UNSURE]
    return f"Nothing is wrong so far; {unsure} of {len(known)} signals cannot be decided yet"


def limits(found: Iterable[Limit]) -> str:
    """Return the thresholds of a metric in one line, "" where it has none; equal ones are told together."""
    told: dict[str, list[str]] = {}
    for each in found:
        told.setdefault(each.text, []).append(each.consequence)
    return "; ".join(f"{' and '.join(names)} {text}" for text, names in told.items())


def arm(reading_arm: str) -> str:
    """Return what people call an arm."""
    return ARMS.get(reading_arm, reading_arm)


def number(metric: str, value: float | None) -> str:
    """Return a value in its metric's unit; a dash where there is none."""
    if value is None:
        return "–"
    match dimension(metric):
        case Dimension.RATIO:
            text = share(value)
        case Dimension.DURATION:
            text = _seconds(value)
        case Dimension.COUNT:
            text = f"{value:.1f}" if metric == "session_length" else count(value)
        case Dimension.MONEY:
            text = f"${value:,.2f}"
        case _:
            text = f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
    return text


def dimension(metric: str) -> Dimension:
    """Return what a metric, or the histogram of one, is measured in."""
    if metric in ("latency", "first_token"):
        return Dimension.DURATION
    return METRICS[metric].dimension if metric in METRICS else Dimension.SCORE


def _seconds(value: float) -> str:
    if value < 1:
        return f"{1000 * value:.3g} ms" if value < 0.0995 else f"{1000 * value:.0f} ms"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def count(value: float) -> str:
    """Return a count with its thousands apart."""
    return f"{value:,.0f}"


def between(found: Reading) -> str:
    """Return the interval in words, "" where there is none."""
    low, high = (None if end is None else number(found.metric, end) for end in (found.low, found.high))
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"{low} to {high}"


def trend(found: Reading) -> tuple[str, str]:
    """Return an arrow, and the trend in words."""
    arrow, word = _ARROWS[found.trend.direction]
    before = found.trend.before
    return arrow, word if before is None else f"{word}, was {number(found.metric, before)}"


def conditions(found: Reading) -> str:
    """Return what each threshold of the policy says, one clause each."""
    return ", ".join(f"limit to {which} {_LIMITS[holds]}" for which, holds in found.conditions)


def window(seconds: float) -> str:
    """Return how long a window is."""
    for unit, length in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length and seconds != 86_400:
            return f"{seconds / length:.3g} {unit}"
    return "24 h" if seconds == 86_400 else f"{seconds:.3g} s"


def day(at: float) -> str:
    """Return a date, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def iso(at: float) -> str:
    """Return a moment as machines read it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(seconds: float) -> str:
    """Return how long ago something was; what lies ahead is now."""
    if seconds < 1:
        return "just now"
    for unit, length in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def question(text: str) -> str:
    """Return a user's question on one line, cut where it is long.

    Characters that do not print or turn the direction of writing are left out.
    """
    spaced = " ".join(text.split())
    shown = "".join(each for each in spaced if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co"))
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1].rstrip()}…"


def e_value(value: float) -> str:
    """Return evidence; above a million its size says nothing more."""
    return "over a million" if value >= 1e6 else f"{int(value):,}" if value >= 10 else figures.evidence(value)


def share(value: float) -> str:
    """Return a share from 0 to 1 in percent."""
    percent = 100 * value
    digits = 0 if percent in (0.0, 100.0) else 2 if percent < 1 or percent > 99 else 1
    return f"{percent:.{digits}f}%"
