"""How often a policy stops a candidate that is exactly as good as the baseline: found out by simulation.

Called by `loop backtest` and by the plan of a pull request. Computation only; random numbers come from a seed, so
that the same log and the same policy give the same answer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.events.schema import Kind
from runner.rollout.backtest import Cadence, Progress, replay, silent
from runner.rollout.trials import KINDS, Share, Trial, time_us
from runner.rollout.verdict import Because
from runner.signals.detection import SHIPPED, Detection
from runner.spec.rollout import RolloutPolicy
from runner.stats import intervals

Event = Mapping[str, Any]

LOOKS = 150
"""Looks at one simulated rollout; a real one gets more, and may find a little more to be alarmed about."""
EXACT = 0.1
"""How exactly advances are dated in a simulated rollout, as a share of the stage."""
MOST_SESSIONS = 10_000
"""Sessions of one simulated rollout; the log's traffic beyond that is left out, and that is told."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """How many rollouts are simulated, from which seed, and how many sessions each has at most."""

    replicates: int = 100
    seed: int = 0
    most: int = MOST_SESSIONS


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """How often a candidate that is exactly as good as the baseline is rolled back, in simulation.

    `low` and `high` bound the true share. `unproven` counts those sent back at the end of a stage without proof,
    because the policy says so; they are no part of `alarms`. `sessions` are those of one replicate, of `logged`.
    """

    replicates: int
    alarms: int
    unproven: int
    share: float
    low: float
    high: float
    sessions: int
    logged: int
    seed: int


def false_alarms(
    policy: RolloutPolicy,
    trial: Trial,
    simulation: Simulation = Simulation(),
    progress: Progress = silent,
    detection: Detection = SHIPPED,
) -> FalseAlarms | None:
    """Return how often the policy stops a candidate that behaves as the baseline did; None without its sessions.

    Each replicate gives every logged session, in either arm, the events of a session of the baseline, drawn with
    replacement, and draws its user's arm anew at the share of that time: bursts, ratings and slow answers come
    as they came, and between the arms there is no difference but luck.
    """
    slots, donors = _slots(trial, policy.decision.session_gap)
    if not donors or not slots:
        return None
    used, replicates = slots[: simulation.most], simulation.replicates
    alarms = unproven = 0
    for number in range(replicates):
        healthy = _healthy(trial, used, donors, random.Random(f"{simulation.seed}/{number}"))
        every = max(policy.decision.every, (healthy.ended - healthy.started) / LOOKS)
        stop = replay(policy, healthy, cadence=Cadence(every, EXACT), detection=detection).stop
        alarms += stop is not None and stop.because is not Because.INCONCLUSIVE_END
        unproven += stop is not None and stop.because is Because.INCONCLUSIVE_END
        progress(number + 1, replicates)
    low, high = map(float, intervals.mean_interval(alarms, replicates, 0.05))
    share = alarms / replicates
    return FalseAlarms(replicates, alarms, unproven, share, low, high, len(used), len(slots), simulation.seed)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A session that was logged: whose, when it began (microseconds), and the candidate's share at that time."""

    user: str
    at: int
    weight: float


Donor = tuple[tuple[Kind, Event, int], ...]
"""The events of a session, each with its microseconds after the session's begin."""


def _slots(trial: Trial, gap: float) -> tuple[list[_Slot], list[Donor]]:
    """Return every session whose arm was drawn, and what happened in those of the baseline."""
    slots: list[_Slot] = []
    donors: list[list[tuple[Kind, Event, int]]] = []
    place: dict[str, tuple[float, int]] = {}
    of_request: dict[str, int] = {}
    arms: list[str] = []
    for kind, event in trial.events:
        at = time_us(event)
        if kind is Kind.REQUEST:
            weight = float(event.get("loop.weight") or 0.0)
            if event.get("loop.arm.always") or not 0.0 < weight < 1.0 or event.get("loop.arm") is None:
                continue
            key = f"{event['loop.user']}/{event.get('loop.session') or ''}"
            last, number = place.get(key, (float("-inf"), -1))
            if at / 1e6 - last > gap:
                number = len(slots)
                slots.append(_Slot(str(event["loop.user"]), at, weight))
                donors.append([])
                arms.append(str(event["loop.arm.assigned"]))
            place[key] = at / 1e6, number
            of_request[event["loop.request.id"]] = number
            if event.get("gen_ai.response.id"):
                of_request[event["gen_ai.response.id"]] = number
        name = event["gen_ai.response.id"] if kind is Kind.FEEDBACK else event["loop.request.id"]
        owner = of_request.get(name)
        if owner is not None:
            donors[owner].append((kind, event, at - slots[owner].at))
    of_baseline = [tuple(rows) for rows, arm in zip(donors, arms, strict=True) if arm == "baseline"]
    return slots, of_baseline


