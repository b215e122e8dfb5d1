"""A question as hashes: enough to tell whether it is asked again, too little to read it.

`outcomes` keeps sketches for as long as a window is open and writes them into its journal. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from runner.signals.reask.frames import Frame, frame
from runner.signals.reask.pieces import Kind, pieces
from runner.signals.reask.rarity import SHIPPED, Rarity
from runner.signals.reask.repairs import repaired
from runner.signals.reask.words import is_figure
from runner.signals.text import plain

READ = 512
"""Characters of a question that are compared."""
_STEPS = 100
_BITS = 8
_WEIGHT = (1 << _BITS) - 1

Grams = frozenset[int]


def total(grams: Iterable[int]) -> int:
    """Return what parts weigh together, in hundredths."""
    return sum([gram & _WEIGHT for gram in grams])


@dataclass(frozen=True, slots=True)
class Question:
    """What is kept of a question.

    `said` holds a hash of every part of it, `meant` those it did not take back (all, where it corrects nothing); the
    lowest 8 bits of each are its weight in hundredths. `figures` are those of `meant` that stand for a number, a
    date or a negation, `asks` is the kind of answer it wants.
    """

    said: Grams
    meant: Grams
    figures: Grams = frozenset()
    asks: Frame = Frame.NONE
    weight: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", total(self.meant))

    @property
    def corrected(self) -> bool:
        """Whether it takes something back that it said."""
        return len(self.said) > len(self.meant)

    def to_json(self) -> list[Any]:
        """Return it as JSON values."""
        taken_back = sorted(self.said - self.meant)
        return [sorted(self.meant), taken_back, sorted(self.figures), int(self.asks)]

    @classmethod
    def from_json(cls, value: Any) -> Question:
        """Read it back. Raises TypeError or ValueError where it is something else."""
        meant, taken_back, figures, asks = value
        kept = _hashes(meant)
        return cls(kept | _hashes(taken_back), kept, _hashes(figures), Frame(int(asks)))


NOTHING = Question(frozenset(), frozenset())
"""A text in which nothing is asked; like no question, not even itself."""


def sketch(text: str, rarity: Rarity = SHIPPED) -> Question:
    """Return the sketch of a question; case, punctuation and most spacing make no difference."""
    spelled = plain(text[:READ])
    taken_back, words = repaired(spelled)
    meant = _weighed(words, rarity)
    if not meant:
        return NOTHING
    said = meant | _weighed(taken_back + words, rarity) if taken_back else meant
    figures = _weighed([word for word in words if is_figure(word)], rarity, Kind.WORD)
    asks = frame(" ".join(words))
    if taken_back and asks is Frame.POLAR:
        asks = Frame.NONE  # the question word may stand before the correction
    return Question(said, meant, figures, asks)


def _weighed(words: list[str], rarity: Rarity, kind: Kind | None = None) -> Grams:
    """Return the hashes of all parts of words, or of those of one kind, each with its weight."""
    found = set()
    for piece in pieces(words):
        if kind is not None and piece.kind is not kind:
            continue
        weight = min(_WEIGHT, max(1, round(_STEPS * rarity.weight(piece))))
        found.add(piece.key << _BITS | weight)
    return frozenset(found)


def _hashes(value: Any) -> Grams:
    if not isinstance(value, list):
        raise TypeError(f"a list of hashes is expected, not {type(value).__name__}")
    return frozenset(int(each) for each in value)
