"""The pairs that may be trained on, of all that were made: fit one by one, asked in no suite, each once, few synthetic.

Pairs of votes go first, then those of corrections, then synthetic ones: of two that say nearly the same, or the
opposite of the same answers, the earlier stays. Pure; the order in which pairs come makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from runner.feedback.preferences.likeness import fold, leaders
from runner.feedback.preferences.pairs import (
    Dropped,
    Origin,
    Pair,
    Why,
    dropped,
    faults,
    orientation,
    talk,
)
from runner.feedback.preferences.reviews import Reviews
from runner.feedback.preferences.screen import Screen
from runner.feedback.preferences.synthetic import within_share
from runner.spec.collection import CollectionPolicy

_FIRST = {Origin.VOTE: 0, Origin.CORRECTION: 1, Origin.SYNTHETIC: 2}


@dataclass(frozen=True, slots=True)
class Selected:
    """The pairs that stay, by id, and what became of the others."""

    pairs: tuple[Pair, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """What pairs are selected by."""

    policy: CollectionPolicy
    screen: Screen
    reviews: Reviews

    def select(self, pairs: Iterable[Pair], parents: Collection[str]) -> Selected:
        """Select; a synthetic pair needs all that it was made from among `parents` or the pairs that stay."""
        lost: list[Dropped] = []
        fit: list[Pair] = []
        for pair in sorted(pairs, key=_order):
            why, detail = self._against(pair)
            if why:
                lost += dropped(pair, why, detail)
            else:
                fit.append(pair)
        single = self._once(fit, lost)
        known = {*parents, *(pair.id for pair in single)}
        real = [pair for pair in single if not pair.synthetic or known.issuperset(pair.sources)]
        kept_ids = {pair.id for pair in real}
        for pair in single:
            if pair.id not in kept_ids:
                lost += dropped(pair, [Why.PARENT], ", ".join(sorted(set(pair.sources) - known)))
        kept, over = within_share(real, self.policy.augmentation.max_share)
        for pair, told in over:
            lost += dropped(pair, [Why.SYNTHETIC_SHARE], told)
        return Selected(tuple(sorted(kept, key=lambda pair: pair.id)), tuple(lost))

    def _against(self, pair: Pair) -> tuple[tuple[Why, ...], str]:
        screened = self.screen.of(pair.prompt, pair.category)
        reviewed = self.reviews.bad(pair.prompt, pair.chosen) or self.reviews.good(pair.prompt, pair.rejected)
        why = [*faults(pair, self.policy.pairs), *screened.reasons]
        return (*why, Why.REVIEWED_OTHERWISE) if reviewed else tuple(why), screened.detail

    def _once(self, pairs: Sequence[Pair], lost: list[Dropped]) -> list[Pair]:
        """Return pairs of which no two say nearly the same or the opposite; the others go to `lost`."""
        floor = self.policy.sets.near_duplicate
        same_talk = leaders((talk(pair.prompt) for pair in pairs), floor)
        by_talk: defaultdict[str, list[Pair]] = defaultdict(list)
        kept: list[Pair] = []
        for pair in pairs:
            before = by_talk[same_talk[fold(talk(pair.prompt))]]
            found = next(
                ((turn, other) for other in before if (turn := _orientation(pair, other, floor))), None
            )
            if found is None:
                before.append(pair)
                kept.append(pair)
            else:
                turn, other = found
                lost += dropped(pair, [Why.DUPLICATE if turn == 1 else Why.CONTRADICTORY], other.id)
        return kept


def _orientation(one: Pair, other: Pair, floor: float) -> int:
    return orientation((one.chosen, one.rejected), (other.chosen, other.rejected), floor)


def _order(pair: Pair) -> tuple[int, int, int, str]:
    return _FIRST[pair.origin], -pair.votes, pair.at_us, pair.id
