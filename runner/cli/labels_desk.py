"""What the review queue is made of on this machine: collected items, labels of the event log, leases in memory.

`loop console` gives a `Desk` to the review page; `loop labels` reads the same files. Leases live as long as the
process: two consoles at once may give one place away twice, which makes a label more and loses none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.cli.logged import read_events
from runner.events.schema import Kind
from runner.feedback import collected, folders
from runner.feedback.extraction import reviews
from runner.feedback.labels.items import Item, independent, items
from runner.feedback.labels.opinions import NOBODY, opinions
from runner.feedback.labels.queue import Lease, Mode, Queue, Seat, Turn, released
from runner.feedback.records import Label

FRESH_S = 5.0
"""The log is read again where what is known is older; what this console stored itself is known at once."""


def read_items(root: Path) -> tuple[Item, ...]:
    """Return the items of what was collected, none where nothing was. Raises LoopError where it is damaged."""
    folder = root / collected.FOLDER
    folders.settle(folder)
    if not (folder / collected.MANIFEST).is_file():
        return ()
    found = collected.read(folder)
    return items(found.records, found.ballots)


def read_labels(root: Path, environment: str) -> tuple[Label, ...]:
    """Return the labels of an environment's event log, by time. Raises LoopError, OSError."""
    return reviews.read(read_events(root, environment, Kind.LABEL)[Kind.LABEL]).labels


@dataclass(slots=True)
class _Known:
    """What was read, and when (seconds of the clock); `own` labels were stored since by this console."""

    items: tuple[Item, ...] = ()
    labels: tuple[Label, ...] = ()
    own: tuple[Label, ...] = ()
    at: float = float("-inf")


class Desk:
    """Gives people items and remembers what they hold; implements `console.review.ReviewPorts`."""

    def __init__(
        self, root: Path, environment: str, raters: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._root, self._environment, self._raters, self._clock = root, environment, raters, clock
        self._known = _Known()
        self._leases: tuple[Lease, ...] = ()
        self._reading = asyncio.Lock()

    async def turn(self, seat: Seat) -> Turn:
        """Return a person's next item, leased to them. Raises LoopError, OSError where the files cannot be read."""
        async with self._reading:
            if self._clock() - self._known.at >= FRESH_S:
                began = self._clock()
                found = await asyncio.to_thread(self._read)
                own = tuple(label for label in self._known.own if label.at_us >= began * 1e6)
                self._known = _Known(*found, own, began)
            known = self._known
            queue = Queue(known.items, opinions((*known.labels, *known.own)), self._raters)
            given = queue.give(seat, self._leases, self._clock())
            self._leases = given.leases
        blind = given.item is None or seat.mode is Mode.REVIEW
        others = NOBODY if blind or given.item is None else queue.of(given.item)
        return Turn(given.item, others, queue.progress(seat.user))

    async def stored(self, label: Label) -> None:
        """Count a label that the gateway has stored, and free its place."""
        self._known.own += (label,)
        self._leases = released(self._leases, label.user)

    def _read(self) -> tuple[tuple[Item, ...], tuple[Label, ...]]:
        found = read_items(self._root)
        return found, independent(read_labels(self._root, self._environment), found)
