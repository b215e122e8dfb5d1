"""How collecting goes, in words: a bar that fills, days that are told only where they are known, one more section."""

from __future__ import annotations

import pytest

from runner.feedback.progress import DAY_S, Progress
from runner.report import progress as report
from tests.feedback.test_progress import MONDAY, NOON, at, told


def spread(pairs: int, days: float = 3.5) -> Progress:
    """Return this Thursday's progress after so many pairs, evenly over the last days."""
    return told(at(*(NOON - days * DAY_S * (step + 0.5) / pairs for step in range(pairs))))


@pytest.mark.parametrize(("pairs", "full"), [(0, 0), (1, 0), (150, 5), (299, 9), (300, 10), (900, 10)])
def test_the_bar_is_full_where_the_aim_is_reached_and_not_before(pairs: int, full: int) -> None:
    drawn = report.bar(spread(pairs) if pairs else told([]), width=10)
    assert drawn == f"[{'#' * full}{'.' * (10 - full)}] {pairs} / 300"


def test_a_level_beyond_the_week_is_not_reached_at_this_rate() -> None:
    text = report.to_text(spread(120), "t")
    levels = {
        line.split()[0]: line for line in text.splitlines() if line.strip().startswith(("min", "tar", "opt"))
    }
    assert levels["minimum"].split()[3] == "reached"
    assert "not at this rate (" in levels["optimal"]


def test_without_pairs_no_day_is_named() -> None:
    text = report.to_text(told([]), "t")
    assert "the next round needs 100: not at this rate." in text
    assert [line.split()[3:7] for line in text.splitlines() if "minimum" in line] == [
        ["not", "at", "this", "rate"]
    ]


def test_json_has_the_headline_and_every_level() -> None:
    value = report.to_json(spread(120))
    assert value["headline"].startswith("120 of 300")
    assert [goal["level"] for goal in value["goals"]] == ["minimum", "target", "optimal"]
    assert value["week"] == MONDAY
