"""What users say of answers: thumbs, ratings, corrections, comments; acknowledged once they are on the disk.

Serves `POST /feedback` for the public application. The event's id derives from what is said, or from the
header `Idempotency-Key`, so saying the same thing twice counts once, here and in the lake.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import orjson

from runner.events.masking import Masking
from runner.events.schema import Kind
from runner.serving.gateway import ask as asks
from runner.serving.gateway.config import Content
from runner.serving.gateway.front import Front
from runner.serving.gateway.replies import ApiError, Receive, Scope, Send, bad_request, reply_json

REMEMBERED = 10_000
BODY_TIMEOUT_S = 30.0
FIELDS = frozenset({"response_id", "thumbs", "rating", "correction", "comment", "user"})
THUMBS: dict[Any, int] = {"up": 1, "down": -1, "+1": 1, "-1": -1, 1: 1, -1: -1}


class Feedback:
    """Takes feedback."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._seen: OrderedDict[str, str] = OrderedDict()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 with the event's id once it is durable. Raises ApiError, ConnectionError."""
        front = self._front
        front.log.check()
        headers = dict(scope["headers"])
        caller = front.callers.identify(scope, headers)
        front.rate.take(caller.name)
        raw = await asks.read_body(scope, receive, front.config.limits.body_bytes, BODY_TIMEOUT_S)
        body = asks.parse_object(raw)
        said = _said(body)
        response_id = _text(body, "response_id", 256)
        if not response_id:
            raise bad_request("'response_id' must name the answer that is meant", "response_id")
        user = front.hashed(_text(body, "user", 512) or caller.user or caller.name)
        event_id, content = _identity(headers, response_id, user, said)
        if self._is_new(event_id, content):
            event = {
                "event.id": event_id,
                "event.time": front.sources.wall_us(),
                "loop.environment": front.config.environment,
                "gen_ai.response.id": response_id,
                "loop.user": user,
                "loop.group": caller.group,
            }
            front.log.write(Kind.FEEDBACK, event | self._masked(said))
            self._remember(event_id, content)
        await front.log.durable(Kind.FEEDBACK)
        await reply_json(send, 200, {"id": event_id, "object": "feedback", "response_id": response_id})

    def _is_new(self, event_id: str, content: str) -> bool:
        known = self._seen.get(event_id)
        if known is not None and known != content:
            raise ApiError(409, "idempotency_key_reused", "this Idempotency-Key was used for other feedback")
        return known is None

    def _remember(self, event_id: str, content: str) -> None:
        self._seen[event_id] = content
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _masked(self, said: dict[str, Any]) -> dict[str, Any]:
        return said if self._front.config.content is Content.RAW else dict(Masking().value(said))


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


def _identity(
    headers: dict[bytes, bytes], response_id: str, user: str, said: dict[str, Any]
) -> tuple[str, str]:
    """Return the event's id, and the digest of what was said."""
    content = _digest([response_id, said])
    key = headers.get(b"idempotency-key")
    seed = [user, "key", key.decode("latin-1")] if key else [user, "content", content]
    return "fb-" + _digest(seed), content


def _digest(value: Any) -> str:
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
