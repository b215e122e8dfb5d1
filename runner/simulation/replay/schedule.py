"""Turns recorded arrivals into calls: when, which user, in which session, which question.

Called by replay. Pure: the same plan gives the same calls, and each choice has random numbers of its own,
so changing the share of streams moves no question to another user.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, islice
from random import Random

from runner.errors import terminal
from runner.simulation.replay.plan import Crowd, Rate, Speed
from runner.simulation.replay.traces import Arrival

TAIL = 1.2
"""Exponent of the Pareto law of how much a user asks: one user in five asks about two thirds of all."""
SILENCE_S = 300.0
"""A user who was silent for this long, in the trace's own time, begins a new session."""
TURNS = 3.0
"""Mean number of requests in a session, where the trace itself does not tell its sessions."""
COMMON_SHARE = 0.05
"""A block that more than this share of all prompts hold is a system prompt and joins no session."""
COMMON_AT_LEAST = 10
"""... unless no more requests than these hold it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to come, `at_s` seconds after the start of the replay."""

    number: int
    at_s: float
    user: str
    session: str
    question: str
    max_tokens: int
    stream: bool


def schedule(
    trace: Sequence[Arrival], limit: int | None, pace: Speed | Rate, crowd: Crowd, questions: Iterator[str]
) -> tuple[Call, ...]:
    """Return the first `limit` calls in order of time; who makes them does not depend on the limit.

    Raises TerminalError where the arrivals cannot be brought to a rate.
    """
    arrivals = trace[:limit]
    factor = _factor(arrivals, pace)
    streams = Random(f"{crowd.seed}:streams")
    return tuple(
        Call(
            number,
            arrival.at_s * factor,
            user,
            session,
            question,
            max(1, min(arrival.output_tokens, crowd.max_tokens)),
            streams.random() < crowd.stream_share,
        )
        for number, (arrival, (user, session), question) in enumerate(
            zip(arrivals, _sittings(trace, crowd), questions, strict=False)
        )
    )


def _factor(arrivals: Sequence[Arrival], pace: Speed | Rate) -> float:
    if isinstance(pace, Speed):
        return 1 / pace.factor
    recorded_s = arrivals[-1].at_s
    if recorded_s == 0 and len(arrivals) > 1:
        raise terminal(
            "these arrivals all came at once: they cannot be brought to a rate", fix="raise the limit"
        )
    return (len(arrivals) - 1) / pace.per_s / recorded_s if recorded_s else 1.0


def repeated(arrivals: Sequence[Arrival], pace: Speed | Rate, duration_s: float) -> tuple[Arrival, ...]:
    """Return the arrivals over and over, as many as fill so many seconds of a replay at this pace.

    The pause between two laps is the mean gap. Prompts of different laps have nothing in common but the system
    prompt: nobody goes on with a conversation of a lap ago. Raises TerminalError where all came at once.
    """
    last_s = arrivals[-1].at_s
    if last_s == 0:
        raise terminal("arrivals that came all at once cannot be repeated", fix="raise the limit")
    lap_s = last_s * len(arrivals) / (len(arrivals) - 1)
    common = _common(arrivals)
    beyond = 1 + max((block for arrival in arrivals for block in arrival.blocks), default=0)
    most = math.ceil(duration_s * pace.per_s) if isinstance(pace, Rate) else None
    found: list[Arrival] = []
    for place in islice(count(), most):
        lap, each = place // len(arrivals), arrivals[place % len(arrivals)]
        at_s = each.at_s + lap * lap_s
        if isinstance(pace, Speed) and at_s >= duration_s * pace.factor:
            break
        blocks = tuple(block if block in common else block + lap * beyond for block in each.blocks)
        found.append(Arrival(at_s, each.input_tokens, each.output_tokens, blocks))
    return tuple(found)


def _common(arrivals: Sequence[Arrival]) -> frozenset[int]:
    """Return the blocks that are of a system prompt."""
    held = Counter(block for arrival in arrivals for block in set(arrival.blocks))
    most = max(COMMON_AT_LEAST, COMMON_SHARE * len(arrivals))
    return frozenset(block for block, count in held.items() if count > most)


def _sittings(arrivals: Sequence[Arrival], crowd: Crowd) -> Iterator[tuple[str, str]]:
    """Yield user and session of each arrival."""
    next_user = _users(crowd)
    if any(arrival.blocks for arrival in arrivals):
        return _by_shared_prompts(arrivals, next_user)
    return _by_silence(arrivals, next_user, Random(f"{crowd.seed}:sessions"))


def _users(crowd: Crowd) -> Callable[[], str]:
    rng = Random(f"{crowd.seed}:users")
    names = [f"replay-{crowd.seed}-{number:05d}" for number in range(crowd.users)]
    weights = list(accumulate(rng.paretovariate(TAIL) for _ in names))
    return lambda: rng.choices(names, cum_weights=weights)[0]


def _by_silence(
    arrivals: Sequence[Arrival], next_user: Callable[[], str], rng: Random
) -> Iterator[tuple[str, str]]:
    """Sessions of geometric length; silence ends them too."""
    last: dict[str, tuple[float, int]] = {}
    for arrival in arrivals:
        user = next_user()
        then, count = last.get(user, (arrival.at_s, 0))
        if not count or rng.random() < 1 / TURNS or arrival.at_s - then > SILENCE_S:
            count += 1
        last[user] = (arrival.at_s, count)
        yield user, f"{user}-{count}"


def _by_shared_prompts(
    arrivals: Sequence[Arrival], next_user: Callable[[], str]
) -> Iterator[tuple[str, str]]:
    """A prompt that begins with all full blocks of an earlier one goes on with that conversation.

    Equal block numbers mean equal prompts up to and including that block, so the earlier prompt's last full
    block (its very last one is seldom full) is enough to know it again.
    """
    common = _common(arrivals)
    sessions: dict[int, tuple[str, str]] = {}
    opened = 0
    for arrival in arrivals:
        known = next((sessions[block] for block in reversed(arrival.blocks) if block in sessions), None)
        if known is None:
            opened += 1
            user = next_user()
            known = (user, f"{user}-{opened}")
        tip = arrival.blocks[-2:-1]
        if tip and tip[0] not in common:
            sessions[tip[0]] = known
        yield known
