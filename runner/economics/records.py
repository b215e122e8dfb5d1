"""What rounds of training left behind, read from their JSON: the one place that knows those files' keys.

`training.json` (manifest), `curves.json` (the course of a run) and `evaluation.json` lie below `models/reports/NAME/`.
They are written by other parts and other releases; a figure that is not there, or is no number, is None here and
refuses nothing. Pure: values in, values out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from runner.signals.readings.estimates import Estimate
from runner.stats.intervals import mean_interval

ALPHA: Final = 0.05
"""How often an interval may miss."""
Series = tuple[tuple[int, float], ...]
"""Step and value, in order of steps."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of training: its manifest's figures, and its curves by the trainer's names; empty where it left none.

    `rows` were trained on, `held_rows` were kept apart; `held` are the trainer's figures of the latter at the end.
    """

    seconds: float | None = None
    rows: int | None = None
    held_rows: int | None = None
    held: Mapping[str, float] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Series] = field(default_factory=dict)

    def last(self, name: str, over: int) -> float | None:
        """Return the mean of the last values of a curve."""
        found = self.curves.get(name, ())[-over:]
        return math.fsum(value for _, value in found) / len(found) if found else None

    @property
    def told_apart(self) -> Estimate | None:
        """Share of held-out pairs that the trained version orders as people do; None where none were held out."""
        told = self.held.get("rewards/accuracies")
        if told is None or not self.held_rows:
            return None
        low, high = mean_interval(told * self.held_rows, self.held_rows, ALPHA)
        return Estimate(told, float(low), float(high), self.held_rows)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One evaluation: figures by kind of suite and metric, of the version and of its parent."""

    measured: Mapping[tuple[str, str], Estimate] = field(default_factory=dict)
    parent: Mapping[tuple[str, str], Estimate] = field(default_factory=dict)

    @property
    def win_rate(self) -> Estimate | None:
        """How often the version was preferred to its parent; None where it was not asked."""
        return self.measured.get(("win_rate", "win_rate"))


def read_run(manifest: Any, curves: Any) -> Run:
    """Return what a run's manifest and curves say, either of which may be None."""
    said = mapping(manifest)
    recipe, dataset = mapping(said.get("recipe")), mapping(said.get("dataset"))
    held = mapping(mapping(said.get("metrics")).get("held_out"))
    return Run(
        seconds=number(said.get("seconds")),
        rows=_whole(dataset.get("train")),
        held_rows=_whole(dataset.get("held_out")),
        held={str(name): known for name, value in held.items() if (known := number(value)) is not None},
        recipe=recipe,
        curves=_curves(_items(mapping(curves).get("steps"))),
    )


def read_evaluation(report: Any) -> Evaluated:
    """Return what an evaluation's report says; it may be None."""
    said = mapping(report)
    suites = [each for each in _items(said.get("suites")) if not each.get("error")]
    return Evaluated(
        measured=_measures(suites, "measured"),
        parent=_measures(suites, "baseline"),
    )


def number(value: Any) -> float | None:
    """Return a value as a number; None where it is none, or not a finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _curves(logged: Sequence[Mapping[str, Any]]) -> dict[str, Series]:
    """Return the course of every figure; lines are in order of steps, and one without a step is left out."""
    found: dict[str, list[tuple[int, float]]] = {}
    for entry in logged:
        step = _whole(entry.get("step"))
        for name, value in entry.items():
            known = number(value)
            if step is not None and name != "step" and known is not None:
                found.setdefault(str(name), []).append((step, known))
    return {name: tuple(points) for name, points in found.items()}


def _measures(suites: Sequence[Mapping[str, Any]], key: str) -> dict[tuple[str, str], Estimate]:
    found = {}
    for suite in suites:
        for each in _items(suite.get(key)):
            value, low, high, n = (number(each.get(name)) for name in ("value", "low", "high", "n"))
            found[str(suite.get("kind")), str(each.get("metric"))] = Estimate(value, low, high, int(n or 0))
    return found


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value as a mapping; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def _whole(value: Any) -> int | None:
    known = number(value)
    return None if known is None else int(known)
