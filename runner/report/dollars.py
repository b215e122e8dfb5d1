"""How money is written: amounts, changes, intervals, and when something is paid back or breaks even.

Called by reports on costs. Values in, text out.
"""

from __future__ import annotations

import math
from typing import Final

from runner.economics.cost.balance import Never
from runner.economics.cost.simulation import Range

NEVER: Final = "never"
_STEPS: Final = 500
"""Parts of an interval below which another seed of the simulation would show other digits."""


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
    """Return both ends in as many digits as another seed of the simulation would show, too."""
    width = found.high - found.low
    power = math.ceil(math.log10(width / _STEPS)) if width > 0 else -2
    unit, digits = 10.0**power, max(0, -power)
    low, high = (round(end / unit) * unit for end in (found.low, found.high))
    return " to ".join(f"{'-' if end < 0 else ''}${abs(end):,.{digits}f}" for end in (low, high))


def traffic(requests: float | Never) -> str:
    """Return whole requests, rounded up."""
    return NEVER if isinstance(requests, Never) else f"{math.ceil(requests - 1e-6):,}"


def months(found: float | Never) -> str:
    """Return a time of months."""
    return NEVER if isinstance(found, Never) else f"{found:,.1f} months"
