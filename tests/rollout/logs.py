"""Event logs of experiments, shadows and rollouts: whole sessions with given habits, from a seed.

`write` puts them on disk with the gateway's own writer, which holds every event to the schema.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.events.schema import Kind
from runner.events.writer import SegmentWriter

START_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000
DIGESTS = {"chat-v1.0": "a" * 64, "chat-v1.1": "b" * 64, "chat-v1.2": "c" * 64}
Event = dict[str, Any]
Log = dict[Kind, list[Event]]


@dataclass(frozen=True)
class Habits:
    """How one version behaves: shares of failures and refusals, median seconds, and how many of the voters like it."""

    errors: float = 0.01
    refusals: float = 0.02
    latency: float = 0.5
    votes: float = 0.3
    liked: float = 0.85


def empty() -> Log:
    return {kind: [] for kind in Kind}


def messages(text: str, role: str = "assistant") -> str:
    return json.dumps([{"role": role, "content": text}])


def ask(
    log: Log, name: str, at: int, version: str, habits: Habits, rng: random.Random, **fields: Any
) -> Event:
    """Add one request with its content and perhaps a vote; return the request. `__` stands for a dot."""
    failed = rng.random() < habits.errors
    event = {
        "event.id": name,
        "event.time": at,
        "loop.environment": "production",
        "loop.request.id": f"q-{name}",
        "loop.user": f"user-{name}",
        "loop.group": "public",
        "loop.alias": "chat",
        "loop.version": version,
        "loop.version.assigned": version,
        "loop.adapter.digest": DIGESTS[version],
        "loop.adapter.digest.assigned": DIGESTS[version],
        "loop.outcome": "error" if failed else "ok",
        "loop.fell_back": False,
        "loop.latency_ms": 1000 * habits.latency * rng.lognormvariate(0.0, 0.3),
        "loop.first_token_ms": 50.0,
        "http.response.status_code": 502 if failed else 200,
        "gen_ai.response.id": f"a-{name}",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 20,
        **{key.replace("__", "."): value for key, value in fields.items()},
    }
    log[Kind.REQUEST].append(event)
    if not failed:
        _answered(log, event, habits, rng)
    return event


def _answered(log: Log, event: Event, habits: Habits, rng: random.Random) -> None:
    name, at = event["event.id"], event["event.time"]
    says = "I cannot help with that." if rng.random() < habits.refusals else "It is on the third shelf."
    common = {"loop.environment": "production", "gen_ai.response.id": event["gen_ai.response.id"]}
    said = {
        "event.id": f"{name}-content",
        "event.time": at,
        "loop.request.id": event["loop.request.id"],
        "gen_ai.input.messages": messages(f"where is book {name}?", "user"),
        "gen_ai.output.messages": messages(says),
    }
    log[Kind.CONTENT].append({**said, **common})
    if rng.random() < habits.votes:
        vote = {
            "event.id": f"{name}-vote",
            "event.time": at + 20_000_000,
            "loop.user": event["loop.user"],
            "loop.group": event["loop.group"],
            "loop.thumbs": 1 if rng.random() < habits.liked else -1,
        }
        log[Kind.FEEDBACK].append({**vote, **common})


def experiment(
    identity: str,
    habits: dict[str, Habits],
    sessions: int,
    *,
    weights: Iterable[float] = (),
    groups: Iterable[str] = ("public",),
    seed: int = 0,
    into: Log | None = None,
) -> Log:
    """Return a log in which every user of the groups takes part once, at the given shares."""
    rng, log = random.Random(f"experiment-{seed}"), into or empty()
    shares = list(weights) or [1.0] * len(habits)
    names = list(groups)
    for number in range(sessions):
        version = rng.choices(list(habits), shares)[0]
        ask(
            log,
            f"e{seed}-{number}",
            START_US + number * 60_000_000,
            version,
            habits[version],
            rng,
            loop__experiment=identity,
            loop__arm="experiment",
            loop__arm__assigned="experiment",
            loop__group=names[number % len(names)],
        )
    return log


def rollout(
    baseline: Habits,
    candidate: Habits,
    sessions: int,
    *,
    weight: float = 0.5,
    hours: float = 10.0,
    identity: str = "r-1",
    start_us: int = START_US,
    bad_after: float = 0.0,
    seed: int = 0,
    into: Log | None = None,
) -> Log:
    """Return a log of a rollout of chat-v1.1 over chat-v1.0; the candidate keeps the baseline's habits at first."""
    rng, log = random.Random(f"rollout-{seed}"), into or empty()
    for number in range(sessions):
        arm = "candidate" if rng.random() < weight else "baseline"
        spoiled = arm == "candidate" and number >= bad_after * sessions
        ask(
            log,
            f"{identity}-{seed}-{number}",
            start_us + int(number * hours * HOUR_US / sessions),
            "chat-v1.1" if arm == "candidate" else "chat-v1.0",
            candidate if spoiled else baseline,
            rng,
            loop__rollout=identity,
            loop__weight=weight,
            loop__arm=arm,
            loop__arm__assigned=arm,
        )
    return log


def copy_of(request: Event, answer: str, **fields: Any) -> Event:
    """Return the shadow event of a request."""
    return {
        "event.id": f"{request['event.id']}-shadow",
        "event.time": request["event.time"],
        "loop.environment": "production",
        "loop.request.id": request["loop.request.id"],
        "gen_ai.response.id": request["gen_ai.response.id"],
        "loop.version": "chat-v1.1",
        "loop.adapter.digest": DIGESTS["chat-v1.1"],
        "loop.outcome": "ok",
        "loop.latency_ms": 700.0,
        "gen_ai.usage.output_tokens": 40,
        "gen_ai.output.messages": messages(answer),
        **{key.replace("__", "."): value for key, value in fields.items()},
    }


def write(log: Log, directory: Path) -> None:
    """Write a log as segments, as a gateway does."""
    directory.mkdir(parents=True, exist_ok=True)
    clock = iter(range(START_US, START_US + 10_000))
    for kind, events in log.items():
        if events:
            writer = SegmentWriter(directory, kind, lambda: next(clock))
            for begin in range(0, len(events), 500):
                writer.append(*events[begin : begin + 500])
                writer.sync()
            writer.close()
