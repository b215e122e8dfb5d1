"""How money is written: amounts, changes, intervals, and when something is paid back or breaks even.

Called by reports on costs. Values in, text out.
"""

from __future__ import annotations

import math
from typing import Final

from runner.economics.cost.balance import Never
from runner.economics.cost.simulation import Range

NEVER: Final = "never"
NOTHING_DUE: Final = "nothing to pay back"
_STEPS: Final = 250
"""Parts of an interval that are shown: in finer ones another seed of the simulation would show other digits."""


def amount(value: float) -> str:
    """Return dollars and cents; below zero where that is left of rounding."""
    return f"-${-value:,.2f}" if round(value, 2) < 0 else f"${abs(value):,.2f}"


def short(value: float) -> str:
    """Return dollars, with cents where there are any."""
    return amount(value).removesuffix(".00")


def change(value: float) -> str:
    """Return whole dollars more or less."""
    return f"{'+' if value > 0 else '-' if value < 0 else ''}${abs(value):,.0f}"


def interval(found: Range) -> str:
    """Return both ends, rounded to what another seed of the simulation would show, too."""
    unit = step(found)
    digits = max(0, math.ceil(-math.log10(unit)))
    low, high = (round(end / unit) * unit for end in (found.low, found.high))
    return " to ".join(f"{'-' if end < 0 else ''}${abs(end):,.{digits}f}" for end in (low, high))


def step(found: Range) -> float:
    """Return what the ends of an interval are rounded to: 1, 2 or 5 times a power of ten; a cent for a single value."""
    width = found.high - found.low
    if width <= 0:
        return 0.01
    least = width / _STEPS
    power = 10.0 ** math.floor(math.log10(least))
    return next(part * power for part in (1, 2, 5, 10) if part * power >= least)


def traffic(requests: float | Never) -> str:
    """Return whole requests, rounded up."""
    return NEVER if isinstance(requests, Never) else f"{math.ceil(requests - 1e-6):,}"


def months(found: float | Never) -> str:
    """Return after how many months something is paid back."""
    if isinstance(found, Never):
        return NEVER
    return f"{found:,.1f} months" if found else NOTHING_DUE
