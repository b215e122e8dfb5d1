"""The goals (KPIs) of the policy: what each figure is, whether its target is reached, and how its last weeks went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from runner.report import figures, limits, plots
from runner.report.document import Section
from runner.report.signals import value
from runner.report.weekly.material import Material, Week
from runner.report.weekly.passed import together
from runner.signals.reading import Reading
from runner.signals.readings.estimates import NO_DATA, Estimate
from runner.signals.readings.holds import holds
from runner.spec.signals import Kpi

_SHOWN: Final = 4
"""Weeks that stand in the table; the plot has all of them."""


def goals(material: Material) -> Section:
    """Return each goal with its target and its trend."""
    if not material.policy.kpis:
        return Section("Goals", ("policies/signals.yaml names no goal (kpis).",))
    rows: list[tuple[str, ...]] = [("figure", "is", "goal", "reached", "trend", "wanted", "weeks")]
    for name, kpi in material.policy.kpis.items():
        reading = next(
            (one for one in together(material.snapshot.readings) if one.metric == kpi.metric), None
        )
        rows.append(_goal(name, kpi, reading, material.weeks.get(kpi.metric, ())))
    line = (
        "Reached means that the whole interval has reached it. Trend is against the time before of the same length, "
        f"where that is certain; weeks are the last {_SHOWN}, the newest last."
    )
    return Section("Goals", (line,), table=rows, plots=tuple(_plots(material)))


def _goal(name: str, kpi: Kpi, reading: Reading | None, weeks: Sequence[Week]) -> tuple[str, ...]:
    found = NO_DATA if reading is None else Estimate(reading.value, reading.low, reading.high, reading.n)
    reached = figures.NOTHING
    if kpi.target is not None:
        reached = holds(kpi.target.expression, lambda _: found, None).value
    return (
        name,
        value(kpi.metric, found.value),
        str(kpi.target) if kpi.target is not None else figures.NOTHING,
        reached,
        reading.trend.direction.value if reading is not None else figures.NOTHING,
        kpi.trend.value if kpi.trend is not None else figures.NOTHING,
        _last(kpi.metric, weeks),
    )


def _last(metric: str, weeks: Sequence[Week]) -> str:
    """Return the last weeks from the first one on that has data."""
    shown = list(weeks[-_SHOWN:])
    while shown and shown[0].found.value is None:
        shown.pop(0)
    return " → ".join(value(metric, week.found.value) for week in shown) or figures.NOTHING


def _plots(material: Material) -> Iterator[tuple[str, str]]:
    """Yield the weeks of each goal, with its target across, where at least two weeks have data."""
    for name, kpi in material.policy.kpis.items():
        weeks = material.weeks.get(kpi.metric, ())
        known = [at for at, week in enumerate(weeks) if week.found.value is not None]
        if len(known) > 1:
            dots = [_dot(week) for week in weeks[known[0] :]]
            yield f"{name}, week by week", _line(kpi, dots)


def _dot(week: Week) -> plots.Dot:
    return plots.Dot(week.at, week.found.value, week.found.low, week.found.high)


def _line(kpi: Kpi, dots: Sequence[plots.Dot]) -> str:
    target = limits.marks(kpi.target.expression, kpi.metric) if kpi.target is not None else ()
    axis = plots.Axis(
        words=lambda number: value(kpi.metric, number),
        ticks=lambda number: limits.number(kpi.metric, number),
        marks=tuple((at, f"goal {limits.number(kpi.metric, at)}") for at in target),
    )
    return plots.lines([plots.Track("", tuple(dots))], kpi.metric, axis, when=_week_of)


def _week_of(at: float) -> str:
    return f"from {figures.moment(at)[5:10]}"
