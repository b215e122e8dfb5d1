"""Drift of what is asked, as the page shows it: how far, how certain, and which topics. Pure; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from runner.console.monitor import words
from runner.report import plots
from runner.signals.reading import Drift, Level, Snapshot, Topic


@dataclass(frozen=True, slots=True)
class Move:
    """A topic that grew or shrank."""

    number: int
    now: str
    before: str
    bar: Markup
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """Input drift in words."""

    level: Level
    verdict: str
    value: str
    low: str
    bar: Markup
    evidence: str
    counted: str
    fine: str
    distance: str
    grown: tuple[Move, ...]
    shrunk: tuple[Move, ...]
    weeks: Markup | None
    rows: tuple[tuple[str, str, str, str, str], ...]


def shift(snapshot: Snapshot) -> Shift | None:
    """Return the drift of what is asked."""
    drift = snapshot.drift
    if drift is None:
        return None
    weeks = snapshot.weeks
    return Shift(
        level=_drift_level(snapshot, drift),
        verdict=_drift_words(drift),
        value="insufficient" if drift.divergence is None else f"{drift.divergence:.3f} nats",
        low="" if drift.low is None else f"at least {drift.low:.3f}",
        bar=_bands(drift),
        evidence=words.e_value(drift.e_value),
        counted=f"{words.count(drift.n)} questions"
        + (f" of {words.count(drift.needed)} that are needed" if drift.n < drift.needed else ""),
        fine="–" if drift.fine_divergence is None else f"{drift.fine_divergence:.3f} nats",
        distance=_distance(drift),
        grown=tuple(map(_move, drift.grown)),
        shrunk=tuple(map(_move, drift.shrunk)),
        weeks=_weeks(weeks) if len(weeks) > 1 else None,
        rows=tuple(map(_week, reversed(weeks))),
    )


def _drift_level(snapshot: Snapshot, drift: Drift) -> Level:
    own = [each.level for each in snapshot.readings if each.metric == "input_drift"]
    if own:
        return words.gravest(own)
    if drift.divergence is None:
        return Level.UNSURE
    return Level.WARN if drift.alarm else Level.FINE


def _drift_words(drift: Drift) -> str:
    if drift.divergence is None:
        return "Too few questions to compare topics"
    told = {"": "People ask what they asked before", "slight": "What people ask has shifted a little"}
    return told.get(drift.alarm, "People ask something else than the reference")


def _bands(drift: Drift) -> Markup:
    most = max(0.6, 1.1 * (drift.divergence or 0.0))
    span = plots.Span(drift.divergence, drift.low, drift.divergence)
    scale = plots.Scale(0.0, most, marks=(0.1, 0.5))
    title = "Divergence against the bands 0.1 and 0.5"
    plot = plots.interval(span, scale, title, lambda value: f"{value:.3f} nats")
    return Markup(plot)


def _distance(drift: Drift) -> str:
    if drift.shift is None:
        return "–"
    chance = "" if drift.shift_p is None else f" (p {drift.shift_p:.3g})"
    return f"{drift.shift:.3f}{chance}"


def _move(topic: Topic) -> Move:
    most = max(topic.share, topic.reference, 0.05) * 1.15
    ends = sorted((topic.share, topic.reference))
    title = f"Topic {topic.number}: share now against the reference"
    span, scale = plots.Span(topic.share, *ends), plots.Scale(0.0, most, marks=(topic.reference,))
    bar = plots.interval(span, scale, title, words.share, series=4)
    now, before = words.share(topic.share), words.share(topic.reference)
    return Move(topic.number, now, before, Markup(bar), tuple(map(words.question, topic.questions)))


def _weeks(weeks: Sequence[Drift]) -> Markup:
    dots = [plots.Dot(each.at, each.divergence, each.low, each.divergence) for each in weeks]
    plot = plots.line(
        dots,
        "Divergence week by week",
        lambda value: f"{value:.3f}",
        words.day,
        ((0.1, "slight from 0.1"), (0.5, "drift from 0.5")),
    )
    return Markup(plot)


def _week(drift: Drift) -> tuple[str, str, str, str, str]:
    value, low = ("insufficient" if each is None else f"{each:.3f}" for each in (drift.divergence, drift.low))
    said = drift.alarm or ("–" if drift.divergence is None else "none")
    return words.day(drift.at), words.count(drift.n), value, low if drift.low is not None else "–", said
