"""Pages of a bookshop's assistant, for tests of the monitor and for its pictures in the documentation.

`healthy` is an afternoon without trouble; in `troubled` the candidate refuses more and people ask something new.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache

from runner.console.monitor.feed import Decision, Kind, Page, Rollout, Runner, Waiting
from runner.rollout.verdict import Assessment, Because, Estimate, Finding, Mismatch, Step, Verdict
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
from tests.report import snapshots

AT = 1_795_249_800.0
HOUR, DAY = 3600.0, 86_400.0
OLD, NEW = "chat-v1.0--ba5b5013f54b", "chat-v1.1--0216f1f2ab0e"
STEPS = 24
SIDES = (("", "", 1.0), ("baseline", "chat-v1.0", 0.8), ("candidate", "chat-v1.1", 0.2))

# metric, mean, half an interval at n, n, window
_RATES = (
    ("refusal_rate", 0.062, 0.006, 18_240, DAY),
    ("over_refusal_rate", 0.018, 0.004, 9_020, DAY),
    ("reask_rate", 0.047, 0.005, 17_940, DAY),
    ("consistency", 0.74, 0.03, 1_210, 7 * DAY),
    ("factuality", 0.947, 0.016, 640, 7 * DAY),
    ("satisfaction", 4.31, 0.09, 612, 7 * DAY),
    ("thumbs_down_rate", 0.12, 0.03, 540, 7 * DAY),
    ("response_rate", 0.034, 0.003, 18_240, 7 * DAY),
    ("error_rate", 0.0041, 0.0021, 1_872, HOUR),
    ("crash_rate", 0.0, 0.0016, 1_872, HOUR),
    ("latency_p50", 0.31, 0.02, 1_854, HOUR),
    ("latency_p95", 0.96, 0.08, 1_854, HOUR),
    ("latency_p99", 1.58, 0.22, 1_854, HOUR),
    ("first_token_p50", 0.082, 0.01, 1_854, HOUR),
    ("first_token_p95", 0.22, 0.03, 1_854, HOUR),
    ("prompt_tokens", 61.4, 3.4, 18_240, DAY),
    ("answer_tokens", 143.0, 5.6, 18_240, DAY),
    ("session_length", 2.7, 0.1, 6_750, DAY),
    ("answer_diversity", 0.61, 0.01, 18_240, 7 * DAY),
    ("cost_per_1000", 3.87, 0.0, 127_000, 7 * DAY),
)
_WHOLE = (
    ("input_drift", 0.021, 0.017, 1_840, 7 * DAY),
    ("input_shift", 0.011, 0.0, 1_840, 7 * DAY),
    ("forgetting", 0.01, 0.009, 400, 7 * DAY),
    ("data_quality", 0.9991, 0.0006, 18_300, DAY),
    ("win_rate", 0.57, 0.05, 381, 7 * DAY),
)


def healthy(at: float = AT) -> Page:
    """Nothing asks for attention; a candidate waits for more sessions."""
    snapshot = Snapshot(
        "production", at, (*_readings(at), *_rest(at)), _histograms(1.0), drift(at), weeks(at), 214, 0.21
    )
    return Page("production", snapshot, rollout(at), decisions(at), Runner(4711, at - 1, "in sync"))


def troubled(at: float = AT) -> Page:
    """The candidate refuses more and is liked less, and what people ask has drifted."""
    page = healthy(at)
    assert page.snapshot is not None
    readings = tuple(map(_worse, page.snapshot.readings))
    snapshot = replace(
        page.snapshot,
        readings=readings,
        histograms=_histograms(1.5),
        drift=drift(at, alarm="slight"),
        weeks=(*weeks(at)[:-1], drift(at, alarm="slight")),
    )
    held = Waiting(
        "rollout chat-v1.1", "the drift of input says so: input_drift > 0.1", "look at the topics that grew"
    )
    found = rollout(at)
    return replace(
        page,
        snapshot=snapshot,
        rollout=replace(found, waits=(held,)),
        decisions=(
            Decision(
                at - 740, Kind.VERDICT, "refusal_rate of the candidate", "ok to warn: 19.4%, 16.6% to 23.3%"
            ),
            *decisions(at),
        ),
    )


def rollout(at: float) -> Rollout:
    """A canary that has kept every limit so far and is not yet certain of one."""
    errors = Finding(
        "errors-over-baseline",
        "error_rate > baseline * 1.5",
        "error_rate",
        Verdict.PASS,
        Estimate(0.0039, 0.0011, 0.0093, 1630, 6),
        Estimate(0.0042, 0.0028, 0.0061, 6610, 28),
        0.05,
        24.0,
        None,
    )
    slow = Finding(
        "canary.rollback_if",
        "latency_p99 > 2000ms",
        "latency_p99",
        Verdict.INCONCLUSIVE,
        Estimate(1.58, 1.21, 2.4, 1630),
        None,
        0.4,
        6.0,
        420,
    )
    found = Assessment(
        "c1e0e3ca3d0f",
        NEW,
        OLD,
        "canary",
        "half",
        0.2,
        Step.HOLD,
        Because.NO_PROOF,
        at,
        at - 5 * HOUR,
        5 * HOUR,
        19 * HOUR,
        0.41,
        100.0,
        "canary.rollback_if",
        (errors, slow),
        Mismatch(1630, 6610, 0.2, 0.2, False),
        1630,
        420,
        1.4,
    )
    return Rollout(OLD, NEW, None, 0.2, found, "", ())


def decisions(at: float) -> tuple[Decision, ...]:
    """What the journal tells of the last two days."""
    evidence = "3.87% of the candidate (7 in 181 sessions), 0% of the baseline (0 in 714 sessions)"
    return (
        Decision(at - 5 * HOUR, Kind.ENTERED, "rollout c1e0e3ca3d0f", "the routes give stage 'canary'"),
        Decision(at - 5 * HOUR - 4, Kind.APPLIED, "4317da2e4a15", "everything agrees with it"),
        Decision(
            at - 30 * HOUR,
            Kind.ROLLED_BACK,
            "chat-v1.1-rc2--77c0aa12e91b",
            f"errors-over-baseline: error_rate > baseline * 1.5: {evidence}",
        ),
        Decision(
            at - 54 * HOUR,
            Kind.ADVANCED,
            OLD,
            "half to full: every limit of its stage is kept, with certainty",
        ),
    )


def drift(at: float, alarm: str = "") -> Drift:
    """A week of questions, like the reference's or with more about parcels."""
    found = replace(snapshots.drift(at, alarm), grown=(), shrunk=())
    if not alarm:
        return found
    return replace(
        found,
        grown=(
            Topic(7, 0.21, 0.10, ("Where is my parcel? It was due on Monday.", "Has my order left yet?")),
            Topic(11, 0.09, 0.05, ("Can I send the gift card to another address?",)),
        ),
        shrunk=(
            Topic(2, 0.03, 0.09, ("Do you have a reading list for children of eight?",)),
            Topic(15, 0.04, 0.07, ("Which translation of the Odyssey is easiest to read?",)),
        ),
    )


