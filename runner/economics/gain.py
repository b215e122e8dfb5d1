"""How much a round of preference training may gain in win rate over one half, and how little.

Nobody knows before the training; this says what the data at hand rule out, by a rule that can be read:

1. Only a vote that names a winner teaches anything. Where the parent gives the preferred one of two answers with
   probability p, a version that always gives it wins (1 - p)/2 more than one half of such comparisons. With a share c
   of clear winners the ceiling is c (1 - p)/2, taken at the ends that make it highest. Both answers of a blind
   comparison are the parent's own draws, so that p is one half, unless held-out pairs show that the parent orders
   more of them as people do; how many it orders so stands for p then.
2. A round gains no more than the one before it did: rounds since the last supervised training show diminishing
   returns, so that the upper end of the last measured gain is a ceiling too.
3. The floor is 0, for nothing says that what was taught carries over, until two rounds were measured: then a gain
   falls from the last one on by the ratio of the two, taken at their worse ends.

Pure; `decide` calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runner.signals.readings.estimates import Estimate

EVEN: Final = 0.5
"""Win rate of two versions of which none is better; and the parent's chance of the preferred answer, unmeasured."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A gain in win rate over one half: the likeliest value where there is one, its ends, and what bounds it."""

    value: float | None
    low: float
    high: float
    because: str


def expected(clear: Estimate | None, prefers: Estimate | None, wins: Sequence[Estimate]) -> Expected | None:
    """Return what the next round may gain, None where nothing bounds it.

    `clear` is the share of votes that name a winner, `prefers` that of held-out pairs which the parent orders as people
    do, and `wins` are the measured win rates of the rounds since the last supervised training, the oldest first.
    """
    gains = [each for each in map(_gain, wins) if each is not None]
    ceilings = [each for each in (_of_votes(clear, prefers), _of_last(gains)) if each is not None]
    if not ceilings:
        return None
    high, because = min(ceilings)
    if len(gains) < 2:
        return Expected(None, 0.0, high, because)
    before, last = gains[-2:]
    value, low = _next(last[1], before[1]), _next(last[0], before[2])
    return Expected(min(value, high), min(low, high), high, because)


def _of_votes(clear: Estimate | None, prefers: Estimate | None) -> tuple[float, str] | None:
    if clear is None or clear.value is None or clear.high is None:
        return None
    known = EVEN if prefers is None or prefers.low is None else prefers.low
    chance = max(EVEN, known)
    told = "taken as one half" if chance == EVEN else f"at least {chance:.2f}"
    return (
        clear.high * (1.0 - chance) / 2,
        f"at most {clear.high:.0%} of the votes name a winner, and the parent's chance of giving it is {told}",
    )


def _of_last(gains: Sequence[tuple[float, float, float]]) -> tuple[float, str] | None:
    if not gains:
        return None
    return gains[-1][2], f"the last round gained at most {gains[-1][2]:.1%}"


def _gain(win: Estimate) -> tuple[float, float, float] | None:
    """Return lower end, value and upper end of a gain, each at least 0; None where the win rate is not bounded."""
    if win.value is None or win.low is None or win.high is None:
        return None
    low, value, high = (max(0.0, each - EVEN) for each in (win.low, win.value, win.high))
    return low, value, high


def _next(last: float, before: float) -> float:
    """Return a gain that falls again as it fell; where it did not fall it stays, and it never grows."""
    return last * min(1.0, last / before) if before > 0 else last
