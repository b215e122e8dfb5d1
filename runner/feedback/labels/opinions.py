"""What people said of each item and task, once everything that was said again or twice is sorted out.

Queue, agreement and resolution read labels through this, so that they never disagree about who has spoken. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.feedback.records import Label, Task

Key = tuple[str, Task]
"""An item and what was asked of it."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """The labels of one item and task that count, by time.

    `votes` were given blind, the latest of each person. `last_words` were given by people who had not voted and saw
    what the others said: they count nowhere but where the votes have come to nothing.
    """

    votes: tuple[Label, ...] = ()
    last_words: tuple[Label, ...] = ()

    @property
    def voters(self) -> frozenset[str]:
        """Who has voted."""
        return frozenset(label.user for label in self.votes)

    @property
    def judges(self) -> frozenset[str]:
        """Who has said a last word."""
        return frozenset(label.user for label in self.last_words)


NOBODY = Opinions()


def opinions(labels: Iterable[Label]) -> dict[Key, Opinions]:
    """Return what people said by item and task. Labels may come in any order and more than once.

    Somebody who votes on an item and also has the last word on it keeps the vote only: nobody settles what they have
    an opinion on.
    """
    latest: dict[tuple[str, Task, str, bool], Label] = {}
    for label in labels:
        place = label.item, label.task, label.user, label.final
        if place not in latest or _when(label) > _when(latest[place]):
            latest[place] = label
    found: defaultdict[Key, tuple[list[Label], list[Label]]] = defaultdict(lambda: ([], []))
    for (item, task, user, final), label in latest.items():
        if not final:
            found[item, task][0].append(label)
        elif (item, task, user, False) not in latest:
            found[item, task][1].append(label)
    return {
        key: Opinions(tuple(sorted(votes, key=_when)), tuple(sorted(words, key=_when)))
        for key, (votes, words) in found.items()
    }


def majority(votes: Mapping[str, int]) -> str | None:
    """Return the word that more than half of all said, None where there is none."""
    everybody = sum(votes.values())
    return next((value for value, count in votes.items() if 2 * count > everybody), None)


def _when(label: Label) -> tuple[int, str]:
    return label.at_us, label.id