def weeks(at: float) -> tuple[Drift, ...]:
    """Six weeks without an alarm."""
    values = (0.012, 0.031, 0.018, 0.044, 0.027, 0.021)
    return tuple(
        replace(drift(at - 7 * DAY * back), divergence=value, low=value * 0.4, n=1700 + 37 * back)
        for back, value in zip(range(5, -1, -1), values, strict=True)
    )


def _readings(at: float) -> tuple[Reading, ...]:
    return tuple(
        _reading(
            at,
            metric,
            mean * (1.03 if arm == "candidate" else 1.0),
            half / math.sqrt(part),
            n,
            window,
            arm,
            version,
            part,
        )
        for metric, mean, half, n, window in _RATES
        for arm, version, part in SIDES
    ) + tuple(
        replace(_reading(at, metric, mean * 1.08, half * 3, n, window, "", "", 0.07), segment="beta")
        for metric, mean, half, n, window in _RATES[:9]
    )


def _rest(at: float) -> tuple[Reading, ...]:
    missing = Reading(
        "proxy_reward", None, None, None, 0, 7 * DAY, "", "", "", Level.UNMEASURED, (("hold", Holds.UNSURE),),
        Trend(Direction.UNKNOWN, None, 0), (), "no evaluation ran in the window",
    )  # fmt: skip
    return (*(_reading(at, *each, "", "", 1.0) for each in _WHOLE), missing)


