"""The alternatives that every test bets on, with equal weights, and the arrays derived from them once.

One grid serves all tests, so that evidence of one kind is always an array with the same last axis. Nothing here
depends on data.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

ODDS_RATIOS: Final = (1.15, 1.4, 2.0, 4.0, 12.0)
"""How many times higher the odds of a bad outcome may be: from hardly worse to broken."""

FRACTIONS: Final = (0.01, 0.03, 0.08, 0.2, 0.45, 0.8)
"""Shares of the greatest bet on a mean, for values that lie anywhere between 0 and 1."""

Floats = NDArray[np.float64]
Column = Floats | float
"""What broadcasts against a grid: an array whose last axis has length 1, or a number."""

ODDS: Final[Floats] = np.array(ODDS_RATIOS)
BETS: Final[Floats] = np.array(FRACTIONS)
LOG_ODDS: Final[Floats] = np.log(ODDS)
SHIFTS: Final[Floats] = ODDS - 1.0
for _constant in (ODDS, BETS, LOG_ODDS, SHIFTS):
    _constant.flags.writeable = False


def column(value: ArrayLike) -> Column:
    """Make an array over worlds, by a last axis, broadcast against a grid; a number does so as it is, and faster."""
    return value if isinstance(value, (float, int)) else np.asarray(value, dtype=np.float64)[..., None]
