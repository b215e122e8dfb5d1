"""What somebody wrote in a file cannot steer the terminal that shows it."""

from __future__ import annotations

import pytest

from runner.economics.cost.statement import state
from runner.report import calendar, cost, figures
from tests.economics.situations import cadence
from tests.report.test_calendar import found, worded
from tests.report.test_cost import SHIPPED

STEERING = ("\x1b]0;pwn\a", "\x1b[2J", "two\nlines", "\u202eback", "tab\there", "\r")


def can_be_seen(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("text", STEERING)
def test_a_cell_of_a_table_stays_one_line_of_what_can_be_seen(text: str) -> None:
    head, row = figures.table([("item", "note"), (f"a{text}", f"{text}b")])
    assert head.isprintable() and row.isprintable()
    assert len(head.split()) == 2 and row.rstrip().endswith("b")


def test_text_that_can_be_seen_stands_as_it_is() -> None:
    assert figures.printable("a  \uae00 ~!* \\e") == "a  \uae00 ~!* \\e"


@pytest.mark.parametrize("text", STEERING)
def test_the_calendar_and_the_costs_are_lines_that_can_be_seen(text: str) -> None:
    assert can_be_seen(calendar.to_text(found(worded(work=f"look{text}")), "shop"))
    items = {name: each.model_copy(update={"note": f"why{text}"}) for name, each in SHIPPED.items.items()}
    assert can_be_seen(cost.to_text(state(SHIPPED.model_copy(update={"items": items}), cadence())))
