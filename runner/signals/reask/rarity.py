"""How much each piece of a question weighs: what is rare says more about what is asked.

Without data the weights come from the word lists of `words`. `Rarity.learn` adds what questions without labels show
(inverse document frequency), the lists standing for a hundred questions of any subject; sketches are comparable
only where the same rarity made them. Called by `question`. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runner.signals.reask.pieces import Piece, pieces
from runner.signals.reask.repairs import repaired
from runner.signals.text import plain

PRIOR = 100.0
"""As many questions of any subject as the word lists stand for."""
_UNIT = 4.5
"""Minus the logarithm of the share of questions that a piece of weight 1 is in: about one in a hundred."""
_SHARPNESS = 1.3
"""Exponent of learned information: one rare piece says more than many common ones that amount to the same."""


@dataclass(frozen=True, slots=True)
class Rarity:
    """In how many of `questions` each piece was found, by its hash."""

    questions: int = 0
    found: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Rarity:
        """Return the rarity that questions show; the same text counts once, labels are not needed."""
        found: Counter[int] = Counter()
        unlike = set(texts)
        for text in unlike:
            before, meant = repaired(plain(text))
            found.update({piece.key for piece in pieces(before + meant)})
        return cls(len(unlike), dict(found))

    def weight(self, piece: Piece) -> float:
        """Return what a piece weighs: the list's weight without data, near -log of its share with much."""
        if not self.questions:
            return piece.scale * piece.prior
        expected = PRIOR * math.exp(-_UNIT * piece.prior ** (1 / _SHARPNESS))
        share = (self.found.get(piece.key, 0) + expected) / (self.questions + PRIOR)
        return piece.scale * math.pow(max(0.0, -math.log(share) / _UNIT), _SHARPNESS)


SHIPPED = Rarity()
"""The word lists alone: what a runner starts with, and the same on every machine."""
