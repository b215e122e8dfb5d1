"""One round of the arena: a question, its answers as they grow, and the one vote that may follow. No page, no text.

`arena` makes a round, shows it while it runs and hands the vote over. What tells who answered stays here until then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from runner import digest
from runner.console.people.gateway import Ask, Gateway, Refused, Reply, Trouble
from runner.console.people.naming import names_itself
from runner.console.people.ports import Person
from runner.console.people.words import spoken
from runner.feedback.matchmaking import Seat

MAX_TOKENS = 512
TICK_S = 0.08
"""Shortest time between two looks at answers that grow."""


@dataclass(slots=True)
class Place:
    """One answer of a round, in its place from left to right."""

    ask: Ask
    reply: Reply
    trouble: Trouble | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.reply.ended or self.trouble is not None


@dataclass(slots=True)
class Round:
    """What one person was asked to judge. Times are monotonic seconds."""

    person: Person
    question: str
    kind: str
    places: tuple[Place, ...]
    clock: Callable[[], float] = time.monotonic
    ended_at: float | None = None
    claimed: bool = field(default=False)
    """Whether somebody has begun to vote; a second press of a button finds it so."""

    @property
    def complete(self) -> bool:
        """Whether every answer is there and says something."""
        return all(each.reply.ended and each.reply.text.strip() for each in self.places)

    async def run(self, gateway: Gateway) -> AsyncGenerator[None, None]:
        """Ask for all answers at once; yields whenever there is more to show, the last time when all is over.

        Ends every request when it is closed. Raises nothing: what went wrong stands in its place.
        """
        news = asyncio.Event()
        asked = [asyncio.create_task(self._fill(each, gateway, news)) for each in self.places]
        try:
            while not all(task.done() for task in asked):
                await news.wait()
                news.clear()
                yield
                await asyncio.sleep(TICK_S)
            await asyncio.gather(*asked)
            self.ended_at = self.clock()
            yield
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _fill(self, place: Place, gateway: Gateway, news: asyncio.Event) -> None:
        try:
            async with aclosing(gateway.answer(self.person, place.ask)) as replies:
                async for reply in replies:
                    place.reply = reply
                    news.set()
            if not place.reply.text.strip():
                place.trouble = Trouble.CUT
        except Refused as refused:
            place.trouble = refused.trouble
        finally:
            news.set()

    def claim(self) -> bool:
        """Return whether the vote may be sent, True once; it is given back by `release` where it could not be."""
        if self.claimed or not self.complete or self.ended_at is None:
            return False
        self.claimed = True
        return True

    def release(self) -> None:
        """Let the person vote again."""
        self.claimed = False

    def gives_itself_away(self, own: Iterable[str]) -> bool:
        """Return whether an answer names its own model; `own` are names beside those of the round."""
        known = {*own, *(name for each in self.places for name in _names(each.reply))}
        return any(names_itself(each.reply.text, known) for each in self.places)

    def vote(self, choice: int | str, counted: bool, reason: str, correction: str) -> dict[str, Any]:
        """Return the body of `POST /votes`; `choice` is a place from 0, `tie` or `neither`."""
        taken_ms = None if self.ended_at is None else (self.clock() - self.ended_at) * 1000
        said = {"category": self.kind, "reason": reason.strip(), "correction": correction.strip()}
        return {
            "comparison": self.comparison,
            "prompt": prompt(self.question),
            "answers": [_answer(each) for each in self.places],
            "choice": choice,
            "counted": counted,
            "language": spoken(self.question),
            "taken_ms": taken_ms,
            **{name: text for name, text in said.items() if text},
        }

    @property
    def comparison(self) -> str:
        """Its id: of the question and the answers, whichever side they stand on and whoever judges them."""
        answers = sorted([each.reply.digest, each.reply.response_id, each.reply.text] for each in self.places)
        return f"cmp-{digest.short(digest.of_value([self.question, answers]))}"


def begun(person: Person, question: str, kind: str, seats: Sequence[Seat]) -> Round:
    """Return a round that is to be run."""
    asks = [
        Ask(each.version, prompt(question), each.sampling.temperature, None, MAX_TOKENS, each.sampling.seed)
        for each in seats
    ]
    return Round(person, question, kind, tuple(Place(ask, Reply(ask.version)) for ask in asks))


def prompt(question: str) -> list[dict[str, str]]:
    """Return a question as a conversation."""
    return [{"role": "user", "content": question}]


def _answer(place: Place) -> dict[str, Any]:
    reply = place.reply
    return {
        "response_id": reply.response_id,
        "version": reply.version,
        "digest": reply.digest,
        "text": reply.text,
        "sampling": place.ask.sampling,
    }


def _names(reply: Reply) -> tuple[str, ...]:
    return reply.version, digest.served_name(reply.version, reply.digest)
