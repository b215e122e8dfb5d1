"""The shop's customers in a thread of their own, so that the story can go on while they ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runner.demo.claims import PATIENCE_S, claim
from runner.simulation.people.crowd import Crowd, Habits, Seen, crowd


@dataclass(frozen=True, slots=True)
class Customers:
    """Everybody who asks; what they saw can be read at any time."""

    crowd: Crowd

    def seen(self, since: float = 0.0) -> list[Seen]:
        """Return every question so far that was asked after a moment, seconds since 1970."""
        return [each for each in list(self.crowd.seen) if each.at >= since]

    def failed(self, since: float = 0.0, until: float = float("inf")) -> list[Seen]:
        """Return those that got no answer."""
        return [each for each in self.seen(since) if each.failure is not None and each.at < until]

    def answered(self, version: str, since: float = 0.0) -> int:
        """Return how many answers a version gave."""
        return sum(each.version == version and each.failure is None for each in self.seen(since))

    def ratings(self, version: str) -> list[int]:
        """Return every rating from 1 to 5 that a version's answers were given."""
        said = (each.reaction.said for each in self.seen() if each.version == version and each.reaction)
        return [int(each["rating"]) for each in said if "rating" in each]

    def unheard(self) -> int:
        """Return how often the gateway did not take what somebody said."""
        return sum(each.unheard is not None for each in self.seen())

    def last_by(self, version: str) -> float | None:
        """Return when the last question was asked that a version answered."""
        return max((each.at for each in self.seen() if each.version == version), default=None)

    def change(self, **habits: float) -> None:
        """Change their habits: `rate`, `novelty`."""
        self.crowd.change(**habits)


@contextmanager
def asking(url: str, habits: Habits) -> Iterator[Customers]:
    """Let people ask until the block ends; then every answer under way has come."""
    loop = asyncio.new_event_loop()
    begun, ending = threading.Event(), asyncio.Event()
    found, died = list[Crowd](), list[BaseException]()

    async def play() -> None:
        async with crowd(url, habits) as people:
            found.append(people)
            begun.set()
            await ending.wait()

    def live() -> None:
        try:
            loop.run_until_complete(play())
        except BaseException as error:
            died.append(error)
            begun.set()

    thread = threading.Thread(target=live, name="customers", daemon=True)
    thread.start()
    claim(begun.wait(PATIENCE_S) and not died, "customers come", died)
    try:
        yield Customers(found[0])
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(PATIENCE_S)
        claim(not thread.is_alive(), "every answer under way has come")
        loop.close()
    claim(not died, "customers ask until the end", died)
