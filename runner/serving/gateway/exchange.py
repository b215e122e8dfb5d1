"""What is known about one request while it lasts, and the two events that remain of it.

Filled step by step by `completions`; nothing else writes it. Pure values; no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from runner.serving.assignment import Why
from runner.serving.gateway.ask import Ask, Operation, is_token_ids
from runner.serving.gateway.book import Choice, Resolution
from runner.serving.gateway.privacy import Kept
from runner.serving.gateway.replies import Headers, Outcome

UNKNOWN_MODEL = "(unknown)"
"""Logged for a name that is none of ours: whatever a client puts there stays out of the log."""
UNREADABLE_PROMPT = "(token ids)"
"""Logged for a prompt of token ids, in which no recogniser sees personal data."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer. Times are monotonic seconds; `arrived_us` is microseconds since 1970."""

    event_id: str
    request_id: str
    operation: Operation
    arrived_us: int
    started: float
    """When the last byte of the request was in."""
    user: str
    """Keyed hash."""
    session: str | None = None
    group: str = "unknown"
    console: bool = False
    """Whether the console passed it on."""
    keeps: bool = True
    """Whether what is said may be kept, as far as the caller goes."""
    ask: Ask | None = None
    model: str = UNKNOWN_MODEL
    resolution: Resolution | None = None
    choice: Choice | None = None
    """The one that answered, or the last that was tried."""
    replica: str | None = None
    answered: bool = False
    """Whether the choice gave an answer, complete or not."""
    arm_failure: str = ""
    """Why the assigned arm gave no answer, or broke one off; empty where it answered."""
    attempts: int = 0
    waited_s: float = 0.0
    """Of the time since `started`, how long the engine was waited for."""
    first_byte: float | None = None
    status: int = 0
    outcome: Outcome = Outcome.OK
    error_type: str = ""
    response_id: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    answer: list[Any] = field(default_factory=list)
    """The messages of the answer, one for each choice."""
    begun: bool = False
    """Whether bytes of the answer have left."""
    client_gone: bool = False
    logged: bool = False

    @property
    def fell_back(self) -> bool:
        """Whether another arm than the assigned one answered."""
        choice, resolution = self.choice, self.resolution
        return bool(self.answered and choice and resolution and choice.arm != resolution.choices[0].arm)

    @property
    def is_assigned(self) -> bool:
        """Whether the choice in hand is the assigned arm's."""
        return self.resolution is not None and self.choice is self.resolution.choices[0]

    def arm_failed(self, why: str) -> None:
        """Note that the choice in hand gave no whole answer; of the arms only the assigned one's failure is kept."""
        if self.is_assigned:
            self.arm_failure = why

    def overhead_ms(self, now: float) -> float:
        """Return the latency until now less the time spent waiting for the engine."""
        return max(0.0, (now - self.started - self.waited_s) * 1000)

    def headers(self, now: float) -> Headers:
        """Return the headers that every answer carries."""
        found: Headers = [(b"x-request-id", self.request_id.encode())]
        if self.choice:
            found.append((b"x-loop-arm", self.choice.arm.encode()))
            found.append((b"x-loop-version", self.choice.version.name.encode("ascii", "replace")))
            if self.console:
                found.append((b"x-loop-digest", self.choice.version.digest.encode()))
        found.append((b"x-loop-overhead-ms", b"%.3f" % self.overhead_ms(now)))
        return found


def request_event(exchange: Exchange, environment: str, now: float) -> dict[str, Any]:
    """Return the fact of a request; what is not known is left out."""
    ask, resolution, choice = exchange.ask, exchange.resolution, exchange.choice
    event: dict[str, Any] = {
        "event.id": exchange.event_id,
        "event.time": exchange.arrived_us,
        "loop.environment": environment,
        "loop.request.id": exchange.request_id,
        "loop.user": exchange.user,
        "loop.group": exchange.group,
        "loop.outcome": exchange.outcome.value,
        "loop.attempts": exchange.attempts,
        "loop.fell_back": exchange.fell_back,
        "loop.latency_ms": (now - exchange.started) * 1000,
        "loop.overhead_ms": exchange.overhead_ms(now),
        "http.response.status_code": exchange.status,
        "error.type": exchange.error_type,
        "gen_ai.operation.name": exchange.operation.value,
        "loop.session": exchange.session,
        "loop.console": exchange.console or None,
        "loop.replica": exchange.replica,
        "gen_ai.response.id": exchange.response_id,
        "gen_ai.response.finish_reason": exchange.finish_reason,
        "gen_ai.usage.input_tokens": exchange.usage.get("prompt_tokens"),
        "gen_ai.usage.output_tokens": exchange.usage.get("completion_tokens"),
    }
    if exchange.first_byte is not None:
        event["loop.first_token_ms"] = (exchange.first_byte - exchange.started) * 1000
    if ask:
        event["gen_ai.request.model"] = exchange.model
        event["gen_ai.request.stream"] = ask.stream
        event["gen_ai.request.temperature"] = ask.temperature
        event["gen_ai.request.max_tokens"] = ask.max_tokens
    if resolution:
        event |= _assignment(resolution)
        event["loop.arm.failure"] = exchange.arm_failure
    if choice:
        event["loop.arm"] = choice.arm
        event["loop.version"] = choice.version.name
        event["loop.adapter.digest"] = choice.version.digest
        if exchange.answered:
            event["gen_ai.response.model"] = choice.version.name
    return {name: value for name, value in event.items() if value is not None}


def _assignment(resolution: Resolution) -> dict[str, Any]:
    """Return what was decided before any replica was asked."""
    assigned = resolution.choices[0]
    return {
        "loop.alias": resolution.alias,
        "loop.arm.assigned": assigned.arm,
        "loop.version.assigned": assigned.version.name,
        "loop.adapter.digest.assigned": assigned.version.digest,
        "loop.weight": resolution.weight,
        "loop.rollout": resolution.rollout_id,
        "loop.experiment": resolution.experiment,
        "loop.arm.always": resolution.why is Why.ALWAYS,
        "loop.generation": resolution.generation,
    }


def conversation(exchange: Exchange) -> tuple[Any, Any] | None:
    """Return what was asked and what was answered, as lists of messages; None where nothing was."""
    if exchange.ask is None or not exchange.answer:
        return None
    return asked(exchange.ask), exchange.answer


def asked(ask: Ask) -> Any:
    """Return the prompt as messages."""
    if ask.operation is Operation.COMPLETION:
        return [{"role": "user", "content": _readable(ask.body["prompt"])}]
    return ask.body.get("messages")


def content_event(exchange: Exchange, environment: str, kept: Kept) -> dict[str, Any]:
    """Return what was said; `kept` holds the two values of `conversation`."""
    question, answer = kept.values
    event = {
        "event.id": f"{exchange.event_id}-content",
        "event.time": exchange.arrived_us,
        "loop.environment": environment,
        "loop.request.id": exchange.request_id,
        "gen_ai.input.messages": orjson.dumps(question).decode(),
        "gen_ai.output.messages": orjson.dumps(answer).decode(),
        "loop.masked": orjson.dumps(kept.masked).decode(),
    }
    if exchange.response_id:
        event["gen_ai.response.id"] = exchange.response_id
    return event


def _readable(prompt: str | list[Any]) -> str | list[Any]:
    if isinstance(prompt, str):
        return prompt
    if is_token_ids(prompt):
        return UNREADABLE_PROMPT
    return [each if isinstance(each, str) else UNREADABLE_PROMPT for each in prompt]
