"""What people say who compared answers side by side without knowing whose they are; the console passes it on.

Serves `POST /votes` for the public application. A vote on two answers is one event; on more it is one for each pair
that it decides, all of them written or none: the winner against each other answer, and every pair for a tie or for
`neither`. The events of one vote have the same `event.time`; of several votes of one user on one comparison the latest
counts, whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, StringConstraints

from runner.events.schema import Kind
from runner.feedback.records import Choice
from runner.serving.gateway.feedback import response_id
from runner.serving.gateway.front import Front
from runner.serving.gateway.replies import Receive, Scope, Send, bad_request, reply_json
from runner.serving.gateway.sayings import (
    Body,
    Label,
    Milliseconds,
    Sayings,
    Words,
    hear,
    in_words,
    understand,
)

Language = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"),
    in_words("must be the code of a language, such as 'en' or 'pt-BR'"),
]
Digest = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), in_words("must be a digest: 64 small hex digits")
]
SamplingName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z_]{1,40}$"),
    in_words("must be a name: up to 40 small letters and '_'"),
]
Figure = Annotated[float | int | bool | None, in_words("must be a number, true, false or null")]
Place = Annotated[
    int | Literal["tie", "neither"], in_words('must be the place of an answer from 0, "tie" or "neither"')
]


class Message(Body):
    """One message of the question."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str


class Answer(Body):
    """One answer, as it was shown."""

    response_id: str
    version: Label
    digest: Digest | None = None
    text: str
    sampling: Annotated[dict[SamplingName, Figure], Field(max_length=32, default_factory=dict)]
    """How it was sampled: numbers only, since it goes to the log as it is."""


class Vote(Body):
    """The body of a vote; answers from left to right."""

    comparison: Label
    prompt: Annotated[list[Message], Field(min_length=1)]
    answers: Annotated[list[Answer], Field(min_length=2, max_length=4)]
    choice: Place
    category: Label | None = None
    language: Language | None = None
    reason: Words | None = None
    correction: Words | None = None
    taken_ms: Milliseconds | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two answers of a vote by their places, and which of them is better."""

    left: int
    right: int
    choice: Choice


class Votes:
    """Takes votes."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._sayings = Sayings(front, Kind.VOTE, "vote")

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 with the ids of the events once they are durable. Raises ApiError, ConnectionError."""
        front = self._front
        heard = await hear(front, scope, receive)
        vote = understand(Vote, heard.body)
        self._check(vote)
        user = front.hashed(heard.caller.identity(None))
        kept = await front.privacy.texts(_texts(vote), keeps=heard.caller.keeps)
        saying = self._sayings.said([user, vote.comparison], heard.body)
        common: dict[str, Any] = {
            "event.time": front.sources.wall_us(),
            "loop.environment": front.config.environment,
            "loop.user": user,
            "loop.group": heard.caller.group,
        }
        common |= _shared(vote, kept)
        events = [
            common | {"event.id": f"{saying.id}-{number}"} | _sides(vote, pair, kept)
            for number, pair in enumerate(_pairs(vote), start=1)
        ]
        await self._sayings.keep(saying, *events)
        ids = [event["event.id"] for event in events]
        await reply_json(send, 200, {"id": saying.id, "object": "vote", "votes": ids})

    def _check(self, vote: Vote) -> None:
        """Raise ApiError 400 where the fields do not belong together."""
        for place, answer in enumerate(vote.answers):
            response_id(self._front, answer.response_id, f"answers[{place}].response_id")
        if len({answer.response_id for answer in vote.answers}) < len(vote.answers):
            raise bad_request("'answers' holds one answer twice", "answers")
        if isinstance(vote.choice, int) and not 0 <= vote.choice < len(vote.answers):
            last = len(vote.answers) - 1
            raise bad_request(f'\'choice\' must be from 0 to {last}, "tie" or "neither"', "choice")


def _texts(vote: Vote) -> dict[str, Any]:
    """Return what people wrote, in the order in which it is masked: the question first."""
    texts: dict[str, Any] = {"prompt": [message.model_dump() for message in vote.prompt]}
    texts |= {f"answer {place}": answer.text for place, answer in enumerate(vote.answers)}
    said = {"reason": vote.reason, "correction": vote.correction}
    return texts | {name: text for name, text in said.items() if text}


def _shared(vote: Vote, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that all events of a vote share; `kept` holds its texts as they may be kept."""
    fields = {
        "loop.vote.question": vote.comparison,
        "loop.vote.counted": vote.counted,
        "loop.vote.shown": len(vote.answers),
        "loop.vote.taken_ms": vote.taken_ms,
        "loop.vote.category": vote.category,
        "loop.vote.language": vote.language,
        "loop.vote.prompt": orjson.dumps(kept["prompt"]).decode() if "prompt" in kept else None,
        "loop.vote.reason": kept.get("reason"),
        "loop.vote.correction": kept.get("correction"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _pairs(vote: Vote) -> Iterator[_Pair]:
    """Yield the pairs that a vote decides, from left to right."""
    for left, right in combinations(range(len(vote.answers)), 2):
        if isinstance(vote.choice, str):
            yield _Pair(left, right, Choice(vote.choice))
        elif vote.choice in (left, right):
            yield _Pair(left, right, Choice.LEFT if vote.choice == left else Choice.RIGHT)


def _sides(vote: Vote, pair: _Pair, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of one pair."""
    fields: dict[str, Any] = {"loop.vote.choice": pair.choice.value}
    for side, place in (("left", pair.left), ("right", pair.right)):
        answer = vote.answers[place]
        fields |= {
            f"loop.{side}.version": answer.version,
            f"loop.{side}.digest": answer.digest,
            f"loop.{side}.response": answer.response_id,
            f"loop.{side}.answer": kept.get(f"answer {place}"),
            f"loop.{side}.sampling": orjson.dumps(answer.sampling).decode(),
        }
    return {name: value for name, value in fields.items() if value is not None}
