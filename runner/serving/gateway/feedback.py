"""What users say of answers: thumbs, ratings, corrections, comments; acknowledged once they are on the disk.

Serves `POST /feedback` for the public application. Saying the same thing twice counts once, also under the header
`Idempotency-Key`. Whoever changes his mind makes a new event; of several votes of one user on one answer the latest of
its kind counts.
"""

from __future__ import annotations

import re
from typing import Any

from runner.events.schema import Kind
from runner.serving.gateway.front import Front
from runner.serving.gateway.replies import Receive, Scope, Send, bad_request, reply_json
from runner.serving.gateway.sayings import LONGEST_TEXT, Saying, Sayings, hear

_RESPONSE_ID = re.compile(r"(?:chat)?cmpl-[0-9a-f][0-9a-f-]{0,63}")
"""The form of the engine's ids; anything else may be somebody's personal data."""
FIELDS = frozenset({"response_id", "thumbs", "rating", "correction", "comment", "user"})
THUMBS: dict[Any, int] = {"up": 1, "down": -1, "+1": 1, "-1": -1, 1: 1, -1: -1}


class Feedback:
    """Takes feedback."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._sayings = Sayings(front, Kind.FEEDBACK, "fb")

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 with the event's id once it is durable. Raises ApiError, ConnectionError."""
        front = self._front
        heard = await hear(front, scope, receive)
        facts, texts = _said(heard.body)
        answer = response_id(front, _text(heard.body, "response_id", 128), "response_id")
        user = front.hashed(heard.caller.identity(_text(heard.body, "user", 512)))
        # Masked before it is looked up: of two that are the same only one may be new.
        kept = await front.privacy.texts(texts, keeps=heard.caller.keeps)
        saying = self._saying(heard.headers.get(b"idempotency-key"), user, answer, facts | texts)
        event = {
            "event.id": saying.id,
            "event.time": front.sources.wall_us(),
            "loop.environment": front.config.environment,
            "gen_ai.response.id": answer,
            "loop.user": user,
            "loop.group": heard.caller.group,
            "loop.feedback.known": self._known(answer, user),
        }
        await self._sayings.keep(saying, event | facts | kept)
        await reply_json(send, 200, {"id": saying.id, "object": "feedback", "response_id": answer})

    def _known(self, response_id: str, user: str) -> str:
        """Return whether the answer was given to this user, as far as this gateway remembers."""
        whose = self._front.log.recent.whose(response_id)
        if whose is None:
            return "unknown"
        return "own" if whose == user else "other"

    def _saying(self, key: bytes | None, user: str, answer: str, said: dict[str, Any]) -> Saying:
        """Return what makes this feedback the same as other feedback. Raises ApiError 409."""
        if key:
            return self._sayings.said_once(key, user, [answer, said])
        return self._sayings.said([user, answer], said)


def response_id(front: Front, given: str | None, param: str) -> str:
    """Return the id of an answer that is fit for the log. Raises ApiError 400 that names `param`."""
    if not given or not (_RESPONSE_ID.fullmatch(given) or front.log.recent.whose(given)):
        raise bad_request(f"'{param}' must be the id of the answer that is meant", param)
    return given


def _said(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the event's fields for what was said: the facts, and the texts. Raises ApiError 400."""
    if unknown := body.keys() - FIELDS:
        raise bad_request(f"'{min(unknown)}' is not a field of feedback", min(unknown))
    facts: dict[str, Any] = {}
    if (thumbs := body.get("thumbs")) is not None:
        if type(thumbs) not in (str, int) or thumbs not in THUMBS:
            raise bad_request('\'thumbs\' must be "up" or "down"', "thumbs")
        facts["loop.thumbs"] = THUMBS[thumbs]
    if (rating := body.get("rating")) is not None:
        if type(rating) is not int or not 1 <= rating <= 5:
            raise bad_request("'rating' must be a whole number from 1 to 5", "rating")
        facts["loop.rating"] = rating
    said = {name: _text(body, name, LONGEST_TEXT) for name in ("correction", "comment")}
    texts = {f"loop.{name}": text for name, text in said.items() if text}
    if not facts and not texts:
        raise bad_request("feedback needs 'thumbs', 'rating', 'correction' or 'comment'")
    return facts, texts


def _text(body: dict[str, Any], name: str, limit: int) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"'{name}' must be text", name)
    if value is not None and len(value) > limit:
        raise bad_request(f"'{name}' is longer than {limit} characters", name)
    return value
