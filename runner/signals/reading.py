"""What a signal comes to: frozen values that tables, reports, alert rules, the page and exporters read.

`readings` makes them from counts; nothing here computes. A value stands in its metric's own unit: shares from 0 to 1,
seconds, ratings from 1 to 5, tokens, dollars, nats.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Holds(StrEnum):
    """Whether a condition of `policies/signals.yaml` holds, as far as the interval can say."""

    YES = "yes"
    """All values in the interval fulfil it."""
    NO = "no"
    """None does."""
    UNSURE = "unsure"
    """Some do: too little data to say, or none."""


class Level(StrEnum):
    """What follows from a reading, the gravest last."""

    UNMEASURED = "no data"
    FINE = "ok"
    UNSURE = "inconclusive"
    WARN = "warn"
    HOLD = "hold"
    RETRAIN = "retrain"


class Direction(StrEnum):
    """Which way a value went since the window before this one."""

    RISING = "rising"
    FALLING = "falling"
    STEADY = "steady"
    UNKNOWN = "unknown"
    """The two intervals overlap too much, or one of them has no data."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The same reading over the window before, and which way it went with certainty."""

    direction: Direction
    before: float | None
    before_n: int


@dataclass(frozen=True, slots=True)
class Point:
    """The value over one step of time that began at `at` (seconds since 1970); None without data."""

    at: float
    value: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One signal over one window, for one arm and one segment.

    `arm`, `version` and `segment` are "" where all are taken together. `low` and `high` hold at all times at once
    (exact for shares, ratings and percentiles, approximate for open-ended means); None where there is no interval.
    `conditions` says of each threshold of the policy (warn, hold, retrain) whether it holds; `note` is in words why
    there is no value, or what it rests on. `points` are the steps of the window, oldest first.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    window: float
    arm: str
    version: str
    segment: str
    level: Level
    conditions: tuple[tuple[str, Holds], ...]
    trend: Trend
    points: tuple[Point, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often each value occurred: ascending upper edges and a count for each; of one metric, arm and version."""

    metric: str
    arm: str
    version: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    """Sum of all values."""


@dataclass(frozen=True, slots=True)
class Topic:
    """How much of what is asked one topic is, now and in the reference, with questions that show what it is."""

    number: int
    share: float
    reference: float
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """Input drift over one window against the reference set.

    `divergence` is the debiased KL divergence of the topics (nats) with its lower bound `low`; None where n is under
    `needed`, which reads as "insufficient". `e_value` is the sequential evidence since `since` that questions are no
    longer like the reference's; `alarm` says which band is proven: "" none, "slight" above 0.1, "drift" above 0.5.
    `grown` and `shrunk` are the topics that changed most. `shift` is the distance of mean embeddings, `shift_p` the
    share of permutations with one as large.
    """

    at: float
    window: float
    n: int
    needed: int
    divergence: float | None
    low: float | None
    fine_divergence: float | None
    e_value: float
    since: float
    alarm: str
    alarmed_at: float | None
    shift: float | None
    shift_p: float | None
    grown: tuple[Topic, ...]
    shrunk: tuple[Topic, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything measured at one moment of one environment: what the page, the report and the exporters show."""

    environment: str
    at: float
    readings: tuple[Reading, ...]
    histograms: tuple[Histogram, ...]
    drift: Drift | None
    weeks: tuple[Drift, ...]
    """Drift week by week, oldest first."""
    read: int
    """Events that were read for this snapshot; the rest was known from before."""
    seconds: float
    """How long measuring took."""
