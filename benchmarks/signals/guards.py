"""Rollback alarms on real labelled telemetry: Microsoft's cloud monitoring, and the Numenta Anomaly Benchmark.

Every series is replayed as a metric of a canary. A rule learns from the first tenth, then looks at every point, and
latches: only its first alarm counts. It is in time where it falls into the first labelled incident after the
learning part, and false where it comes before that, or at all in a series without incident. The baseline is a fixed
threshold, three standard deviations or the outer percent of the first tenth, on both sides of it like our rule.
Beside them the e-processes that decide a rollback, used as they were not meant to be: without a second arm at the
same time, on points that depend on each other.

Labels are used to judge alone. Numenta's windows are taken as they are. Microsoft labels points: labelled points
whose gaps an alarm may bridge are one incident, and an alarm may come 3 steps late, 7 where a step is a minute, as
in Microsoft's own evaluation (Ren et al. 2019).
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runner.signals import series
from runner.stats import mean
from runner.stats.mixture import Mixture

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

_LEARNED = 0.1
_HOUR = np.timedelta64(1, "h")
_LATE_STEPS, _LATE_MINUTES = 3, 7


@dataclass(frozen=True, slots=True)
class Incident:
    """First and last point at which an alarm is in time."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A series, its step, and its incidents in order."""

    name: str
    values: Floats
    step: np.timedelta64
    incidents: tuple[Incident, ...]

    @property
    def learned(self) -> int:
        """How many points are learned from."""
        return int(_LEARNED * len(self.values))

    @property
    def incident(self) -> Incident | None:
        """The first incident that begins after the learning part."""
        return next((one for one in self.incidents if one.first >= self.learned), None)


Rule = Callable[[Replay], "int | None"]
"""Returns the point of the first alarm, at `learned` or later."""


def measure(data: Path) -> dict[str, float | None]:
    """Print a table and return shares by name; `data` holds the folders `ms_cloud_monitoring` and `nab`.

    `RULE_SET_early`: of the series with an incident, alarm in time. `RULE_SET_false`: of all series, false alarm.
    `RULE_SET_delay`: median point of the alarms in time, as a share of the incident; None where there are none.
    """
    sets = {"ms": list(microsoft(data)), "nab": list(numenta(data))}
    figures: dict[str, float | None] = {}
    print(f"{'':<43}{'in time':>14}{'false alarms':>14}{'delay':>8}")
    for title, rule, alarm in RULES:
        for name, replays in sets.items():
            found = judged(alarm, replays)
            print(f"{name:<5}{title:<38}{found}")
            shares = {"early": found.early, "false": found.false, "delay": found.delay}
            figures |= {f"{rule}_{name}_{key}": share for key, share in shares.items()}
    return figures


def guard(replay: Replay) -> int | None:
    """Our rule: evidence against everything before, with the mean of the last hour, or of three points."""
    return series.first_alarm(replay.values, replay.learned, max(3, int(_HOUR / replay.step)))


def processes(replay: Replay) -> int | None:
    """The rollback's own e-processes without a second arm: shares of points beyond the past's percentiles.

    Points above the past's p90, p95 and p99, and below its p10, p5 and p1, as events against the share that such
    points have by definition; the six are averaged, with restarts. Valid only where points are independent.
    """
    limits = np.array([(0.1, 0.05, 0.01)] * 2).ravel()
    event, none = (np.array([mean.increments(m0, k, 1) for m0 in limits]) for k in (1, 0))
    capital = Mixture.start(event.shape[-1], shape=limits.shape)
    beyond = _beyond(replay, limits[:3])
    for at in range(replay.learned, len(replay.values)):
        capital = capital.bet(np.where(beyond[:, at, None], event, none), 1)
        if np.logaddexp.reduce(capital.log_e) - np.log(len(limits)) >= -np.log(series.ALPHA):
            return at
    return None


