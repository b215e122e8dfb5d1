"""What `loop data progress` shows: the text for a terminal, the page, the JSON and a section for other reports.

Formats what `feedback.progress` found; decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from runner.feedback.progress import LIKELY, Forecast, Goal, Progress, day, headline
from runner.report import figures
from runner.report.document import Document, Section, to_html
from runner.report.plots_progress import Amount, amounts, filled

BAR = 40
NEVER = "not at this rate"


def to_text(progress: Progress, title: str) -> str:
    """Return the progress for a terminal."""
    lines = [title, f"  {bar(progress)}"]
    for section in sections(progress):
        lines += ["", section.title, *(f"  {line}" for line in section.lines)]
        lines += [f"  - {item}" for item in section.items]
        if section.table:
            lines += figures.table(section.table)
    return "\n".join(lines)


def to_page(progress: Progress, title: str) -> str:
    """Return the progress as one HTML file that loads nothing."""
    level = "ok" if progress.aimed.chance >= LIKELY else "warn"
    return to_html(Document(title, level, sections(progress), ("thin",)))


def to_json(progress: Progress) -> dict[str, Any]:
    """Return the progress as plain JSON values, times as seconds since 1970, with its headline."""
    return {"headline": headline(progress), **asdict(progress)}


def bar(progress: Progress, width: int = BAR) -> str:
    """Return a bar of text that is full where the aim is reached."""
    wanted = progress.aimed.wanted
    full = min(width, progress.pairs * width // wanted)
    return f"[{'#' * full}{'.' * (width - full)}] {progress.pairs} / {wanted}"


def pictures(progress: Progress) -> tuple[tuple[str, str], ...]:
    """Return the week against its levels, and by category, as plots with captions."""
    marks = [(goal.level.value, goal.wanted) for goal in progress.goals]
    return (
        ("this week's preference pairs", filled(progress.pairs, marks, "Preference pairs of this week")),
        ("by category, of what the aim wants", amounts(_amounts(progress), "Preference pairs by category")),
    )


def sections(progress: Progress) -> tuple[Section, ...]:
    """Return everything, part by part."""
    return (
        Section("Collection", (f"{headline(progress)}.",), progress.reminders, (), pictures(progress)),
        _goals(progress),
        _categories(progress),
        _training(progress),
    )


def _goals(progress: Progress) -> Section:
    rate, votes, pairs = progress.rate, _count(progress.votes, "vote"), _count(progress.pairs, "pair")
    lines = (
        f"The week began on {day(progress.week)} (UTC); {votes} made {pairs}. {rate.value:.1f} pairs a day "
        f"({rate.low:.1f} to {rate.high:.1f}) over the last {_count(round(rate.days), 'day')}.",
    )
    return Section("This week", lines, (), levels(progress))


def levels(progress: Progress) -> list[Sequence[str]]:
    """Return each level of the week's plan as a row: how much is missing, and when it is reached."""
    rows: list[Sequence[str]] = [
        ("level", "wanted", "missing", "reached", "5% to 95%", "chance by the week's end")
    ]
    return [*rows, *(_goal(goal, progress.week_ends) for goal in progress.goals)]


def next_round(progress: Progress) -> str:
    """Return in one line whether the next round of training has its pairs, and when it will have them."""
    own = progress.training
    since = "in the last three months" if own.since is None else f"since the last round on {day(own.since)}"
    ready = (
        "that is enough"
        if own.pairs >= own.wanted
        else f"enough on {_day(own.forecast.median)} ({_range(own.forecast)})"
    )
    if own.forecast.median is None:
        ready = NEVER
    return f"{_count(own.pairs, 'pair')} {since}; the next round needs {own.wanted:,}: {ready}."


def _goal(goal: Goal, ends: float) -> tuple[str, ...]:
    wanted = goal.level.value, f"{goal.wanted:,}", f"{goal.missing:,}"
    if not goal.missing:
        return (*wanted, "reached", figures.NOTHING, figures.NOTHING)
    median = goal.forecast.median
    when = f"{NEVER} ({day(median)})" if median is not None and median >= ends else _day(median)
    return (*wanted, when, _range(goal.forecast), figures.chance(goal.chance))


def _categories(progress: Progress) -> Section:
    rows: list[Sequence[str]] = [("category", "pairs", "wanted this week", "verdict")]
    rows += [
        (part.name, f"{part.pairs:,}", f"{part.wanted:,}", "thin" if part.is_thin else "")
        for part in progress.categories
    ]
    told = ", ".join(f"{name} {pairs:,}" for name, pairs in progress.languages)
    return Section("Categories and languages", (f"Languages: {told}.",) if told else (), (), rows)


def _training(progress: Progress) -> Section:
    items = tuple(
        f"recipe '{each.recipe}': data set '{each.dataset}' has {each.rows:,} of {each.wanted:,} rows"
        for each in progress.small
    )
    return Section("The next round of training", (next_round(progress),), items)


def _amounts(progress: Progress) -> list[Amount]:
    return [Amount(part.name, part.pairs, part.wanted, part.is_thin) for part in progress.categories]


def _day(at: float | None) -> str:
    return NEVER if at is None else day(at)


def _range(forecast: Forecast) -> str:
    if forecast.early is None:
        return figures.NOTHING
    return f"{day(forecast.early)} to {'?' if forecast.late is None else day(forecast.late)}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
