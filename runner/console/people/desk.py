"""What the tabs share while the server runs: the gateway, who is signed in, the week's progress, live versions."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random, SystemRandom

import gradio as gr

from runner.console.people.entrance import cookie
from runner.console.people.gateway import Gateway
from runner.console.people.ports import ArenaPorts, Person, Week
from runner.console.people.sessions import Sessions

REMEMBERED = 1000
"""Votes stored here that the log's last reading may not have seen yet."""


@dataclass(slots=True)
class Desk:
    """One of these serves all pages of all people; nothing in it is one person's but the sessions."""

    environment: str
    gateway: Gateway
    ports: ArenaPorts
    sessions: Sessions = field(default_factory=Sessions)
    aliases: frozenset[str] = frozenset()
    """Names that mean whatever Git says, so they are no version."""
    own_names: tuple[str, ...] = ()
    """Names by which an answer gives itself away besides those of versions: the base model's."""
    random: Random = field(default_factory=SystemRandom)
    clock: Callable[[], float] = time.monotonic
    _stored: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def person(self, request: gr.Request) -> Person | None:
        """Return who sent a request."""
        return self.sessions.person(request.cookies.get(cookie(self.environment)))

    async def versions(self, person: Person) -> tuple[str, ...]:
        """Return the versions that are live, by name. Raises Refused."""
        return tuple(sorted(set(await self.gateway.models(person)) - self.aliases))

    def stored(self, kind: str, pairs: int) -> None:
        """Note that a vote was stored just now which makes so many preference pairs."""
        self._stored.extend([(self.clock(), kind)] * pairs)

    async def week(self) -> Week:
        """Return this week's progress, with what was stored since the log was read. Raises LoopError."""
        week = await self.ports.week()
        newer = Counter(kind for at, kind in self._stored if at >= week.read_at)
        kinds = tuple(replace(each, votes=each.votes + newer[each.name]) for each in week.kinds)
        return replace(week, pairs=week.pairs + newer.total(), kinds=kinds)