def _healthy(trial: Trial, slots: Sequence[_Slot], donors: Sequence[Donor], rng: random.Random) -> Trial:
    """Return a trial at the logged times in which both arms behave as the baseline did."""
    place = {user: rng.random() for user in dict.fromkeys(slot.user for slot in slots)}
    rows: list[tuple[Kind, Event]] = []
    for number, slot in enumerate(slots):
        arm = "candidate" if place[slot.user] < slot.weight else "baseline"
        rows += (_given(row, slot, arm, number) for row in rng.choice(donors))
    rows.sort(key=lambda row: (time_us(row[1]), KINDS.index(row[0])))
    return replace(trial, events=tuple(rows), started=slots[0].at / 1e6, ended=time_us(rows[-1][1]) / 1e6)


def _given(row: tuple[Kind, Event, int], slot: _Slot, arm: str, number: int) -> tuple[Kind, Event]:
    """Return an event of one session as that of another: its time, its user, its arm, and ids of its own."""
    kind, event, offset = row
    given = {**event, "event.id": f"{number}-{event['event.id']}", "event.time": slot.at + offset}
    for name in ("loop.request.id", "gen_ai.response.id"):
        if name in given:
            given[name] = f"{number}-{given[name]}"
    if "loop.user" in given:
        given["loop.user"] = slot.user
    if kind is Kind.REQUEST:
        given |= {"loop.arm.assigned": arm, "loop.arm": arm, "loop.weight": slot.weight}
    return kind, given


@dataclass(frozen=True, slots=True)
class Rates:
    """What is assumed of a deployment that has no log yet.

    Shares of sessions with an error, with a refusal, with a vote, and of votes that are thumbs up; the median
    latency in seconds and the spread of its logarithm; sessions in an hour.
    """

    errors: float = 0.005
    refusals: float = 0.03
    votes: float = 0.05
    liked: float = 0.85
    latency: float = 0.6
    spread: float = 0.35
    sessions_per_hour: float = 20.0


def assumed_trial(policy: RolloutPolicy, rates: Rates = Rates(), seed: int = 0) -> Trial:
    """Return a rollout that nobody logged: every stage in its time, both arms at the assumed rates.

    Where it would be more than `MOST_SESSIONS`, traffic is thinned over the whole rollout.
    """
    rng = random.Random(seed)
    rows: list[tuple[Kind, Event]] = []
    shares: list[Share] = []
    began, total = 0.0, sum(policy.least(stage) for stage in policy.stages)
    number = 0
    for stage in policy.stages:
        length = policy.least(stage)
        weight = min(stage.traffic, 1.0 - policy.holdback)
        shares.append(Share(began, weight))
        sessions = min(rates.sessions_per_hour * length / 3600.0, MOST_SESSIONS * length / total)
        for place in range(round(sessions)):
            at = int((began + length * place / sessions) * 1e6)
            arm = "candidate" if rng.random() < weight else "baseline"
            rows += _assumed_session(_Slot(f"user-{number}", at, weight), arm, rates, rng)
            number += 1
        began += length
    rows.sort(key=lambda row: (time_us(row[1]), KINDS.index(row[0])))
    return Trial("assumed", "candidate--", "baseline--", 0.0, began, tuple(shares), tuple(rows))


def _assumed_session(slot: _Slot, arm: str, rates: Rates, rng: random.Random) -> list[tuple[Kind, Event]]:
    failed = rng.random() < rates.errors
    name, at = f"assumed-{slot.user}", slot.at
    request: Event = {
        "event.id": name,
        "event.time": at,
        "loop.request.id": name,
        "loop.user": slot.user,
        "loop.group": "public",
        "loop.rollout": "assumed",
        "loop.arm": arm,
        "loop.arm.assigned": arm,
        "loop.weight": slot.weight,
        "loop.outcome": "error" if failed else "ok",
        "loop.latency_ms": 1000.0 * rates.latency * math.exp(rng.gauss(0.0, rates.spread)),
        "loop.first_token_ms": 200.0 * rates.latency * math.exp(rng.gauss(0.0, rates.spread)),
        "gen_ai.response.id": name,
        "gen_ai.usage.output_tokens": int(40.0 * math.exp(rng.gauss(0.0, 0.5))),
    }
    rows: list[tuple[Kind, Event]] = [(Kind.REQUEST, request)]
    if failed:
        return rows
    says = "I cannot help with that." if rng.random() < rates.refusals else "Here you are."
    said = {"gen_ai.output.messages": f'[{{"role": "assistant", "content": "{says}"}}]'}
    same = {"event.time": at, "loop.request.id": name, "gen_ai.response.id": name}
    asked = {"gen_ai.input.messages": f'[{{"role": "user", "content": "question of {slot.user}"}}]'}
    rows.append((Kind.CONTENT, {"event.id": f"{name}-content", **same, **asked, **said}))
    if rng.random() < rates.votes:
        thumbs = 1 if rng.random() < rates.liked else -1
        vote = {"event.id": f"{name}-vote", **same, "event.time": at + 20_000_000, "loop.user": slot.user}
        rows.append((Kind.FEEDBACK, {**vote, "loop.thumbs": thumbs}))
    return rows
