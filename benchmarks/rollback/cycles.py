"""One rollback after the other, each of a version of its own, and when each of its steps was over."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.rollback.place import Place, TooLateError, until

WELL_BEFORE = 10
"""Requests that a candidate answers well before it begins to fail."""
AFTERWARDS_S = 0.3
"""How long events of the last requests may lag behind their answers."""
OUTAGE_S = 1.0
"""How long an outage goes on once users are off the candidate."""


class Outage(StrEnum):
    """What is away while a candidate fails."""

    NONE = "none"
    GIT = "git"
    """The remote: its directory is gone."""
    ENGINE = "engine"
    """The engine's admin side: it accepts and never answers; completions go on."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One rollback; milliseconds from the arrival of the event that decided it, None where it did not happen.

    `zero_traffic_ms`: to the arrival of the last request that the candidate was to answer, on any gateway; 0 where
    none came after the deciding event. `switched_ms`: to the moment at which both gateways had taken the routes.
    `detected_ms`: from the arrival of the first request that failed to that moment, the evidence's growth included.
    `commit_ms`: until the remote showed the commit, or from the end of the outage where the remote was away.
    `assigned_after`: requests assigned to the candidate after the deciding event.
    """

    outage: Outage
    zero_traffic_ms: float | None
    switched_ms: float | None
    detected_ms: float | None
    commit_ms: float | None
    assigned_after: int


def run(place: Place, count: int, outage: Outage, first: int) -> Iterator[Cycle]:
    """Yield a cycle after the other; versions are numbered from `first`."""
    for number in range(first, first + count):
        cycle = _cycle(place, f"chat-v2.{number}", outage)
        _say(place, number - first + 1, count, cycle)
        yield cycle


def _cycle(place: Place, name: str, outage: Outage) -> Cycle:
    served = place.put_on_trial(name)
    until(lambda: place.on_trial() == (served, served), f"the trial of {name}")
    until(lambda: _arrived(place, served) >= WELL_BEFORE, f"{WELL_BEFORE} requests for {name}", pause_s=0.05)
    committed: float | None = None
    with _away(place, outage) as came_back:
        place.misbehave(fault="500", only_model=served)
        try:
            until(lambda: "done" in place.journalled(served), f"the rollback of {name}")
            if outage is not Outage.NONE:
                time.sleep(OUTAGE_S)
            if outage is not Outage.GIT:
                committed = until(lambda: place.landed(served), f"the commit about {name}")
        finally:
            place.misbehave(fault="none", only_model=None)
    if outage is Outage.GIT:
        committed = until(lambda: place.landed(served), f"the commit about {name}", 120.0)
    time.sleep(AFTERWARDS_S)
    return _measured(place, served, outage, committed, came_back())


def _measured(
    place: Place, served: str, outage: Outage, committed: float | None, came_back: float | None
) -> Cycle:
    place.arrivals.collect()
    entries = place.journalled(served)
    decided = entries["attempted"]["cause"]["time_us"] / 1e6
    after = [at for at in place.arrivals.by_candidate.get(served, []) if at > decided]
    results = entries["done"]["result"]["gateways"].values()
    switched = entries["done"]["at"] if set(results) == {"switched"} else None
    failed = place.arrivals.first_failure.get(served)
    since = came_back if outage is Outage.GIT else decided
    return Cycle(
        outage,
        zero_traffic_ms=1000 * (max(after) - decided) if after else 0.0,
        switched_ms=None if switched is None else 1000 * (switched - decided),
        detected_ms=None if switched is None or failed is None else 1000 * (switched - failed),
        commit_ms=None if committed is None or since is None else 1000 * (committed - since),
        assigned_after=len(after),
    )


def _arrived(place: Place, served: str) -> int:
    place.arrivals.collect()
    return len(place.arrivals.by_candidate.get(served, []))


@contextmanager
def _away(place: Place, outage: Outage) -> Iterator[Callable[[], float | None]]:
    """Take something away for the block; what is yielded returns when it came back."""
    ended: list[float] = []
    hidden = place.remote.with_name("remote-is-away.git")
    if outage is Outage.GIT:
        place.remote.rename(hidden)
    elif outage is Outage.ENGINE:
        place.misbehave(models="hang")
    try:
        yield lambda: ended[0] if ended else None
    finally:
        if outage is Outage.GIT:
            hidden.rename(place.remote)
        elif outage is Outage.ENGINE:
            place.misbehave(models="ok")
        ended.append(time.time())


def quantile(values: Sequence[float | None], share: float) -> float | None:
    """Return a quantile by nearest rank, in the unit of the values; None where one is missing or there are none."""
    known = sorted(value for value in values if value is not None)
    if not known or len(known) < len(values):
        return None
    return round(known[min(len(known) - 1, int(share * len(known)))], 1)


def middle(values: Sequence[float | None]) -> float | None:
    """Return the median of what is known, None without any."""
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 1) if known else None


def _say(place: Place, number: int, count: int, cycle: Cycle) -> None:
    if place.runner.poll() is not None:
        raise TooLateError(f"the runner ended: {(place.home / 'runner.log').read_text()[-2000:]}")
    figures = (cycle.zero_traffic_ms, cycle.switched_ms, cycle.commit_ms)
    shown = "  ".join(f"{'-' if figure is None else f'{figure:.0f}':>7}" for figure in figures)
    print(f"outage: {cycle.outage:<7} {number:>4}/{count}  {shown} ms", file=sys.stderr, flush=True)
