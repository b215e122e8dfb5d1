"""What is to be replayed: a frozen value that says everything, so that the same plan gives the same schedule.

Made by `loop replay` and by benchmarks. Pure values; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import Diagnostic, TerminalError

BOOKSHOP = "bookshop"
"""Name of the questions that come with their right answers."""


@dataclass(frozen=True, slots=True)
class Speed:
    """The trace's own arrivals, `factor` times as fast as they were recorded."""

    factor: float = 1.0

    def __str__(self) -> str:
        return f"{self.factor:g} times as fast as recorded"


@dataclass(frozen=True, slots=True)
class Rate:
    """The trace's own arrivals, stretched or squeezed to a mean of `per_s` requests per second."""

    per_s: float

    def __str__(self) -> str:
        return f"mean of {self.per_s:g} requests/s"


@dataclass(frozen=True, slots=True)
class Material:
    """What is played: a trace and a set of questions, by name below `data` or by path."""

    trace: str
    questions: str
    data: Path
    limit: int | None = None
    """The first so many arrivals, or all."""
    duration_s: float | None = None
    """Play these arrivals again and again for so many seconds of the replay's own time; once where absent."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who plays it: `users` of whom few ask much; the same `seed` gives the same schedule."""

    users: int = 200
    seed: int = 0
    stream_share: float = 0.5
    """Share of requests that ask for a stream, from 0 to 1."""
    max_tokens: int = 64
    """An answer's limit is what the trace says, and at most this."""
    feedback_share: float = 0.0
    """Share of answers of which the user says what they are worth, from 0 to 1; the bookshop's questions only."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where it goes. `events` is the directory of the event log; without it nothing is counted there."""

    url: str = "http://127.0.0.1:8080"
    model: str = "chat"
    api_key: str | None = None
    events: Path | None = None
    in_flight: int | None = None
    """The most requests in flight at once; more wait here, and how long they waited is reported."""
    timeout_s: float = 120.0
    temperature: float | None = None
    """Of every request; the engine's own where absent."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A replay: the material, at a pace, by a crowd, to a target."""

    material: Material
    pace: Speed | Rate = Speed()
    crowd: Crowd = Crowd()
    target: Target = Target()


def check(plan: ReplayPlan) -> None:
    """Raise TerminalError with every value that makes no sense."""
    if faults := tuple(_faults(plan)):
        raise TerminalError(*faults)


def _faults(plan: ReplayPlan) -> Iterator[Diagnostic]:
    pace = plan.pace.factor if isinstance(plan.pace, Speed) else plan.pace.per_s
    for name, value in (
        ("speed or rate", pace),
        ("limit", 1 if plan.material.limit is None else plan.material.limit),
        ("duration", 1 if plan.material.duration_s is None else plan.material.duration_s),
        ("number of users", plan.crowd.users),
        ("limit of tokens", plan.crowd.max_tokens),
        ("number in flight", 1 if plan.target.in_flight is None else plan.target.in_flight),
        ("time-out", plan.target.timeout_s),
    ):
        if not 0 < value < float("inf"):
            yield Diagnostic(f"the {name} must be above 0, not {value:g}")
    for name, share in (("streams", plan.crowd.stream_share), ("feedback", plan.crowd.feedback_share)):
        if not 0 <= share <= 1:
            yield Diagnostic(f"the share of {name} must be from 0 to 1, not {share:g}")
    if plan.crowd.feedback_share and plan.material.questions != BOOKSHOP:
        summary = f"nobody knows right answers to '{plan.material.questions}', so users cannot judge them"
        yield Diagnostic(summary, fix="ask the bookshop's questions, or leave feedback out")
    if not plan.target.url.startswith(("http://", "https://")):
        yield Diagnostic(f"'{plan.target.url}' is no address of a gateway", fix="begin it with http://")
