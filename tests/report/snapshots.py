"""Snapshots such as a bookshop's assistant gives, for tests of everything that shows or exports one.

`busy` has two arms, a segment, a metric without data, an uncertain one, a fired one of every kind, histograms and
drift; `quiet` is what a monitor has measured that found nothing at all. `reading` makes a single one.
"""

from __future__ import annotations

from dataclasses import replace

from runner.signals.reading import (
    Direction,
    Drift,
    Histogram,
    Holds,
    Level,
    Point,
    Reading,
    Snapshot,
    Topic,
    Trend,
)
from runner.spec.signals import Signal, SignalPolicy, Thresholds

AT = 1_793_282_400.0
"""A full hour in October 2026."""
HOUR, DAY = 3600.0, 86_400.0
OLD, NEW = "chat-v1.0", "chat-v1.1"
UNKNOWN = Trend(Direction.UNKNOWN, None, 0)
FINE = (("warn", Holds.NO),)


def reading(
    metric: str,
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    n: int = 0,
    *,
    window: float = DAY,
    arm: str = "",
    version: str = "",
    segment: str = "",
    level: Level = Level.FINE,
    conditions: tuple[tuple[str, Holds], ...] = FINE,
    trend: Trend = UNKNOWN,
    note: str = "",
) -> Reading:
    """One reading with eight steps of time that lead up to its value."""
    steps = () if value is None else _points(value, n, window)
    return Reading(
        metric, value, low, high, n, window, arm, version, segment, level, conditions, trend, steps, note
    )


def empty(metric: str, **place: str) -> Reading:
    """A reading over a window in which nothing was to be measured."""
    return reading(
        metric,
        None,
        level=Level.UNMEASURED,
        conditions=(("warn", Holds.UNSURE),),
        note="nothing of this kind was logged in the window",
        **place,
    )


def busy(environment: str = "production", at: float = AT) -> Snapshot:
    """A day on which the candidate refuses too much and topics begin to move."""
    return Snapshot(
        environment=environment,
        at=at,
        readings=(*_health(), *_refusals(), *_answers(), *_people(), *_rest()),
        histograms=_histograms(),
        drift=drift(at),
        weeks=(*(drift(at - 7 * DAY * back, alarm="") for back in (3, 2, 1)), drift(at)),
        read=48_211,
        seconds=0.84,
    )


def quiet(environment: str = "staging", at: float = AT) -> Snapshot:
    """The first pass over an empty lake."""
    metrics = ("error_rate", "refusal_rate", "satisfaction", "latency_p95", "input_drift")
    return Snapshot(environment, at, tuple(map(empty, metrics)), (), None, (), 0, 0.012)


def with_condition(snapshot: Snapshot, metric: str, condition: str, holds: Holds) -> Snapshot:
    """The same snapshot, where one condition of every reading of a metric holds, does not, or is unsure."""
    return replace(
        snapshot,
        readings=tuple(
            replace(
                each, conditions=(*((n, h) for n, h in each.conditions if n != condition), (condition, holds))
            )
            if each.metric == metric
            else each
            for each in snapshot.readings
        ),
    )


def drift(at: float = AT, alarm: str = "slight") -> Drift:
    """A week in which questions about parcels doubled."""
    return Drift(
        at=at,
        window=7 * DAY,
        n=1840,
        needed=380,
        divergence=0.163 if alarm else 0.021,
        low=0.118 if alarm else 0.004,
        fine_divergence=0.21 if alarm else 0.05,
        e_value=4210.0 if alarm else 1.7,
        since=at - 9 * DAY,
        alarm=alarm,
        alarmed_at=at - DAY if alarm else None,
        shift=0.062 if alarm else 0.011,
        shift_p=0.001 if alarm else 0.44,
        grown=(Topic(7, 0.21, 0.10, ("Where is my parcel?", "Has my order left yet?")),),
        shrunk=(Topic(2, 0.03, 0.09, ("Do you have a reading list for children?",)),),
    )


