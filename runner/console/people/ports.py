"""What the pages need from elsewhere, as values and protocols; `loop console` fills them, tests fill them otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runner.feedback.matchmaking import Kind, Tally


@dataclass(frozen=True, slots=True)
class Week:
    """How far this week's collection has come, in preference pairs."""

    pairs: int
    wanted: int
    """Of the level that the policy aims at."""
    kinds: tuple[Kind, ...] = ()
    read_at: float = 0.0
    """Monotonic seconds at which the event log was looked at; later votes are not in it."""


@dataclass(eq=False, slots=True)
class Key:
    """A key of the gateway, which is gone everywhere once its session has ended."""

    text: str = field(repr=False)

    def forget(self) -> None:
        """Forget it; whoever still holds the person has no key any more."""
        self.text = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in: by a key of the gateway, or by a name where the gateway asks for no key."""

    name: str
    """What the page calls them."""
    key: Key | None = None
    group: str = ""
    user: str = ""
    """The keyed hash under which the event log knows them."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the gateway is told of them."""
        if self.key is not None:
            return {"authorization": f"Bearer {self.key.text}"}
        return {"x-loop-user": self.name}


class ArenaPorts(Protocol):
    """What the arena asks of the event log; it may be seconds old. Raises LoopError where it cannot be had."""

    async def week(self) -> Week:
        """Return this week's progress."""

    async def tally(self) -> Tally:
        """Return who has won how often so far."""
