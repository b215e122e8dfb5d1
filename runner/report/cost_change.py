"""What a change of assumptions does to cost and saving: before -> after, a line for each figure that differs.

`loop plan --against`, the pull request of a promotion and `loop cost --against` show it. Values in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.economics.cost.balance import Comparison
from runner.economics.cost.simulation import COVERS, Outlook
from runner.economics.cost.statement import Statement
from runner.report import dollars, figures


def effect(before: Statement, after: Statement) -> list[str]:
    """Return what a change does: a line for each figure that differs, of the running account and of everything counted.

    Month, year, saving, break-even, payback, what the API and the set-up cost, and how sure the saving is.
    """
    old, new = before.balance, after.balance
    lines = list(_effect(old.comparisons[0], new.comparisons[0]))
    if old.api_month != new.api_month:
        lines.append(f"the API: {dollars.amount(old.api_month)} -> {dollars.amount(new.api_month)} a month")
    if old.setup != new.setup:
        lines.append(f"set-up: {dollars.amount(old.setup)} -> {dollars.amount(new.setup)} once")
    lines += _everything(old.comparisons[-1], new.comparisons[-1])
    lines += _surer("", before.outlooks[0], after.outlooks[0])
    if len(after.outlooks) > 1:
        lines += _surer(", everything counted", before.outlooks[-1], after.outlooks[-1])
    return lines


def _effect(old: Comparison, new: Comparison) -> Iterator[str]:
    """Yield what differs as it is shown: two reasons for the same "never" are one."""
    if old.month != new.month:
        month = new.month - old.month
        change = f"{month:+,.2f}; {12 * month:+,.2f} a year"
        yield f"running cost: {dollars.amount(old.month)} -> {dollars.amount(new.month)} a month ({change})"
    if old.saving != new.saving:
        saved = f"{dollars.amount(old.saving_year)} -> {dollars.amount(new.saving_year)} a year"
        yield f"saved against the API: {saved}"
    even = [dollars.traffic(each.break_even) for each in (old, new)]
    if even[0] != even[1]:
        yield f"break-even: {even[0]} -> {even[1]} requests a month"
    paid = [dollars.months(each.payback) for each in (old, new)]
    if paid[0] != paid[1]:
        yield f"payback of the set-up: {paid[0]} -> {paid[1]}"


def _everything(old: Comparison, new: Comparison) -> Iterator[str]:
    differs = []
    if old.month != new.month:
        differs.append(f"{dollars.amount(old.month)} -> {dollars.amount(new.month)} a month")
    if old.saving != new.saving:
        saved = f"{dollars.amount(old.saving_year)} -> {dollars.amount(new.saving_year)} a year"
        differs.append(f"saved against the API: {saved}")
    if differs:
        yield f"everything counted: {', '.join(differs)}"


def _surer(counted: str, old: Outlook, new: Outlook) -> Iterator[str]:
    if (old.saving_year, old.chance) == (new.saving_year, new.chance):
        return
    saves = f"saves {dollars.interval(old.saving_year)} -> {dollars.interval(new.saving_year)} a year"
    chances = f"{figures.chance(old.chance)} -> {figures.chance(new.chance)}"
    yield f"{COVERS:.0%} sure{counted}: {saves}; that it saves at all: {chances}"
