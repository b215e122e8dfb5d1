"""Which item a person is given next, so that items get finished and nobody is shown what others said.

An item goes to as many people as the policy says, to nobody twice, and never to somebody whose conversation or vote it
is. While a person looks at an item its place is leased, so that two people at once do not fill one place; a lease that
has run out frees it again. Items on which all have spoken without a majority go to a queue of their own, whose people
see what the others said. Deciding only: whoever holds the leases passes them in, and the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from runner.feedback.labels.items import Item
from runner.feedback.labels.opinions import NOBODY, Key, Opinions
from runner.feedback.labels.resolution import Resolved, Wait, resolved

LEASE_S = 900.0
"""So long an item is kept for a person: longer than one thinks about it, shorter than a lunch."""


class Mode(StrEnum):
    """What a person sits down for."""

    REVIEW = "review"
    """Judging blind."""
    ADJUDICATION = "adjudication"
    """Having the last word where others disagree."""


class State(StrEnum):
    """How far an item is."""

    WAITING = "waiting"
    """It lacks people."""
    DISPUTED = "disputed"
    """All have spoken, without a majority."""
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Lease:
    """An item that a person is looking at, until a time in seconds since 1970."""

    key: Key
    user: str
    until: float


@dataclass(frozen=True, slots=True)
class Given:
    """An item for a person, and all leases that hold from now on."""

    item: Item | None
    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the queue is: `own` items of one person are done, `waiting` need votes, `disputed` a last word."""

    items: int
    settled: int
    waiting: int
    disputed: int
    own: int
    open_to: int
    """Items that this person may still judge."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a person sees: an item, None where nothing is left, and how far the queue is.

    `others` is what the others said, only where this person has the last word.
    """

    item: Item | None
    others: Opinions
    progress: Progress


@dataclass(frozen=True, slots=True)
class Seat:
    """A person at the queue; `passed` are the items that they put off, the latest last."""

    user: str
    mode: Mode = Mode.REVIEW
    passed: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """All items with what was said of them; `raters` people see each."""

    items: Sequence[Item]
    said: Mapping[Key, Opinions]
    raters: int

    def give(self, seat: Seat, leases: Iterable[Lease], now: float) -> Given:
        """Return the next item for a person and lease it.

        A person who comes back gets the item that is leased to them already. Of the others the one comes first that
        lacks the fewest people, then the oldest; those that were put off come after all others. None where nothing is
        left for this person at the moment.
        """
        held = [lease for lease in leases if lease.until > now]
        others = tuple(lease for lease in held if lease.user != seat.user)
        taken = Counter(lease.key for lease in others)
        own = {lease.key for lease in held if lease.user == seat.user}
        late = {key: place for place, key in enumerate(seat.passed, start=1)}

        def order(item: Item) -> tuple[int, bool, int, int, str, str]:
            votes = len(self.of(item).votes)
            return late.get(item.key, 0), item.key not in own, -votes, item.at_us, *item.key

        free = (item for item in self.items if self.places(item, seat) > taken[item.key])
        chosen = min(free, key=order, default=None)
        if chosen is None:
            return Given(None, others)
        return Given(chosen, (*others, Lease(chosen.key, seat.user, now + LEASE_S)))

    def of(self, item: Item) -> Opinions:
        """Return what was said of an item."""
        return self.said.get(item.key, NOBODY)

    def places(self, item: Item, seat: Seat) -> int:
        """Return how many people an item still lacks where this person may be one of them, else 0."""
        said = self.of(item)
        if seat.user in item.involved or seat.user in said.voters:
            return 0
        match seat.mode:
            case Mode.REVIEW:
                return 0 if seat.user in said.judges else max(0, self.raters - len(said.votes))
            case Mode.ADJUDICATION:
                return int(disputed(said, self.raters))
            case _:
                assert_never(seat.mode)

    def progress(self, user: str) -> Progress:
        """Return how far the queue is, and how far one person is with it."""
        states = Counter(state(self.of(item), self.raters) for item in self.items)
        return Progress(
            items=len(self.items),
            settled=states[State.SETTLED],
            waiting=states[State.WAITING],
            disputed=states[State.DISPUTED],
            own=sum(user in self.of(item).voters | self.of(item).judges for item in self.items),
            open_to=sum(self.places(item, Seat(user)) > 0 for item in self.items),
        )


def state(said: Opinions, raters: int) -> State:
    """Return how far an item is."""
    found = resolved(said, raters)
    if isinstance(found, Resolved):
        return State.SETTLED
    return State.DISPUTED if found.why is Wait.LAST_WORD else State.WAITING


def disputed(said: Opinions, raters: int) -> bool:
    """Whether all have spoken on an item, and somebody else has to have the last word."""
    return state(said, raters) is State.DISPUTED


def released(leases: Iterable[Lease], user: str) -> tuple[Lease, ...]:
    """Return what holds once `user` has given back what was leased to them."""
    return tuple(lease for lease in leases if lease.user != user)
