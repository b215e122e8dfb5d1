"""Input drift for people: the window, the weeks before it, and the topics that changed. Values in, text out."""

from __future__ import annotations

from runner.report import figures
from runner.report.signals import drift_lines
from runner.signals.reading import Drift, Snapshot

_OF_DRIFT = ("input_drift", "input_shift")


def to_text(snapshot: Snapshot) -> str:
    """Return everything about drift that a snapshot knows."""
    if snapshot.drift is None:
        return f"{snapshot.environment}: input drift is not measured: {why_not(snapshot)}"
    lines = [f"{snapshot.environment}, at {figures.moment(snapshot.at)}", *drift_lines(snapshot.drift)]
    if snapshot.weeks:
        head = ("week until", "questions", "divergence", "at least", "fine topics", "verdict")
        lines += ["", *figures.table([head, *(_week(week) for week in snapshot.weeks)])]
    return "\n".join(lines)


def why_not(snapshot: Snapshot) -> str:
    """Return in words why drift has no value at all, "" where it has."""
    if snapshot.drift is not None:
        return ""
    said = [one.note for one in snapshot.readings if one.metric in _OF_DRIFT]
    if not said:
        return "no signal of kind drift is in policies/signals.yaml"
    return next(filter(None, said), "nothing is logged yet")


def _week(week: Drift) -> tuple[str, ...]:
    verdict = "insufficient" if week.divergence is None else week.alarm or "matches"
    return (
        figures.moment(week.at)[:10],
        f"{week.n:,}",
        *(_nats(one) for one in (week.divergence, week.low, week.fine_divergence)),
        verdict,
    )


def _nats(number: float | None) -> str:
    return figures.NOTHING if number is None else f"{number:.3f}"
