"""Readings as a table for people and as JSON for programs. Values in, text out; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from runner.report import figures
from runner.signals.reading import Direction, Drift, Holds, Level, Reading, Snapshot
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension
from runner.spec.signals import SignalPolicy

FORMAT = 1
QUALITY = (
    "refusal_rate",
    "over_refusal_rate",
    "reask_rate",
    "consistency",
    "factuality",
    "satisfaction",
    "thumbs_down_rate",
    "response_rate",
)
"""The signals that come first everywhere: what users and answers say of quality."""
ARROWS = {
    Direction.RISING: "↑",
    Direction.FALLING: "↓",
    Direction.STEADY: "→",
    Direction.UNKNOWN: " ",
}
_GRAVITY = (Level.RETRAIN, Level.HOLD, Level.WARN, Level.UNSURE, Level.FINE, Level.UNMEASURED)


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as JSON values; `format` changes when a field changes its meaning."""
    return {"format": FORMAT, "level": gravest(snapshot.readings).value, **asdict(snapshot)}


def gravest(readings: Iterable[Reading]) -> Level:
    """Return the gravest level of all; what has no data says nothing."""
    return min((reading.level for reading in readings), key=_GRAVITY.index, default=Level.UNMEASURED)


def passed(readings: Iterable[Reading]) -> bool:
    """Say whether any threshold is passed with certainty."""
    return gravest(readings) in (Level.RETRAIN, Level.HOLD, Level.WARN)


def value(metric: str, number: float | None) -> str:
    """Return a number in its metric's unit."""
    if number is None:
        return figures.NOTHING
    match METRICS[metric].dimension:
        case Dimension.MONEY:
            return f"${number:,.2f}"
        case Dimension.COUNT:
            return f"{number:.1f}" if number < 100 else f"{number:,.0f}"
        case _:
            return figures.value(metric, number)


def interval(reading: Reading) -> str:
    """Return the two ends, empty where there are none or they are the value itself."""
    if reading.value is None or (reading.low == reading.high):
        return ""
    ends = (value(reading.metric, end) if end is not None else "?" for end in (reading.low, reading.high))
    return " to ".join(ends)


def whose(reading: Reading) -> str:
    """Return for whom a reading is."""
    arm = f"{reading.arm} {reading.version}".strip() or "all"
    return f"{arm}, {reading.segment}" if reading.segment else arm


def why(reading: Reading, policy: SignalPolicy | None = None) -> str:
    """Return which conditions hold or may hold, as the policy writes them, or why there is no value."""
    said = []
    for name, holds in reading.conditions if reading.value is not None else ():
        if holds is not Holds.NO:
            text = "" if policy is None else f" {getattr(policy.signals[reading.metric].thresholds, name)}"
            said.append(f"{name}{'?' if holds is Holds.UNSURE else ''}{text or ': ' + holds.value}")
    note = [reading.note] if reading.note else []
    return "; ".join([*said, *note])


def to_text(snapshot: Snapshot, policy: SignalPolicy, *, everything: bool = False) -> str:
    """Return the table: quality first; without `everything` only what concerns all together and single arms."""
    shown = [one for one in snapshot.readings if everything or not one.segment]
    ordered = sorted(shown, key=_place)
    head = ("signal", "for", "value", "interval", "n", "window", "", "verdict", "because")
    lines = [
        f"{snapshot.environment}: {gravest(snapshot.readings).value}, at {figures.moment(snapshot.at)} "
        f"({snapshot.read:,} events read in {snapshot.seconds:.1f} s)",
        "",
        *figures.table([head, *(_row(one, policy) for one in ordered)]),
    ]
    if snapshot.drift is not None:
        lines += ["", *drift_lines(snapshot.drift)]
    return "\n".join(lines)


def _place(reading: Reading) -> int:
    return QUALITY.index(reading.metric) if reading.metric in QUALITY else len(QUALITY)


def _row(reading: Reading, policy: SignalPolicy) -> Sequence[str]:
    return (
        reading.metric,
        whose(reading),
        value(reading.metric, reading.value),
        interval(reading),
        f"{reading.n:,}",
        figures.duration(reading.window),
        ARROWS[reading.trend.direction],
        reading.level.value,
        why(reading, policy),
    )


def _verdict(drift: Drift) -> str:
    if drift.alarm:
        return drift.alarm
    return "changed, but not surely by 0.1" if drift.alarmed_at is not None else "as in the reference"


def drift_lines(drift: Drift) -> list[str]:
    """Return what is known of input drift, in words, with the topics that changed."""
    if drift.divergence is None:
        lines = [f"input drift: insufficient, {drift.n:,} of {drift.needed:,} questions that it takes"]
    else:
        low = figures.NOTHING if drift.low is None else f"{drift.low:.3f}"
        lines = [
            f"input drift: {drift.divergence:.3f} nats (at least {low}) over {drift.n:,} questions in "
            f"{figures.duration(drift.window)}: {_verdict(drift)}"
        ]
    lines.append(
        f"  sequential evidence {figures.evidence(drift.e_value)} since {figures.moment(drift.since)}"
        + (f"; alarm at {figures.moment(drift.alarmed_at)}" if drift.alarmed_at is not None else "")
    )
    if drift.shift is not None:
        chance = "" if drift.shift_p is None else f", by chance {figures.share(drift.shift_p)}"
        lines.append(f"  mean embedding moved by {drift.shift:.3f}{chance}")
    for word, topics in (("grew", drift.grown), ("shrank", drift.shrunk)):
        for topic in topics:
            asked = "; ".join(f"“{question}”" for question in topic.questions)
            change = f"{figures.share(topic.reference)} -> {figures.share(topic.share)}"
            lines.append(f"  topic {topic.number} {word} {change}: {asked}")
    if drift.note:
        lines.append(f"  {drift.note}")
    return lines
