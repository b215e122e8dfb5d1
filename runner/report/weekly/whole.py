"""The whole report: its sections in their order, its headline, and its forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from runner.feedback.progress import headline as collecting
from runner.report import calendar, decide, document, figures, progress
from runner.report import signals as readings
from runner.report.document import Document, Section
from runner.report.signals import gravest
from runner.report.weekly import actions, drift, goals, history, preferences, signals
from runner.report.weekly.material import Material
from runner.report.weekly.passed import cause, counted, passed, together
from runner.signals.reading import Level


def sections(material: Material) -> tuple[Section, ...]:
    """Return the whole report."""
    told = material.told
    return (
        _headline(material),
        actions.actions(material),
        preferences.collection(told),
        preferences.win_rates(told),
        preferences.quality(told),
        goals.goals(material),
        signals.quality(material),
        *signals.arms(material),
        drift.drift(material.snapshot),
        drift.collapse(material),
        history.rollouts(told),
        history.decisions(material),
        told.cost or Section("Cost", (told.why_not("cost"),)),
        signals.times(material),
        signals.rest(material),
    )


def to_json(material: Material) -> dict[str, Any]:
    """Return the report as JSON values: the signals as `loop signals --json` has them, and what is told beside."""
    told = material.told
    return {
        **readings.to_json(material.snapshot),
        "next": [asdict(each) for each in actions.in_order(material)],
        "collection": None if told.collected is None else progress.to_json(told.collected.progress),
        "win_rates": None if told.pairings is None else [asdict(each) for each in told.pairings],
        "rollouts": None if told.rollouts is None else asdict(told.rollouts),
        "decision": None if told.decision is None else decide.to_json(told.decision),
        "calendar": None if told.agenda is None else calendar.to_json(told.agenda),
    }


def to_markdown(material: Material) -> str:
    """Return the report as Markdown, without plots."""
    return document.to_markdown(_document(material))


def to_html(material: Material) -> str:
    """Return the report as one HTML file that loads nothing."""
    return document.to_html(_document(material))


def _document(material: Material) -> Document:
    words = (*(level.value for level in Level), "slight", "drift", "better", "worse")
    return Document(_title(material), gravest(material.snapshot.readings).value, sections(material), words)


def _title(material: Material) -> str:
    since = figures.moment(material.snapshot.at - material.window)[:10]
    until = figures.moment(material.snapshot.at)[:10]
    return f"{material.name}, {material.snapshot.environment}: {since} to {until}"


def _headline(material: Material) -> Section:
    found = material.snapshot.readings
    served = next((one.n for one in together(found) if one.metric == "error_rate"), 0)
    crossed = passed(found)
    unsure = {one.metric for one in found if one.level is Level.UNSURE and not one.segment} - crossed.keys()
    said = (
        f"Verdict: **{gravest(found).value}**. {counted(served, 'request was', 'requests were')} to be answered "
        f"in {figures.duration(material.window)}; {counted(len(crossed), 'signal', 'signals')} passed a threshold, "
        f"{len(unsure):,} cannot be decided yet."
    )
    items = tuple(cause(metric, each, material.policy) for metric, each in crossed.items())
    return Section("In short", (said, *_beside(material)), items)


def _beside(material: Material) -> Iterator[str]:
    """Yield one line for each thing that is known beside the signals."""
    told = material.told
    if told.collected is not None:
        yield f"{collecting(told.collected.progress)}."
    if told.decision is not None:
        yield f"{decide.headline(told.decision)}."
    if happened := history.happened(told):
        yield happened