def _reading(
    at: float,
    metric: str,
    mean: float,
    half: float,
    n: int,
    window: float,
    arm: str,
    version: str,
    part: float,
) -> Reading:
    drawn = random.Random(f"{metric} {arm}")
    high_is_one = 0.9999 if mean <= 1 and not metric.startswith(("latency", "cost")) else math.inf
    top = min(mean + half, 5.0 if metric == "satisfaction" else high_is_one)
    points = tuple(
        Point(
            at - window + step * window / STEPS,
            mean * (1 + 0.08 * drawn.uniform(-1, 1)),
            int(n * part / STEPS),
        )
        for step in range(STEPS)
    )
    direction = Direction.STEADY if arm != "candidate" else Direction.UNKNOWN
    return Reading(
        metric,
        mean,
        max(mean - half, 0.0) if half else None,
        top if half else None,
        int(n * part),
        window,
        arm,
        version,
        "",
        Level.FINE,
        (("warn", Holds.NO),),
        Trend(direction, mean * 0.99 if direction is Direction.STEADY else None, int(n * part)),
        points,
    )


def _worse(found: Reading) -> Reading:
    """Return the reading as it is in trouble."""
    if found.segment:
        return found
    match found.metric, found.arm:
        case "refusal_rate", "candidate":
            return _moved(found, 0.194, 0.166, 0.233, Level.WARN, 0.064)
        case "over_refusal_rate", "candidate":
            return _moved(found, 0.117, 0.088, 0.151, Level.RETRAIN, 0.019)
        case "satisfaction", "candidate":
            return replace(_moved(found, 3.86, 3.31, 4.29, Level.UNSURE, None), n=52)
        case "latency_p99", "":
            return _moved(found, 2.61, 2.12, 3.4, Level.WARN, 1.6)
        case "input_drift", _:
            return _moved(found, 0.163, 0.118, None, Level.HOLD, 0.021)
        case _:
            return found


def _moved(
    found: Reading, value: float, low: float, high: float | None, level: Level, before: float | None
) -> Reading:
    was = found.value or value
    points = tuple(
        replace(point, value=(point.value or was) * (1 + (value / was - 1) * max(0.0, (step - 14) / 9)))
        for step, point in enumerate(found.points)
    )
    up = Direction.RISING if value > was else Direction.FALLING
    yes = Holds.UNSURE if level is Level.UNSURE else Holds.YES
    trend = Trend(Direction.UNKNOWN if before is None else up, before, found.n)
    return replace(
        found,
        value=value,
        low=low,
        high=high,
        level=level,
        points=points,
        trend=trend,
        conditions=(("warn", yes),),
    )


@cache
def _histograms(slower: float) -> tuple[Histogram, ...]:
    ratings = Histogram("satisfaction", "", "", (1.0, 2.0, 3.0, 4.0, 5.0), (24, 17, 49, 188, 334), 2627.0)
    return (
        *_sides("latency", 0.33, 0.62, 1700, slower),
        *_sides("first_token", 0.085, 0.5, 1700, 1.0),
        *_sides("prompt_tokens", 48, 0.7, 16_600, 1.0),
        *_sides("answer_tokens", 118, 0.6, 16_600, slower),
        ratings,
    )


def _sides(metric: str, middle: float, width: float, n: int, slower: float) -> tuple[Histogram, Histogram]:
    return (
        _histogram(metric, ("baseline", "chat-v1.0"), middle, width, n),
        _histogram(metric, ("candidate", "chat-v1.1"), middle * slower, width, n // 9),
    )


def _histogram(metric: str, whose: tuple[str, str], middle: float, width: float, n: int) -> Histogram:
    drawn = random.Random(f"{metric} {whose}")
    values = [math.exp(drawn.gauss(math.log(middle), width)) for _ in range(n)]
    buckets = [math.ceil(math.log(value) / 0.18) for value in values]
    numbers = range(min(buckets), max(buckets) + 1)
    counts = tuple(buckets.count(number) for number in numbers)
    return Histogram(
        metric, *whose, tuple(math.exp(0.18 * number) for number in numbers), counts, sum(values)
    )
