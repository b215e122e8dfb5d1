"""Puts questions to two versions and sends the votes of simulated people, over the gateway's API as the console does.

Called by `loop arena simulate`. With one version it compares two samples of it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp

from runner.errors import terminal, transient
from runner.simulation.bookshop.questions import Question
from runner.simulation.votes.voter import Opinion, opinion, questions

AT_ONCE = 16
SECONDS = 60.0
MAX_TOKENS = 64
SHOWN = 300
TRIES = 4


@dataclass(frozen=True, slots=True)
class Arena:
    """Where votes go: the gateway's base URL and the console's secret; `alias` is no version of its own.

    `opinion` is what people say of two answers; `off_topic` is the share of questions that are none of the shop's
    business.
    """

    url: str
    secret: str
    alias: str = "chat"
    people: int = 12
    temperature: float = 1.0
    seed: int = 1
    off_topic: float = 0.0
    opinion: Callable[[str, Question, Sequence[str]], Opinion] = opinion


@dataclass(frozen=True, slots=True)
class Cast:
    """How many votes were taken, by choice."""

    votes: int
    choices: Mapping[str, int]


async def vote(arena: Arena, votes: int, progress: Callable[[int, int], None]) -> Cast:
    """Have so many comparisons made and voted on. Raises LoopError where the gateway does not play along."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        polls, choices = _Polls(arena, session), list[str]()
        source = _plan(arena, await polls.versions())

        wanted = iter(range(votes))

        async def person() -> None:
            for _ in wanted:
                choice = await polls.compare(next(source))
                while choice is None:
                    choice = await polls.compare(next(source))
                choices.append(choice)
                progress(len(choices), votes)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(person())
        except ExceptionGroup as failed:  # one error says what the others would say, too
            raise failed.exceptions[0] from None
    return Cast(len(choices), {choice: choices.count(choice) for choice in sorted(set(choices))})


@dataclass(frozen=True, slots=True)
class Judged:
    """One thing that a person judged: the item's id, its task, the value."""

    person: str
    item: str
    task: str
    value: str


async def label(arena: Arena, judged: Iterable[Judged]) -> int:
    """Send what reviewers say, and return how much it was. Raises LoopError where the gateway does not play along."""
    count = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        polls = _Polls(arena, session)
        for each in judged:
            await polls.label(each)
            count += 1
    return count


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One comparison to be made: by whom, of what, and the seeds of the two samples."""

    person: str
    question: Question
    versions: tuple[str, str]
    seeds: tuple[int, int]

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The question as messages."""
        return [{"role": "user", "content": self.question.question}]


def _plan(arena: Arena, versions: Sequence[str]) -> Iterator[_Comparison]:
    """Yield comparisons for ever."""
    rng, asked = Random(f"arena/{arena.seed}"), questions(arena.seed, arena.off_topic)
    while True:
        pair = rng.sample(versions, 2) if len(versions) > 1 else [versions[0], versions[0]]
        person = f"voter-{rng.randrange(arena.people):02d}"
        seeds = (rng.randrange(2**31), rng.randrange(2**31))
        yield _Comparison(person, next(asked), (pair[0], pair[1]), seeds)


@dataclass(frozen=True, slots=True)
class _Polls:
    """The gateway as simulated people use it through a console."""

    arena: Arena
    session: aiohttp.ClientSession

    async def versions(self) -> tuple[str, ...]:
        """Return the versions that the gateway serves by name."""
        value, _ = await self._call("GET", "/v1/models")
        names = tuple(card["id"] for card in value["data"] if card["id"] != self.arena.alias)
        if not names:
            raise terminal(
                "the gateway serves no version to compare", fix="wait until `loop status` says in sync"
            )
        return names

    async def compare(self, planned: _Comparison) -> str | None:
        """Ask both, vote, and return the choice in words; None where both always say the same."""
        answers = await self._two(planned)
        if answers is None:
            return None
        said = self.arena.opinion(planned.person, planned.question, [answer["text"] for answer in answers])
        body = {
            "comparison": f"cmp-{secrets.token_hex(8)}",
            "prompt": planned.prompt,
            "answers": answers,
            "choice": said.choice,
            "category": planned.question.category,
            "language": planned.question.language.value,
            "taken_ms": said.taken_ms,
            "correction": said.correction,
        }
        kept = {name: value for name, value in body.items() if value is not None}
        await self._call("POST", "/votes", planned.person, kept)
        return said.choice if isinstance(said.choice, str) else ("left", "right")[said.choice]

    async def label(self, judged: Judged) -> None:
        """Send one label."""
        body = {"item": judged.item, "task": judged.task, "value": judged.value}
        await self._call("POST", "/labels", judged.person, body)

    async def _two(self, planned: _Comparison) -> list[dict[str, Any]] | None:
        """Return two answers that differ, None where a few tries bring none: nobody learns from a tie of equals."""
        first = await self._ask(planned, planned.versions[0], planned.seeds[0])
        for further in range(TRIES):
            second = await self._ask(planned, planned.versions[1], planned.seeds[1] + further)
            if second["text"].strip() != first["text"].strip():
                # the second was drawn until it differed, so it is the unusual one more often: sides are drawn apart
                return [first, second] if planned.seeds[0] % 2 else [second, first]
        return None

    async def _ask(self, planned: _Comparison, version: str, seed: int) -> dict[str, Any]:
        sampling = {"temperature": self.arena.temperature, "max_tokens": MAX_TOKENS, "seed": seed}
        body = {"model": version, "messages": planned.prompt, **sampling}
        value, headers = await self._call("POST", "/v1/chat/completions", planned.person, body)
        answer = {
            "response_id": value["id"],
            "version": headers.get("x-loop-version", version),
            "text": value["choices"][0]["message"]["content"],
            "sampling": sampling,
        }
        found = headers.get("x-loop-digest")
        return answer | {"digest": found} if found else answer

    async def _call(
        self, method: str, path: str, person: str = "", body: Any = None
    ) -> tuple[Any, Mapping[str, str]]:
        url = f"{self.arena.url}{path}"
        headers = {"x-loop-console": self.arena.secret} | ({"x-loop-user": person} if person else {})
        try:
            async with self.session.request(method, url, json=body, headers=headers) as answer:
                if answer.status != 200:
                    said = await answer.text(errors="replace")
                    raise terminal(f"the gateway refused {path} with status {answer.status}", said[:SHOWN])
                return await answer.json(), answer.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise transient(f"{url} does not answer", str(error), fix="start it: `loop up`") from error
