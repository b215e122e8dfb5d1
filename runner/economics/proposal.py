"""Which round to train, if one is trained: the recipe, on which data set, from which parent. Pure; `decide` calls it.

Pairs come before thumbs, for a pair says what to give instead. After `max_rounds` rounds of preference training a
supervised one comes first, where corrections suffice that no version was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.economics.situation import Pool
from runner.spec.model import TrainingType

_PREFERENCES = (TrainingType.DPO, TrainingType.KTO)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One round: what it trains on, how many fresh rows it wants, and the version it starts from."""

    pool: Pool
    parent: str
    wanted: int

    @property
    def is_supervised(self) -> bool:
        """Whether it is supervised training rather than training on preferences."""
        return self.pool.type is TrainingType.SFT

    @property
    def suffices(self) -> bool | None:
        """Whether there are as many fresh rows as it wants; None where nobody knows."""
        return None if self.pool.fresh is None else self.pool.fresh >= self.wanted

    @property
    def command(self) -> str:
        """What trains it."""
        return " ".join(("loop train", self.pool.recipe, *self.pool.flags))


def propose(
    pools: Sequence[Pool], parent: str, min_samples: int, *, supervised_first: bool
) -> Proposal | None:
    """Return the round to train, the first where no data set suffices; None where no recipe trains on preferences."""
    supervised = [Proposal(pool, parent, pool.least) for pool in pools if pool.type is TrainingType.SFT]
    preferred = [
        Proposal(pool, parent, min_samples) for type_ in _PREFERENCES for pool in pools if pool.type is type_
    ]
    order = [*supervised, *preferred] if supervised_first else preferred
    return next((each for each in order if each.suffices), next(iter(preferred), None))
