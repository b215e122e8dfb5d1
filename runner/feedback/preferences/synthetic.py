"""How many synthetic pairs stand beside real ones: at most the policy's share, in the whole and in each category.

What is too much is dropped by a draw that depends on nothing but the pairs' ids. Since the bound holds in every
category it holds in the whole. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from runner import digest
from runner.feedback.augmentation.budget import most
from runner.feedback.preferences.pairs import Pair


def within_share(pairs: Sequence[Pair], largest: float) -> tuple[list[Pair], list[tuple[Pair, str]]]:
    """Return the pairs that may stay, in their order, and the synthetic ones that are too many, each with the figures.

    `largest` is the largest share of synthetic pairs, at least 0 and less than 1.
    """
    real = Counter(pair.category for pair in pairs if not pair.synthetic)
    made: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in sorted((pair for pair in pairs if pair.synthetic), key=_draw):
        made[pair.category].append(pair)
    over: dict[str, tuple[Pair, str]] = {}
    for category, own in made.items():
        allowed = most(real[category], largest)
        for pair in own[allowed:]:
            told = f"{category or 'no category'}: {allowed} beside {real[category]} real ones, of {len(own)}"
            over[pair.id] = (pair, told)
    return [pair for pair in pairs if pair.id not in over], list(over.values())


def _draw(pair: Pair) -> str:
    return digest.of_value(["synthetic", pair.id])
