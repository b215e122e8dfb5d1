"""What is the same of all that people say of answers: how it is read, known again, and acknowledged.

Used by `feedback`, `votes` and `labels`. An event's id derives, under the gateway's secret, from who said what of what,
so saying the same thing twice counts once, here and in the lake. Whoever changes his mind makes a new event; of those
of one user in one place the latest counts. Nothing is acknowledged before it is on the disk.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from runner.events.schema import Kind
from runner.events.writer import Event
from runner.serving.gateway import ask as asks
from runner.serving.gateway.callers import CALLER, Caller, KeyedHash
from runner.serving.gateway.front import Front
from runner.serving.gateway.replies import ApiError, Receive, Scope, bad_request

REMEMBERED = 10_000
BODY_TIMEOUT_S = 30.0
LONGEST_TEXT = 100_000
"""Characters of a comment, a reason or a correction."""


def in_words(message: str) -> WrapValidator:
    """Return what says of a field what it must be, where its types and patterns would tell a person little."""

    def check(value: Any, fits: ValidatorFunctionWrapHandler) -> Any:
        try:
            return fits(value)
        except ValidationError:
            raise PydanticCustomError("not_as_said", message) from None

    return WrapValidator(check)


Words = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Label = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9._:-]{0,63}[A-Za-z][A-Za-z0-9._:-]{0,63}$"),
    in_words("must be an id: up to 64 letters, digits, '.', '_', ':' and '-', at least one of them a letter"),
]
"""An id or a name that goes to the log as it is: with a letter, so that it is no bare telephone or card number."""
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Body(BaseModel):
    """The body of a request, field by field; nothing that is not named is accepted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


AnyBody = TypeVar("AnyBody", bound=Body)


@dataclass(frozen=True, slots=True)
class Heard:
    """What one request says, before anything is made of it."""

    caller: Caller
    headers: dict[bytes, bytes]
    body: dict[str, Any]


async def hear(front: Front, scope: Scope, receive: Receive) -> Heard:
    """Read what is said. Raises ApiError 400, 408, 413, 415, 429 or 503, and ConnectionError."""
    front.log.check()
    caller: Caller = scope[CALLER]
    front.rate.take(caller.name)
    raw = await asks.read_body(scope, receive, front.config.limits.body_bytes, BODY_TIMEOUT_S)
    return Heard(caller, dict(scope["headers"]), asks.parse_object(raw))


def understand(kind: type[AnyBody], body: dict[str, Any]) -> AnyBody:
    """Return a body as a value. Raises ApiError 400 that names its first fault, and shows nothing of its text."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in fault["loc"])
        place = place.removeprefix(".")[:100]
        said = fault["msg"]
        what = "is not a field here" if fault["type"] == "extra_forbidden" else said[:1].lower() + said[1:]
        raise bad_request(f"'{place}': {what}", place) from None


@dataclass(frozen=True, slots=True)
class Saying:
    """What was said in one place, which is a user's on an answer or under an Idempotency-Key; no text of it."""

    id: str
    place: str
    content: str


class Sayings:
    """Writes what is said of one kind, and knows the last of it again; `prefix` begins the ids."""

    def __init__(self, front: Front, kind: Kind, prefix: str) -> None:
        self._log, self._hashed, self._kind, self._prefix = front.log, front.hashed, kind, prefix
        self._last: OrderedDict[str, Saying] = OrderedDict()

    def said(self, place: Any, content: Any) -> Saying:
        """Return what is said in a place, the same where it was the last that was said there.

        `place` and `content` are JSON values. The one before is part of the id: up, down and up again are three, not
        two.
        """
        where, what = self._digest(place), self._digest(content)
        before = self._last.get(where)
        if before is not None and before.content == what:
            return before
        return self._made(where, what, before.id if before else "")

    def said_once(self, key: bytes, place: Any, content: Any) -> Saying:
        """Return what is said under an Idempotency-Key. Raises ApiError 409 where it stands for something else."""
        where, what = "key-" + self._digest([place, key.decode("latin-1")]), self._digest(content)
        known = self._last.get(where)
        if known is not None and known.content != what:
            message = "this Idempotency-Key was used for something else"
            raise ApiError(409, "idempotency_key_reused", message)
        return known or self._made(where, what)

    async def keep(self, saying: Saying, *events: Event) -> None:
        """Write the events of a saying, all of them or none, unless they are written; return when they are durable.

        Raises ApiError 503.
        """
        if self._last.get(saying.place) != saying:
            self._log.write(self._kind, *events)
            self._last[saying.place] = saying
            self._last.move_to_end(saying.place)
            if len(self._last) > REMEMBERED:
                self._last.popitem(last=False)
        await self._log.durable(self._kind)

    def _made(self, place: str, content: str, before: str = "") -> Saying:
        return Saying(f"{self._prefix}-{self._digest([place, content, before])}", place, content)

    def _digest(self, value: Any) -> str:
        return digest_of(self._hashed, value)


def digest_of(hashed: KeyedHash, value: Any) -> str:
    """Return the keyed hash of a JSON value, of which nobody without the key can guess the text."""
    return hashed("said\0" + orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode())
