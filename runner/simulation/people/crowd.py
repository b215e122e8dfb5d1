"""Lets customers loose on a gateway: visits begin at random, last a few questions, and people come back.

Called by the demo, which reads at any time what they were answered. One arrival process over all people keeps the
rate; within a visit everybody waits for the answer, thinks, and then asks on. Speaks to the public address only, and
never raises for what the gateway does: a failure is what somebody saw.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from uuid import uuid4

import aiohttp

from runner.simulation.bookshop.questions import Question
from runner.simulation.people.novelty import readers
from runner.simulation.people.person import Person, Reaction, interests, person, react
from runner.simulation.replay.client import Client
from runner.simulation.replay.plan import Target
from runner.simulation.replay.result import Failure
from runner.simulation.replay.schedule import Call

MEAN_QUESTIONS = 1.5
LONGEST_VISIT = 12
THINKING_S = 0.8
"""Mean seconds between an answer and the next question of the same visit."""
HURRY_S = 1.5
"""Mean seconds until somebody who was answered badly asks again."""
MAX_TOKENS = 48
TEMPERATURE = 0.2
"""As a shop asks that wants the same question answered alike."""
STREAMS = 0.3
"""Share of questions whose answer is asked for as a stream."""


@dataclass(frozen=True, slots=True)
class Habits:
    """A crowd: how many people, how many questions a second they ask together, the share of answers they judge.

    `novelty` is the share of visits that are about what the shop sells since lately. No more than `at_once` people are
    in the shop; others wait at the door, so that a slow machine is not drowned.
    """

    people: int = 1500
    rate: float = 12.0
    speaks: float = 0.5
    novelty: float = 0.0
    at_once: int = 64
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """One question as its user saw it: when it was asked (seconds since 1970), by which version, how it ended."""

    at: float
    user: str
    version: str
    latency_ms: float
    failure: Failure | None
    reaction: Reaction | None
    """None where no answer came."""
    unheard: Failure | None = None
    """Why the gateway did not take what was said of it, where it did not."""


@dataclass(slots=True)
class Crowd:
    """Everybody who asks. `habits` may be replaced while they are at it; new visits follow the new ones."""

    client: Client
    habits: Habits
    seen: list[Seen] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _people: dict[int, Person] = field(default_factory=dict)

    def change(self, **habits: float) -> None:
        """Change some of the habits."""
        self.habits = replace(self.habits, **habits)  # type: ignore[arg-type]

    async def visit_forever(self) -> None:
        """Begin visits until the crowd is closed, then wait for the answers under way."""
        rng, door = Random(f"crowd/{self.habits.seed}"), asyncio.Semaphore(self.habits.at_once)
        async with asyncio.TaskGroup() as visits:
            for number in itertools.count():
                pause = rng.expovariate(self.habits.rate / MEAN_QUESTIONS)
                if await self._closed_within(pause):
                    break
                await door.acquire()
                visit = visits.create_task(self._visit(number, rng.randrange(self.habits.people)))
                visit.add_done_callback(lambda _: door.release())

    def close(self) -> None:
        """Have nobody ask anything more."""
        self._closing.set()

    async def _visit(self, number: int, who: int) -> None:
        rng = Random(f"visit/{self.habits.seed}/{number}")
        known = self._people.setdefault(who, person(who, self.habits.seed, self.habits.speaks))
        source = readers(rng) if rng.random() < self.habits.novelty else interests(known, rng)
        length = min(LONGEST_VISIT, 1 + int(rng.expovariate(1 / (MEAN_QUESTIONS - 1))))
        asked, session = 0, f"visit-{self.habits.seed}-{number:06d}"
        question = next(source)
        while asked < length and not self._closing.is_set():
            reaction = await self._ask(known, session, question, rng)
            again = reaction.again if reaction else None
            asked, question = asked + 1, again or next(source)
            if await self._closed_within(rng.expovariate(1 / (HURRY_S if again else THINKING_S))):
                return

    async def _ask(self, who: Person, session: str, question: Question, rng: Random) -> Reaction | None:
        """Ask one question, and say what is thought of the answer."""
        at, stream = time.time(), rng.random() < STREAMS
        call = Call(next(self._numbers), 0.0, who.name, session, question.question, MAX_TOKENS, stream)
        reply = await self.client.ask(call)
        reaction = react(who, question, reply.answer, rng) if reply.failure is None else None
        place = len(self.seen)
        self.seen.append(Seen(at, who.name, reply.version, reply.latency_ms, reply.failure, reaction))
        if reaction and reaction.said:
            unheard = await self.client.say(call, reply, reaction.said)
            self.seen[place] = replace(self.seen[place], unheard=unheard)
        return reaction

    async def _closed_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def crowd(
    url: str, habits: Habits, clock: Callable[[], float] = time.perf_counter
) -> AsyncIterator[Crowd]:
    """Have people ask a gateway until the block ends; then every answer under way has come."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(
            http, Target(url, timeout_s=60.0, temperature=TEMPERATURE), clock, f"people-{uuid4().hex[:12]}"
        )
        people = Crowd(client, habits)
        visiting = asyncio.create_task(people.visit_forever())
        try:
            yield people
        finally:
            people.close()
            await visiting
