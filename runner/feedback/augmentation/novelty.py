"""Which questions may be asked in other words, and which wordings are new: no suite asks them, and nobody did yet.

A real pair that training may not see is no parent either: in another frame a suite's question would come into training
unseen. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from runner import digest
from runner.feedback.preferences.likeness import Neighbours, likeness
from runner.feedback.preferences.pairs import Pair, asked, faults
from runner.feedback.preferences.screen import Screen
from runner.feedback.records import Messages, question
from runner.spec.collection import PairQuality


@dataclass(frozen=True, slots=True)
class Known:
    """What was asked already, what training may not see, and from which likeness on two questions count as one."""

    asked: Neighbours
    screen: Screen
    floor: float

    def is_new(self, prompt: Messages, category: str, since: Iterable[str] = ()) -> bool:
        """Return whether nobody asked this yet, also not the wordings made `since`, and training may see it."""
        text = question(prompt)
        if self.asked.of(text) or self.screen.of(prompt, category).reasons:
            return False
        return all(likeness(text, other) < self.floor for other in since)


def known(prompts: Iterable[Messages], screen: Screen, floor: float) -> Known:
    """Return what real conversations ask."""
    return Known(Neighbours({text for prompt in prompts for text in asked(prompt)}, floor), screen, floor)


def fit(pairs: Iterable[Pair], screen: Screen, quality: PairQuality) -> dict[str, list[Pair]]:
    """Return the real pairs that may be trained on, by category, in an order drawn by their ids."""
    found: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in sorted(pairs, key=lambda each: digest.of_value(["parent", each.id])):
        if not (pair.synthetic or faults(pair, quality) or screen.of(pair.prompt, pair.category).reasons):
            found[pair.category].append(pair)
    return dict(found)
