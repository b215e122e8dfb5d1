"""A load test: requests at a given rate, whether or not earlier ones were answered, and how long each took.

Called by `evaluate`. Arrivals are drawn beforehand (exponential gaps), and each latency counts from the moment at which
the request was due. So an engine that stands still is charged for every request that would have come meanwhile, which
a client that waits for its answers would never send (coordinated omission). A request that failed took as long as the
longest one could have.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from runner.errors import terminal
from runner.evaluation.bench import Bench, Job, Timed
from runner.evaluation.exact_match import Found, share
from runner.evaluation.results import Measured, Row
from runner.spec.evaluation import Load
from runner.stats.exact import quantile_ends

SEED: Final = 20
LIMIT_S: Final = 60.0
"""Seconds after which a request counts as failed; also what a failed one is taken to have lasted."""
WARM: Final = 8
"""Requests before the measured ones."""
SLOWEST: Final = 50
"""Requests that a report keeps, the slowest first."""
_QUANTILES: Final = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: the second at which it was due, the one at which it left, and what came of it."""

    due: float
    left: float
    question: str
    answer: Timed


async def load(job: Job, bench: Bench) -> Found:
    """Send the traffic to the candidate; to the parent too where a gate compares the two. Raises TerminalError."""
    traffic = job.suite.load
    if traffic is None or not job.rows:
        raise terminal("a load suite needs `load: {rate, duration}` and a data set with questions")
    candidate = await _sent(traffic, job, bench, bench.candidate)
    parent = await _sent(traffic, job, bench, bench.parent) if job.compared else []
    rows = sorted((_row(*each) for each in enumerate(candidate)), key=lambda row: -(row.seconds or 0.0))
    return Found(
        figures(candidate, job.alpha),
        figures(parent, job.alpha) if parent else (),
        tuple(rows[:SLOWEST]),
    )


def schedule(traffic: Load, seed: int = SEED) -> list[float]:
    """Return the seconds at which requests are due: a Poisson process of that rate and duration."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1.0 / traffic.rate, size=int(2 * traffic.rate * traffic.duration) + 100)
    moments = np.cumsum(gaps)
    return [float(moment) for moment in moments[moments < traffic.duration]]


async def _sent(traffic: Load, job: Job, bench: Bench, served: str) -> list[Arrival]:
    questions = [row.question for row in job.rows]
    await asyncio.gather(*(bench.stream(served, each, job.suite.max_tokens) for each in questions[:WARM]))
    begin = bench.clock.now()

    async def one(due: float, question: str) -> Arrival:
        left = bench.clock.now() - begin
        return Arrival(due, left, question, await bench.stream(served, question, job.suite.max_tokens))

    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, due in enumerate(schedule(traffic)):
            await bench.clock.until(begin + due)
            tasks.append(group.create_task(one(due, questions[number % len(questions)])))
    return [_since(begin, task.result()) for task in tasks]


def _since(begin: float, arrival: Arrival) -> Arrival:
    """Return an arrival whose times are seconds since the beginning."""
    answer = arrival.answer
    first = None if answer.first is None else answer.first - begin
    timed = Timed(answer.text, first, answer.end - begin, answer.tokens, answer.failure)
    return Arrival(arrival.due, arrival.left, arrival.question, timed)


def figures(arrivals: Sequence[Arrival], alpha: float) -> tuple[Measured, ...]:
    """Return the metrics of some traffic. Intervals take requests for independent, which queues make only nearly so."""
    if not arrivals:
        return (Measured("error_rate", None, None, None, 0, "no request was due"),)
    ended = max(each.answer.end for each in arrivals)
    tokens = sum(each.answer.tokens for each in arrivals)
    late = max(each.left - each.due for each in arrivals)
    failures = Counter(each.answer.failure for each in arrivals if each.answer.failure)
    why = "".join(f"; {count} {reason}" for reason, count in failures.most_common(2))
    failed = share("error_rate", (bool(each.answer.failure) for each in arrivals), alpha, f"failed{why}")
    said = f"requests sent at {len(arrivals) / max(each.due for each in arrivals):.1f} a second"
    return (
        *_percentiles("latency", [latency(each) for each in arrivals], alpha, said),
        *_percentiles("first_token", [first_token(each) for each in arrivals], alpha, said),
        failed,
        _plain("tokens_per_second", tokens / ended, len(arrivals), "answer tokens in a second"),
        _plain("sent_late", late, len(arrivals), "seconds the latest request left after it was due"),
    )


def latency(arrival: Arrival) -> float:
    """Return the seconds from the moment at which a request was due to the end of its answer."""
    return max(LIMIT_S, _end(arrival)) if arrival.answer.failure else _end(arrival)


def first_token(arrival: Arrival) -> float:
    """Return the seconds from the moment at which a request was due to its first text."""
    if arrival.answer.failure or arrival.answer.first is None:
        return latency(arrival)
    return arrival.answer.first - arrival.due


def _end(arrival: Arrival) -> float:
    return arrival.answer.end - arrival.due


def _percentiles(name: str, values: Sequence[float], alpha: float, about: str) -> tuple[Measured, ...]:
    ordered = sorted(values)
    return tuple(
        Measured(
            f"{name}_p{percent}",
            float(np.quantile(ordered, percent / 100)),
            *quantile_ends(ordered, percent / 100, alpha),
            len(ordered),
            about,
        )
        for percent in _QUANTILES
    )


def _plain(metric: str, value: float, n: int, about: str) -> Measured:
    return Measured(metric, value, None, None, n, about)


def _row(number: int, arrival: Arrival) -> Row:
    return Row(
        id=f"{number}",
        question=arrival.question,
        answer=arrival.answer.text,
        parent_answer=None,
        right=None,
        note=arrival.answer.failure or "",
        seconds=latency(arrival),
    )