def _points(value: float, n: int, window: float) -> tuple[Point, ...]:
    swing = (0.92, 1.05, 0.97, 1.1, 0.88, 1.0, 1.04, 1.0)
    found = [Point(AT - window + i * window / 8, value * by, n // 8) for i, by in enumerate(swing)]
    return (*found[:3], replace(found[3], value=None, n=0), *found[4:])


def _health() -> tuple[Reading, ...]:
    steady = Trend(Direction.STEADY, 0.0091, 1770)
    old, new = {"arm": "baseline", "version": OLD}, {"arm": "candidate", "version": NEW}
    return (
        reading("error_rate", 0.0096, 0.0058, 0.0149, 1872, window=HOUR, trend=steady),
        reading("error_rate", 0.0094, 0.0055, 0.0152, 1702, window=HOUR, **old),
        reading(
            "error_rate",
            0.0118,
            0.0011,
            0.0451,
            170,
            window=HOUR,
            level=Level.UNSURE,
            conditions=(("warn", Holds.UNSURE),),
            **new,
        ),
        reading("crash_rate", 0.0, 0.0, 0.0031, 1872, window=HOUR),
        reading("latency_p50", 0.31, 0.30, 0.33, 1854, window=HOUR),
        reading("latency_p95", 1.12, 1.04, 1.21, 1854, window=HOUR),
        reading("latency_p95", 1.10, 1.02, 1.19, 1686, window=HOUR, **old),
        reading("latency_p95", 1.31, 1.06, 1.78, 168, window=HOUR, **new),
        reading(
            "latency_p99",
            2.61,
            2.12,
            3.4,
            1854,
            window=HOUR,
            level=Level.WARN,
            conditions=(("warn", Holds.YES),),
            trend=Trend(Direction.RISING, 1.8, 1751),
        ),
        reading("first_token_p95", 0.22, 0.2, 0.25, 1854, window=HOUR),
    )


def _refusals() -> tuple[Reading, ...]:
    conditions = (("warn", Holds.YES), ("retrain", Holds.NO))
    return (
        reading(
            "refusal_rate",
            0.081,
            0.074,
            0.088,
            18_240,
            conditions=(("warn", Holds.NO), ("retrain", Holds.NO)),
        ),
        reading(
            "refusal_rate",
            0.069,
            0.062,
            0.077,
            16_610,
            arm="baseline",
            version=OLD,
            conditions=(("warn", Holds.NO), ("retrain", Holds.NO)),
        ),
        reading(
            "refusal_rate",
            0.198,
            0.166,
            0.233,
            1630,
            arm="candidate",
            version=NEW,
            level=Level.WARN,
            conditions=conditions,
            trend=Trend(Direction.RISING, 0.07, 410),
        ),
        reading("refusal_rate", 0.104, 0.061, 0.16, 412, segment="beta", level=Level.UNSURE),
        reading(
            "over_refusal_rate",
            0.113,
            0.103,
            0.124,
            9020,
            level=Level.RETRAIN,
            conditions=(("warn", Holds.YES), ("retrain", Holds.YES)),
        ),
        reading(
            "reask_rate", 0.047, 0.042, 0.052, 17_940, conditions=(("warn", Holds.NO), ("retrain", Holds.NO))
        ),
        reading("reask_rate", 0.044, 0.039, 0.05, 16_330, arm="baseline", version=OLD),
        reading("reask_rate", 0.071, 0.052, 0.094, 1610, arm="candidate", version=NEW),
    )


def _answers() -> tuple[Reading, ...]:
    week = 7 * DAY
    return (
        reading(
            "consistency",
            0.72,
            0.69,
            0.75,
            1210,
            window=week,
            conditions=(("warn", Holds.NO), ("hold", Holds.NO)),
        ),
        reading(
            "factuality",
            0.842,
            0.811,
            0.87,
            640,
            window=week,
            level=Level.UNSURE,
            conditions=(("warn", Holds.YES), ("hold", Holds.NO), ("retrain", Holds.UNSURE)),
        ),
        reading("prompt_tokens", 61.4, 58.0, 64.9, 18_240, conditions=()),
        reading("answer_tokens", 143.0, 137.5, 148.8, 18_240),
        reading("answer_tokens", 139.0, 133.0, 145.2, 16_610, arm="baseline", version=OLD),
        reading("answer_tokens", 181.0, 160.2, 203.9, 1630, arm="candidate", version=NEW),
        reading("session_length", 2.7, 2.6, 2.8, 6750, conditions=()),
        reading("output_drift", 0.034, None, None, 18_240, window=week),
        reading("answer_diversity", 0.61, 0.60, 0.62, 18_240, window=week),
    )


def _people() -> tuple[Reading, ...]:
    week = 7 * DAY
    thresholds = (("warn", Holds.NO), ("hold", Holds.NO), ("retrain", Holds.NO))
    return (
        reading("satisfaction", 4.21, 4.08, 4.33, 612, window=week, conditions=thresholds),
        reading("satisfaction", 4.24, 4.1, 4.37, 560, window=week, arm="baseline", version=OLD),
        reading(
            "satisfaction",
            3.81,
            3.2,
            4.3,
            52,
            window=week,
            arm="candidate",
            version=NEW,
            level=Level.UNSURE,
            conditions=(("warn", Holds.UNSURE), ("hold", Holds.UNSURE), ("retrain", Holds.UNSURE)),
        ),
        reading("thumbs_down_rate", 0.14, 0.11, 0.18, 540, window=week),
        reading("response_rate", 0.034, 0.031, 0.037, 18_240, window=week),
        empty("win_rate"),
    )


def _rest() -> tuple[Reading, ...]:
    week = 7 * DAY
    return (
        reading(
            "input_drift",
            0.163,
            0.118,
            None,
            1840,
            window=week,
            level=Level.HOLD,
            conditions=(("warn", Holds.YES), ("hold", Holds.YES), ("retrain", Holds.NO)),
            trend=Trend(Direction.RISING, 0.02, 1755),
        ),
        reading("input_shift", 0.062, None, None, 1840, window=week),
        reading("proxy_reward", 1.31, 1.22, 1.4, 200, window=week, conditions=(("hold", Holds.NO),)),
        reading(
            "forgetting",
            0.01,
            0.001,
            0.034,
            200,
            window=week,
            conditions=(("warn", Holds.NO), ("hold", Holds.NO)),
        ),
        reading("data_quality", 0.9991, 0.9984, 0.9995, 18_300),
        reading("parity", 0.012, None, None, 48, conditions=(("warn", Holds.NO), ("hold", Holds.NO))),
        reading("cost_per_1000", 3.87, None, None, 127_000, window=week),
        reading("cost_per_1000", 4.02, None, None, 11_400, window=week, arm="candidate", version=NEW),
    )


def _histograms() -> tuple[Histogram, ...]:
    seconds = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
    tokens = (16.0, 64.0, 256.0, 1024.0)
    return (
        Histogram("latency", "baseline", OLD, seconds, (31, 420, 800, 340, 89, 6), 742.1),
        Histogram("latency", "candidate", NEW, seconds, (2, 31, 74, 45, 14, 2), 91.7),
        Histogram("first_token", "baseline", OLD, seconds, (1210, 431, 40, 5, 0, 0), 164.0),
        Histogram("first_token", "candidate", NEW, seconds, (120, 41, 6, 1, 0, 0), 17.3),
        Histogram("prompt_tokens", "baseline", OLD, tokens, (700, 9010, 6500, 400), 1_019_000.0),
        Histogram("answer_tokens", "baseline", OLD, tokens, (500, 4800, 10_010, 1300), 2_308_000.0),
        Histogram("answer_tokens", "candidate", NEW, tokens, (40, 310, 960, 320), 295_000.0),
        Histogram("satisfaction", "", "", (1.0, 2.0, 3.0, 4.0, 5.0), (31, 22, 61, 171, 327), 2577.0),
    )


def complete(policy: SignalPolicy, environment: str = "production", at: float = AT) -> Snapshot:
    """`busy`, and a reading with an interval for whatever else a policy measures, for each arm and a segment."""
    found = busy(environment, at)
    known = {(each.metric, each.arm, each.segment) for each in found.readings if each.low is not None}
    places = (
        {},
        {"arm": "baseline", "version": OLD},
        {"arm": "candidate", "version": NEW},
        {"segment": "beta"},
    )
    more = tuple(
        reading(metric, 0.5, 0.4, 0.6, 100, conditions=_conditions(signal), **place)
        for metric, signal in policy.signals.items()
        for place in places
        if (metric, place.get("arm", ""), place.get("segment", "")) not in known
    )
    added = {(each.metric, each.arm, each.segment) for each in more}
    kept = tuple(each for each in found.readings if (each.metric, each.arm, each.segment) not in added)
    return replace(found, readings=(*kept, *more))


def _conditions(signal: Signal) -> tuple[tuple[str, Holds], ...]:
    named = [name for name in Thresholds.model_fields if getattr(signal.thresholds, name) is not None]
    return tuple((name, Holds.NO) for name in named)
