"""The rollouts that an event log holds: which requests belong to one, and what was answered and said of them.

Called by `backtest` and by simulations of it. Computation only: events in, values out.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.events.schema import Kind

Event = Mapping[str, Any]

KINDS = (Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK)
"""In this order: an answer is known before what is said of it."""
PAUSE_S = 600.0
"""Other traffic for so long between two requests of a rollout makes the second the start of a new trial."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which share of traffic the candidate was given, since when (seconds since 1970)."""

    since: float
    weight: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One rollout as it was logged; `events` by their times, `candidate` and `baseline` as NAME--DIGEST12."""

    rollout_id: str
    candidate: str
    baseline: str
    started: float
    ended: float
    shares: tuple[Share, ...]
    events: tuple[tuple[Kind, Event], ...]

    @property
    def requests(self) -> int:
        """How many requests of it are logged, of both arms."""
        return sum(kind is Kind.REQUEST for kind, _ in self.events)


def trials(events: Mapping[Kind, Iterable[Event]]) -> tuple[Trial, ...]:
    """Return the rollouts in a log, the oldest first. Events may come in any order, each once."""
    requests = sorted(events.get(Kind.REQUEST, ()), key=time_us)
    found = [_trial(rows, events) for rows in _runs(requests)]
    return tuple(sorted((each for each in found if each is not None), key=lambda trial: trial.started))


def since_generation(found: Sequence[Trial], generation: int) -> Trial | None:
    """Return what these trials of one rollout logged under routes of a generation or later ones, as one trial.

    Without the pauses that `trials` sees; None where nothing was logged of both arms.
    """
    events: dict[Kind, list[Event]] = {kind: [] for kind in KINDS}
    for trial in found:
        for kind, event in trial.events:
            if kind is not Kind.REQUEST or event.get("loop.generation", generation) >= generation:
                events[kind].append(event)
    return _trial(sorted(events[Kind.REQUEST], key=time_us), events)


def time_us(event: Event) -> int:
    """Return when an event happened, microseconds since 1970."""
    return int(event["event.time"])


def _runs(requests: Sequence[Event]) -> Iterator[list[Event]]:
    """Yield the requests of each trial: of one rollout id, under routes that went on giving it.

    By the generations of the routes, since clocks and gateways differ. Where no generation is logged, a trial ends
    with a pause in which others were served.
    """
    times = [time_us(event) for event in requests]
    numbers = _numbers(requests)
    open_: dict[tuple[str, int | None], list[Event]] = {}
    for event in requests:
        name, generation = event.get("loop.rollout"), event.get("loop.generation")
        if not name:
            continue
        key = name, None if generation is None else numbers[name, generation]
        rows = open_.setdefault(key, [])
        if rows and generation is None and _others_between(times, time_us(rows[-1]), time_us(event)):
            yield rows
            rows = open_[key] = []
        rows.append(event)
    yield from open_.values()


def _numbers(requests: Sequence[Event]) -> dict[tuple[str, int], int]:
    """Return the how-manieth trial of a rollout id each generation of routes belongs to.

    A generation between two others under which people were served, but none of them in the rollout, separates them.
    """
    giving: dict[str, set[int]] = {}
    served: set[int] = set()
    for event in requests:
        if (generation := event.get("loop.generation")) is not None:
            served.add(generation)
            giving.setdefault(event.get("loop.rollout") or "", set()).add(generation)
    found: dict[tuple[str, int], int] = {}
    for name, own in giving.items():
        number, gap = 0, False
        for generation in sorted(served):
            if generation not in own:
                gap = True
                continue
            number += gap
            gap = False
            found[name, generation] = number
    return found


def _others_between(times: Sequence[int], before: int, after: int) -> bool:
    """Return whether anybody was served between two requests of a rollout that lie far apart."""
    if after - before < PAUSE_S * 1e6:
        return False
    return bisect.bisect_left(times, after) > bisect.bisect_right(times, before)


def _trial(requests: Sequence[Event], events: Mapping[Kind, Iterable[Event]]) -> Trial | None:
    """Return a trial with all that belongs to its requests; None where one arm was never given."""
    arms = {event.get("loop.arm.assigned"): event for event in requests}
    if "candidate" not in arms or "baseline" not in arms:
        return None
    ids = {event["loop.request.id"] for event in requests}
    answers = {event["gen_ai.response.id"] for event in requests if event.get("gen_ai.response.id")}
    rows: list[tuple[Kind, Event]] = [(Kind.REQUEST, event) for event in requests]
    rows += [(Kind.CONTENT, each) for each in events.get(Kind.CONTENT, ()) if each["loop.request.id"] in ids]
    rows += [
        (Kind.FEEDBACK, each)
        for each in events.get(Kind.FEEDBACK, ())
        if each["gen_ai.response.id"] in answers
    ]
    rows.sort(key=lambda row: (time_us(row[1]), KINDS.index(row[0])))
    return Trial(
        rollout_id=str(requests[0]["loop.rollout"]),
        candidate=_served(arms["candidate"]),
        baseline=_served(arms["baseline"]),
        started=time_us(requests[0]) / 1e6,
        ended=time_us(rows[-1][1]) / 1e6,
        shares=tuple(_shares(requests)),
        events=tuple(rows),
    )


def _served(event: Event) -> str:
    digest = str(event.get("loop.adapter.digest.assigned") or "")
    return f"{event.get('loop.version.assigned')}--{digest[:12]}"


def _shares(requests: Iterable[Event]) -> Iterator[Share]:
    before: float | None = None
    for event in requests:
        weight = float(event.get("loop.weight") or 0.0)
        if weight != before:
            yield Share(time_us(event) / 1e6, weight)
        before = weight


def weight_at(shares: Sequence[Share], at: float) -> float:
    """Return the share that the candidate had at a moment, at the begin where that is before it."""
    given = [share.weight for share in shares if share.since <= at]
    return given[-1] if given else shares[0].weight
