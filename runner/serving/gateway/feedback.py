"""What users say of answers: thumbs, ratings, corrections, comments; acknowledged once they are on the disk.

Serves `POST /feedback` for the public application. The event's id derives from what is said and, where given,
from the header `Idempotency-Key`, so saying the same thing twice counts once, here and in the lake. Whoever
changes his mind makes a new event; of several votes of one user on one answer the latest of its kind counts.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson

from runner.events.schema import Kind
from runner.serving.gateway import ask as asks
from runner.serving.gateway.callers import CALLER, Caller
from runner.serving.gateway.front import Front
from runner.serving.gateway.replies import ApiError, Receive, Scope, Send, bad_request, reply_json

REMEMBERED = 10_000
_RESPONSE_ID = re.compile(r"(?:chat)?cmpl-[0-9a-f][0-9a-f-]{0,63}")
"""The form of the engine's ids; anything else may be somebody's personal data."""
BODY_TIMEOUT_S = 30.0
FIELDS = frozenset({"response_id", "thumbs", "rating", "correction", "comment", "user"})
THUMBS: dict[Any, int] = {"up": 1, "down": -1, "+1": 1, "-1": -1, 1: 1, -1: -1}


@dataclass(frozen=True, slots=True)
class _Vote:
    """What was said under one Idempotency-Key, or last by one user of one answer: its place, and its digest."""

    event_id: str
    place: str
    content: str


class Feedback:
    """Takes feedback."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._votes: OrderedDict[str, _Vote] = OrderedDict()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 with the event's id once it is durable. Raises ApiError, ConnectionError."""
        front = self._front
        front.log.check()
        headers = dict(scope["headers"])
        caller: Caller = scope[CALLER]
        front.rate.take(caller.name)
        raw = await asks.read_body(scope, receive, front.config.limits.body_bytes, BODY_TIMEOUT_S)
        body = asks.parse_object(raw)
        said = _said(body)
        response_id = self._response_id(body)
        user = front.hashed(caller.identity(_text(body, "user", 512)))
        # Masked before the vote is looked up: of two that are the same only one may be new.
        kept = await front.privacy.kept(said)
        vote = self._vote(headers.get(b"idempotency-key"), user, response_id, said)
        if self._votes.get(vote.place) != vote:
            event = {
                "event.id": vote.event_id,
                "event.time": front.sources.wall_us(),
                "loop.environment": front.config.environment,
                "gen_ai.response.id": response_id,
                "loop.user": user,
                "loop.group": caller.group,
                "loop.feedback.known": self._known(response_id, user),
            }
            front.log.write(Kind.FEEDBACK, event | dict(kept.values[0]))
            self._remember(vote)
        await front.log.durable(Kind.FEEDBACK)
        await reply_json(send, 200, {"id": vote.event_id, "object": "feedback", "response_id": response_id})

    def _response_id(self, body: dict[str, Any]) -> str:
        given = _text(body, "response_id", 128)
        if not given or not (_RESPONSE_ID.fullmatch(given) or self._front.log.recent.whose(given)):
            raise bad_request("'response_id' must be the id of the answer that is meant", "response_id")
        return given

    def _known(self, response_id: str, user: str) -> str:
        """Return whether the answer was given to this user, as far as this gateway remembers."""
        whose = self._front.log.recent.whose(response_id)
        if whose is None:
            return "unknown"
        return "own" if whose == user else "other"

    def _vote(self, key: bytes | None, user: str, response_id: str, said: dict[str, Any]) -> _Vote:
        """Return what makes this feedback the same as other feedback. Raises ApiError 409."""
        content = _digest([response_id, said])
        if key:
            place = "key-" + _digest([user, key.decode("latin-1")])
            known = self._votes.get(place)
            if known is not None and known.content != content:
                message = "this Idempotency-Key was used for other feedback"
                raise ApiError(409, "idempotency_key_reused", message)
            return known or _Vote("fb-" + _digest([place, content]), place, content)
        place = _digest([user, response_id])
        before = self._votes.get(place)
        if before is not None and before.content == content:
            return before
        # the one before is part of the id: up, down and up again are three votes, not two
        seed = [place, content, before.event_id if before else ""]
        return _Vote("fb-" + _digest(seed), place, content)

    def _remember(self, vote: _Vote) -> None:
        self._votes[vote.place] = vote
        self._votes.move_to_end(vote.place)
        if len(self._votes) > REMEMBERED:
            self._votes.popitem(last=False)


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """Return the event's fields for what was said. Raises ApiError 400."""
    if unknown := body.keys() - FIELDS:
        raise bad_request(f"'{min(unknown)}' is not a field of feedback", min(unknown))
    said: dict[str, Any] = {}
    if (thumbs := body.get("thumbs")) is not None:
        if type(thumbs) not in (str, int) or thumbs not in THUMBS:
            raise bad_request('\'thumbs\' must be "up" or "down"', "thumbs")
        said["loop.thumbs"] = THUMBS[thumbs]
    if (rating := body.get("rating")) is not None:
        if type(rating) is not int or not 1 <= rating <= 5:
            raise bad_request("'rating' must be a whole number from 1 to 5", "rating")
        said["loop.rating"] = rating
    for name in ("correction", "comment"):
        if text := _text(body, name, 100_000):
            said[f"loop.{name}"] = text
    if not said:
        raise bad_request("feedback needs 'thumbs', 'rating', 'correction' or 'comment'")
    return said


def _text(body: dict[str, Any], name: str, limit: int) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"'{name}' must be text", name)
    if value is not None and len(value) > limit:
        raise bad_request(f"'{name}' is longer than {limit} characters", name)
    return value


def _digest(value: Any) -> str:
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
