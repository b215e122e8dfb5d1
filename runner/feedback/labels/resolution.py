"""What the labels of an item come to: a majority, a last word, or nothing yet.

Called by the snapshot and by `loop labels`. Nothing is settled before as many people have spoken as the policy says,
and nothing of a task is used as long as people agree less on it than the policy's floor. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runner.feedback.labels.agreement import TaskAgreement, agreements
from runner.feedback.labels.opinions import NOBODY, Key, Opinions, majority, opinions
from runner.feedback.records import Label, Task
from runner.spec.collection import Agreement


class By(StrEnum):
    """What settled an item."""

    MAJORITY = "majority"
    """More than half of all who voted."""
    FINAL = "final"
    """Somebody who had not voted, after the others had not come to a majority."""


class Wait(StrEnum):
    """Why an item is not settled."""

    VOTES = "votes"
    """Fewer people have spoken than have to."""
    LAST_WORD = "last_word"
    """All have spoken, and no word has more than half of the votes."""
    AGREEMENT = "agreement"
    """People agree too little on the whole task for any of its labels to be used."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """An item that is settled; `correction` is what somebody on the winning side wrote instead, the latest of them."""

    value: str
    by: By
    votes: Mapping[str, int]
    """Word -> how many people said it."""
    correction: str | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An item that is not settled; `reason` says the same in words, with the figures."""

    why: Wait
    reason: str
    votes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Settled:
    """What all labels come to. `by_item` knows no floor: use `of` for what goes into data."""

    by_item: Mapping[Key, Resolved | Unsettled]
    agreement: Mapping[Task, TaskAgreement]
    raters: int

    def usable(self, task: Task) -> bool:
        """Whether people agree well enough on a task for its labels to be used; not where nothing is known."""
        found = self.agreement.get(task)
        return found is not None and found.usable

    def of(self, item: str, task: Task) -> Resolved | Unsettled:
        """Return what may be used of an item's labels; never a value of a task that people do not agree on."""
        found = self.by_item.get((item, task)) or resolved(NOBODY, self.raters)
        if isinstance(found, Unsettled) or self.usable(task):
            return found
        return Unsettled(Wait.AGREEMENT, self.agreement[task].reason, found.votes)


def resolve(labels: Iterable[Label], policy: Agreement) -> Settled:
    """Return what all labels come to; in any order, repeated ones count once.

    The same labels always give the same result, intervals included.
    """
    said = opinions(labels)
    by_item = {key: resolved(each, policy.raters) for key, each in said.items()}
    return Settled(by_item, agreements(said, policy), policy.raters)


def resolved(said: Opinions, raters: int) -> Resolved | Unsettled:
    """Return what one item's labels come to, whatever the agreement on its task."""
    votes = dict(sorted(Counter(label.value for label in said.votes).items()))
    if len(said.votes) < raters:
        return Unsettled(Wait.VOTES, f"{len(said.votes)} of {raters} people have spoken", votes)
    if value := majority(votes):
        return Resolved(value, By.MAJORITY, votes, _correction(said.votes, value))
    if said.last_words:
        last = said.last_words[-1]
        return Resolved(last.value, By.FINAL, votes, last.correction or _correction(said.votes, last.value))
    told = ", ".join(f"{count} {value}" for value, count in votes.items())
    return Unsettled(Wait.LAST_WORD, f"no word has more than half of the votes: {told}", votes)


def _correction(votes: Sequence[Label], value: str) -> str | None:
    return next(
        (each.correction for each in reversed(votes) if each.value == value and each.correction), None
    )
