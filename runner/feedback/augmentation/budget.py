"""How many synthetic pairs there may be: the policy's share, in the whole and in each category. Exact, pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

_EXACT = 1_000_000
"""Shares are read as fractions with at most this denominator, so that 20% is a fifth and not a little more."""


def most(real: int, share: float) -> int:
    """Return how many synthetic pairs may stand beside so many real ones: the largest s with s <= share * (real + s).

    `share` is at least 0 and less than 1.
    """
    exact = Fraction(share).limit_denominator(_EXACT)
    return exact.numerator * real // (exact.denominator - exact.numerator)


def room(real: Mapping[str, int], made: Mapping[str, int], share: float) -> dict[str, int]:
    """Return how many more synthetic pairs there may be by category, of those that have real pairs.

    `real` and `made` count pairs by category. The bound holds in each category and so in the whole, where it is held
    as well if a category has too many already.
    """
    own = {category: max(0, most(count, share) - made.get(category, 0)) for category, count in real.items()}
    left = max(0, most(sum(real.values()), share) - sum(made.values()))
    found: dict[str, int] = {}
    for category in sorted(own):
        found[category] = min(own[category], left)
        left -= found[category]
    return found


def limited(room_: Mapping[str, int], limit: int) -> dict[str, int]:
    """Return as much of the room as a limit on all categories together leaves, one pair of each category in turn."""
    found = dict.fromkeys(room_, 0)
    while limit > 0 and (
        open_ := [category for category in sorted(room_) if found[category] < room_[category]]
    ):
        for category in open_[:limit]:
            found[category] += 1
        limit -= len(open_[:limit])
    return found
