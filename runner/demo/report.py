"""The quarter as one HTML file: what came of it, whose answers people got, the story, gates, the Git log. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.demo.plots import Layer, Mark, shares
from runner.demo.quarter import EDITS
from runner.demo.telling import Line
from runner.report import document, plots
from runner.report.document import Document, Section
from runner.simulation.people.crowd import Seen

STEP_S = 4.0
COARSE_S = 20.0
"""Seconds of a step in the plot of contentment: enough answers to make a share of."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the record: its short name, who made it, its subject."""

    sha: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class Played:
    """Everything that the report tells. `figures` are those of the last line, `began` is seconds since 1970."""

    began: float
    figures: Mapping[str, Any]
    lines: Sequence[Line]
    marks: Sequence[Mark]
    seen: Sequence[Seen]
    evaluations: Mapping[str, Mapping[str, Any]]
    log: Sequence[Commit]
    fulfilled: bool


def to_html(played: Played) -> str:
    """Return the report as one HTML file that loads nothing."""
    level = "passed" if played.fulfilled else "failed"
    sections = (
        _outcome(played),
        _shares(played),
        *(_gates(name, found) for name, found in played.evaluations.items()),
        _story(played),
        _record(played),
        _shortened(),
    )
    return document.to_html(Document("A quarter of the bookshop", level, sections, ("passed", "failed")))


def _outcome(played: Played) -> Section:
    figures = ((name, _shown(value)) for name, value in played.figures.items() if name != "git_log")
    said = "All of this happened in one run, by the same commands that an engineer gives."
    if not played.fulfilled:
        said = "Something did not happen as it should; the last line of the story says what."
    pages = "Beside this file: week.html, checklist.html and cost.html, as the product writes them."
    return Section("In short", (said, pages), table=[("what", "came to"), *figures])


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:,.1f}" if isinstance(value, float) else str(value)


def _shares(played: Played) -> Section:
    answered = [each for each in played.seen if each.failure is None and each.version]
    versions = sorted({each.version for each in answered})
    steps = 1 + max((int((each.at - played.began) / STEP_S) for each in answered), default=0)
    layers = []
    for version in versions:
        counts = [0] * steps
        for each in answered:
            if each.version == version:
                counts[int((each.at - played.began) / STEP_S)] += 1
        layers.append(Layer(version, tuple(counts)))
    items = tuple(f"{number + 1}: {mark.words} ({mark.at:.0f} s)" for number, mark in enumerate(played.marks))
    drawn = (
        ("answers by version", shares(layers, STEP_S, played.marks)),
        ("contentment", _contentment(played, versions)),
    )
    return Section("What customers got", (), items, plots=drawn)


def _contentment(played: Played, versions: Sequence[str]) -> str:
    tracks = [
        plots.Track(version, tuple(_dots(played, version)), series=series)
        for series, version in enumerate(versions)
    ]
    axis = plots.Axis(words=lambda share: f"{share:.0%}")
    return plots.lines(tracks, "Share of answers that pleased", axis, when=lambda at: f"{at / 60:.1f} min")


def _dots(played: Played, version: str) -> list[plots.Dot]:
    told: dict[int, list[bool]] = {}
    for each in played.seen:
        if each.version == version and each.reaction is not None:
            told.setdefault(int((each.at - played.began) / COARSE_S), []).append(each.reaction.pleased)
    last = max(told, default=-1)
    return [
        plots.Dot(step * COARSE_S, sum(found) / len(found) if (found := told.get(step)) else None)
        for step in range(min(told, default=0), last + 1)
    ]


def _gates(name: str, found: Mapping[str, Any]) -> Section:
    rows = [
        ("gate", "verdict", "condition"),
        *((g["gate"], g["verdict"], g["condition"]) for g in found["gates"]),
    ]
    return Section(f"Gates of {name}", table=rows)


def _story(played: Played) -> Section:
    rows = [("after", "chapter", "what happened")]
    rows += [(f"{line.at - played.began:.1f} s", line.chapter, line.text) for line in played.lines]
    return Section("The story", table=rows)


def _record(played: Played) -> Section:
    rows = [("commit", "by", "subject"), *((each.sha, each.author, each.subject) for each in played.log)]
    return Section("The record: Git's log, the oldest first", table=rows)


def _shortened() -> Section:
    rows = [("file", "as shipped", "here", "because")]
    rows += [(edit.path, edit.old.strip(), edit.new.strip(), edit.why) for edit in EDITS]
    return Section("What differs from the shipped repository", table=rows)
