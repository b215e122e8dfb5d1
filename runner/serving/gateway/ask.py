"""Reads what a client asks for: the body of a request, checked as far as the gateway itself relies on it.

Everything else in the body is the engine's to judge, and its 4xx is passed on. The body goes upstream as it
was understood here, serialised anew, so a duplicate key or an odd encoding cannot mean two things. Raises
ApiError only.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from runner.serving.gateway.replies import ApiError, Receive, Scope, bad_request

DEPTH = 64
WHOLE = 2**31
MODEL_CHARACTERS = 256
CHOICES = 16  # answers to one prompt: each costs the engine as much as a request, and counts as one only
PROMPTS = 64  # of one request, for the same reason
# They reach into the engine's inner workings (ids, scheduling, cache transfer): not the client's to set.
ENGINE_ONLY = frozenset(
    {
        "request_id",
        "priority",
        "data_parallel_rank",
        "kv_transfer_params",
        "ec_transfer_params",
        "mm_processor_kwargs",
    }
)


class Operation(StrEnum):
    """What is asked of the model, in the words of OpenTelemetry's GenAI conventions."""

    CHAT = "chat"
    COMPLETION = "text_completion"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it was understood."""

    operation: Operation
    body: dict[str, Any]
    model: str
    stream: bool
    wants_usage: bool
    """Whether the client wants the usage as a chunk of its stream."""
    choices: int
    """How many answers are due: `n` for each prompt."""
    user: str | None
    temperature: float | None
    max_tokens: int | None


async def read_body(scope: Scope, receive: Receive, limit: int, timeout_s: float) -> bytes:
    """Return the whole body. Raises ApiError 408, 413, 415; ConnectionError where the client left."""
    headers = dict(scope["headers"])
    media = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if media != b"application/json":
        raise ApiError(
            415, "unsupported_media_type", "the body must be JSON: send 'content-type: application/json'"
        )
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and len(declared) < 20 and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(timeout_s):
            return await _parts(receive, limit)
    except TimeoutError:
        raise ApiError(408, "timeout", f"the body did not arrive within {timeout_s:g} s") from None


async def _parts(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body is larger than {limit} bytes")


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body. Raises ApiError 400."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise bad_request("the body must be a JSON object")
    if raw.count(b"[") + raw.count(b"{") > DEPTH and _deeper_than(value, DEPTH):
        raise bad_request(f"the body is nested deeper than {DEPTH} levels")
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            item
            for container in layer
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
    return bool(layer)


def parse(operation: Operation, raw: bytes) -> Ask:
    """Return what a body asks for. Raises ApiError 400."""
    body = parse_object(raw)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise bad_request("'model' must name a model", "model")
    if len(model) > MODEL_CHARACTERS:
        raise bad_request(f"'model' is longer than {MODEL_CHARACTERS} characters", "model")
    if inner := ENGINE_ONLY & body.keys():
        raise bad_request(f"'{min(inner)}' is not accepted here", min(inner))
    prompts = _check_input(operation, body)
    stream = _optional(body, "stream", bool, "true or false") or False
    options = _optional(body, "stream_options", dict, "an object") or {}
    _count(body, "best_of")
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    return Ask(
        operation=operation,
        body=body,
        model=model,
        stream=stream,
        wants_usage=bool(options.get("include_usage")),
        choices=_count(body, "n") * prompts,
        user=_user(body),
        temperature=_number(body, "temperature"),
        max_tokens=_whole(body, limit),
    )


def _check_input(operation: Operation, body: dict[str, Any]) -> int:
    """Return how many prompts there are."""
    if operation is Operation.COMPLETION:
        return _count_prompts(body.get("prompt"))
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("'messages' must be a list of at least one message", "messages")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise bad_request(f"'messages[{place}]' must be an object with a 'role'", f"messages[{place}]")
    return 1


def _count_prompts(prompt: Any) -> int:
    if not isinstance(prompt, str | list) or not prompt:
        raise bad_request("'prompt' must be text, or a list", "prompt")
    if isinstance(prompt, str) or is_token_ids(prompt):
        return 1
    if len(prompt) > PROMPTS:
        raise bad_request(f"'prompt' holds more than {PROMPTS} prompts", "prompt")
    return len(prompt)


def is_token_ids(prompt: list[Any]) -> bool:
    """Whether a list is one prompt of token ids, not several prompts."""
    return type(prompt[0]) is int


def _count(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if value is None:
        return 1
    if type(value) is not int or not 1 <= value <= CHOICES:
        raise bad_request(f"'{name}' must be a whole number from 1 to {CHOICES}", name)
    return value


def _optional(body: dict[str, Any], name: str, kind: type, meaning: str) -> Any:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise bad_request(f"'{name}' must be {meaning}", name)
    return value


def _user(body: dict[str, Any]) -> str | None:
    user: str | None = _optional(body, "user", str, "text")
    if user is not None and len(user) > 512:
        raise bad_request("'user' is longer than 512 characters", "user")
    return user or None


def _number(body: dict[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise bad_request(f"'{name}' must be a finite number", name)
    return float(value)


def _whole(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (type(value) is not int or not -WHOLE < value < WHOLE):
        raise bad_request(f"'{name}' must be a whole number", name)
    return value