def _beyond(replay: Replay, shares: Floats) -> NDArray[np.bool_]:
    """Return whether points lie beyond percentiles of those before, upper and then lower, shape (6, n)."""
    beyond = np.zeros((2 * len(shares), len(replay.values)), dtype=np.bool_)
    start = replay.learned
    while start < len(replay.values):
        stop = min(len(replay.values), start + max(1, start // 50))
        now = replay.values[start:stop]
        high, low = (np.nanquantile(replay.values[:start], q)[:, None] for q in (1.0 - shares, shares))
        beyond[:, start:stop] = np.concatenate([now > high, now < low])
        start = stop
    return beyond


def three_sd(replay: Replay) -> int | None:
    """The baseline: three standard deviations from the mean of the learning part."""
    start = replay.values[: replay.learned]
    middle, reach = float(np.nanmean(start)), 3.0 * float(np.nanstd(start))
    return _outside(replay, middle - reach, middle + reach)


def outer_percent(replay: Replay) -> int | None:
    """The other baseline: beyond the middle 99% of the learning part."""
    low, high = np.nanquantile(replay.values[: replay.learned], [0.005, 0.995])
    return _outside(replay, low, high)


def _outside(replay: Replay, low: float, high: float) -> int | None:
    later = replay.values[replay.learned :]
    raised = np.flatnonzero((later < low) | (later > high))
    return replay.learned + int(raised[0]) if raised.size else None


RULES: tuple[tuple[str, str, Rule], ...] = (
    ("evidence against all before", "guards", guard),
    ("e-processes over percentiles (P1, P3)", "processes", processes),
    ("fixed threshold, mean and 3 sd", "fixed", three_sd),
    ("fixed threshold, outer percent", "fixed_p99", outer_percent),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of the alarms of a rule; prints as the columns of the table."""

    delays: tuple[float, ...]
    false_alarms: int
    incidents: int
    series: int

    @property
    def early(self) -> float:
        """Share of the series with an incident whose alarm is in time."""
        return len(self.delays) / self.incidents

    @property
    def false(self) -> float:
        """Share of all series with a false alarm."""
        return self.false_alarms / self.series

    @property
    def delay(self) -> float | None:
        """Median point of the alarms in time, as a share of the incident."""
        return float(np.median(self.delays)) if self.delays else None

    def __str__(self) -> str:
        early = f"{len(self.delays)} of {self.incidents}"
        false = f"{self.false_alarms} of {self.series}"
        return f"{early:>14}{false:>14}{'' if self.delay is None else f'{self.delay:.2f}':>8}"


def judged(rule: Rule, replays: list[Replay]) -> Judgement:
    """Return what became of the first alarm in every series."""
    delays: list[float] = []
    false = 0
    for replay in replays:
        alarm, incident = rule(replay), replay.incident
        if alarm is None or (incident is not None and alarm > incident.last):
            continue
        if incident is None or alarm < incident.first:
            false += 1
        else:
            delays.append((alarm - incident.first) / max(1, incident.last - incident.first))
    with_incident = sum(replay.incident is not None for replay in replays)
    return Judgement(tuple(delays), false, with_incident, len(replays))


def microsoft(data: Path) -> Iterator[Replay]:
    """Yield the series of Microsoft's cloud monitoring, in the order of their names."""
    for path in sorted((data / "ms_cloud_monitoring").glob("*/*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
        step = _step(np.array([row["TimeStamp"].rstrip("Z") for row in rows], dtype="datetime64[s]"))
        labels = np.array([float(row["Label"]) > 0 for row in rows])
        late = _LATE_MINUTES if step <= np.timedelta64(1, "m") else _LATE_STEPS
        values = np.array([float(row["Value"] or "nan") for row in rows])
        yield Replay(path.name, values, step, tuple(_merged(labels, late)))


def _merged(labels: NDArray[np.bool_], late: int) -> Iterator[Incident]:
    """Yield incidents of labelled points: with gaps shorter than `late`, and so many points after the first."""
    points = np.flatnonzero(labels)
    for together in np.split(points, np.flatnonzero(np.diff(points) > late) + 1):
        if together.size:
            yield Incident(
                int(together[0]), min(max(int(together[-1]), int(together[0]) + late), len(labels) - 1)
            )


def numenta(data: Path) -> Iterator[Replay]:
    """Yield the series of the Numenta Anomaly Benchmark that have labels here, in the order of their names."""
    windows = json.loads((data / "nab" / "labels" / "combined_windows.json").read_text())
    for path in sorted((data / "nab" / "data").glob("*/*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
        times = np.array([row["timestamp"] for row in rows], dtype="datetime64[s]")
        incidents = (
            Incident(int(np.searchsorted(times, first)), int(np.searchsorted(times, last, side="right")) - 1)
            for first, last in np.array(windows[f"{path.parent.name}/{path.name}"], "datetime64[s]").reshape(
                -1, 2
            )
        )
        values = np.array([float(row["value"]) for row in rows])
        yield Replay(path.name, values, _step(times), tuple(incidents))


def _step(times: Times) -> np.timedelta64:
    return np.timedelta64(max(1, int(np.median(np.diff(times).astype(np.int64)))), "s")


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1])), indent=2))
