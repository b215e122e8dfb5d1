"""Measures one environment: takes in what is new in the event log and gives a snapshot of every signal.

`loop signals`, `drift`, `report` and `monitor` call it. One process at a time takes in events, held by a lock in the
state folder; others read what it has stored. It decides nothing and asks no live system.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from runner.errors import TransientError, terminal
from runner.events.lake import Lake
from runner.report import standing
from runner.report.weekly import Material, Pair, Raters, Tails, Week
from runner.signals.cube.due import Settings
from runner.signals.cube.passes import LakePaths, Measurer
from runner.signals.cube.rows import RIGHT
from runner.signals.cube.store import Store
from runner.signals.embedder import Embedder
from runner.signals.reading import Snapshot
from runner.signals.readings import collapse, measure, paired
from runner.signals.readings.estimates import NO_DATA, Estimate, exact
from runner.signals.readings.measure import Known, Measured, Place
from runner.signals.readings.measure import Places as Shown
from runner.signals.readings.tally import ALL, Arm, Tallies
from runner.signals.text import spoken
from runner.spec.load import Spec
from runner.spec.signals import Paired, Reask, SignalPolicy
from runner.watch.detectors import Detectors, build, detector_of, missing
from runner.watch.drifting import Drifting, Measurement

KEEP_HOURS = 24 * 100
"""How far back counts are kept: a quarter, and a window before it for the trend."""

WEEK_S = 7 * 86_400.0
WEEKS = 8
"""So many weeks of each goal are shown."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders: the repository, where measuring keeps its state, and the event log in its two forms."""

    root: Path
    state: Path
    lake: Path
    events: Path


class Watch:
    """The measuring of the environment `name` as `spec` declares it; `embedder` is the policy's.

    `tell` hears of what takes long.
    """

    def __init__(
        self,
        places: Places,
        spec: Spec,
        name: str,
        embedder: Embedder,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._tell = tell
        self._places, self._spec, self._name, self._embedder = places, spec, name, embedder
        self._environment = spec.loop.environments[name]

    @property
    def policy(self) -> SignalPolicy:
        """The policy that is measured with."""
        return self._spec.policies.signals

    @cached_property
    def detectors(self) -> Detectors:
        """What reads texts; fitted to the reference sets when first asked for."""
        return build(self._places.root, self._places.state, self._spec, self._embedder, self._tell)

    @cached_property
    def _measurer(self) -> Measurer:
        decision, reask = self._spec.policies.rollout.decision, detector_of(self._spec, Reask)
        settings = Settings(
            session_gap=decision.session_gap,
            within=reask.within if reask is not None else 30.0,
            threshold=reask.threshold if reask is not None else 1.0,
            baseline=self._environment.baseline,
            keep_hours=KEEP_HOURS,
            tell=self._tell,
        )
        paths = LakePaths(self._places.lake, self._places.events)
        return Measurer(self._places.state / "cube", paths, self.detectors.annotator, settings)

    @property
    def _store(self) -> Store:
        return Store(self._places.state / "cube")

    @cached_property
    def _drifting(self) -> Drifting:
        return Drifting(self._places.state / "drift.json", self._spec, self.detectors, self._embedder)

    def take(self, now: float, window: float | None = None) -> Snapshot:
        """Take in what is new, if nobody else does, and return everything measured at `now` (seconds since 1970).

        With a `window` (seconds) all signals are over it instead of each over its own. Raises TerminalError for a
        damaged log, OSError where state cannot be kept.
        """
        begin = time.perf_counter()
        self._look_again()
        try:
            read, found = self._taken(now, window)
        except (pa.ArrowInvalid, duckdb.Error, FileNotFoundError) as error:
            if not self._store.drop_damaged():
                raise terminal(f"what is logged of '{self._name}' cannot be measured", str(error)) from error
            self._tell("some of what was measured before is damaged; it is measured again")
            read, found = self._taken(now, window)
        return replace(found, read=read, seconds=time.perf_counter() - begin)

    def tell_runner(self, snapshot: Snapshot) -> None:
        """Leave the reconciler what the signals hold a rollout for, by the policy this was made with. Raises OSError.

        For the monitor alone, which measures by the revision that is applied.
        """
        path = self._places.state / standing.NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(
            json.dumps(standing.to_json(snapshot, self._spec.policies.signals)), encoding="utf-8"
        )
        temporary.replace(path)

    def _look_again(self) -> None:
        """Build the detectors anew where a reference set that was missing may be here by now."""
        known: Detectors | None = self.__dict__.get("detectors")
        if known is None or known.reference is not None or not known.missing:
            return
        if not missing(self._places.root, self._spec):
            for name in ("detectors", "_measurer", "_drifting"):
                self.__dict__.pop(name, None)

    def _taken(self, now: float, window: float | None) -> tuple[int, Snapshot]:
        """Return how many events were taken in, and the snapshot."""
        read = self._take_in(now)
        return read or 0, self._snapshot(now, window, feed=read is not None)

    def material(self, now: float, window: float) -> Material:
        """Return what a report over a window (seconds) is made of."""
        snapshot = self.take(now, window)
        since = now - window
        pair, signs = self._compared(now, window)
        users, most = self._measurer.concentration(since) if self._logged() else (0, None)
        return Material(
            self._spec.loop.name,
            snapshot,
            window,
            self._spec.policies.signals,
            signs,
            Raters(users, most),
            self._tails(since),
            self._weeks(now),
            pair=pair,
        )

    def _weeks(self, now: float) -> dict[str, tuple[Week, ...]]:
        """Return the last weeks of each metric that a goal follows, the oldest first; no data where no sum gives it."""
        tallies = self._tallies(now, WEEKS * WEEK_S / 2.0)
        measured = Measured(tallies, self._spec.policies.cost, self._environment.baseline)
        begins = [now - number * WEEK_S for number in range(WEEKS, 0, -1)]
        return {
            metric: tuple(
                Week(
                    begin,
                    measured.estimate(metric, Place(), *measure.window_hours(begin + WEEK_S, WEEK_S))
                    or NO_DATA,
                )
                for begin in begins
            )
            for metric in {kpi.metric for kpi in self.policy.kpis.values()}
        }

    def tails(self, since: float) -> list[dict[str, Any]]:
        """Return the answers with the fewest and the most tokens since a time, with what was asked and answered."""
        if not self._logged():
            return []
        rows = self._measurer.tails(since).to_pylist()
        wanted = sorted({row["request_id"] for row in rows})
        with Lake(self._places.lake, self._places.events) as lake:
            contents = lake.contents(round(since * 1e6))
            found = contents.filter(contents["loop.request.id"].isin(wanted)).to_pyarrow().to_pylist()
        words = {row["loop.request.id"]: row for row in found}
        return [
            {
                **{name: row[name] for name in ("measure", "tail", "value", "request_id")},
                "question": spoken(words[row["request_id"]]["gen_ai.input.messages"], "user"),
                "answer": spoken(words[row["request_id"]]["gen_ai.output.messages"]),
            }
            for row in rows
            if row["request_id"] in words
        ]

    def _logged(self) -> bool:
        return self._places.lake.is_dir() or self._places.events.is_dir()

    def _take_in(self, now: float) -> int | None:
        """Take in new events; return how many were read, None where another process is at it."""
        if not self._logged():
            return None
        try:
            return self._measurer.run(now).events_read
        except TransientError as error:
            self._tell(f"{error.diagnostics[0].summary}; these figures are of what it had taken in")
            return None

    def _snapshot(self, now: float, window: float | None, *, feed: bool) -> Snapshot:
        tallies = self._tallies(now, window)
        policy = _over(self._spec.policies.signals, window)
        measured = Measured(tallies, self._spec.policies.cost, self._environment.baseline)
        shown = Shown.found(tallies)
        if feed and self.detectors.topics is not None:
            self._drifting.feed(self._measurer, now)
        drift = self._drift(now, window, tallies)
        known = Known({**self._of_drift(drift), **self._forgotten(shown, tallies)})
        return Snapshot(
            environment=self._name,
            at=now,
            readings=measure.readings(policy, measured, known, shown, now),
            histograms=measure.histograms(tallies, shown.arms, now),
            drift=drift.window if drift is not None else None,
            weeks=drift.weeks if drift is not None else (),
            read=0,
            seconds=0.0,
        )

    def _tallies(self, now: float, window: float | None) -> Tallies:
        """Return the sums of twice the longest window, which a trend looks back to."""
        signals = self._spec.policies.signals.signals.values()
        longest = max([window or 0.0, 86_400.0, *(signal.window for signal in signals)])
        since, until = measure.window_hours(now, 2.0 * longest)
        return Tallies.of(self._measurer.cube(since - 1, until))

    def _drift(self, now: float, window: float | None, tallies: Tallies) -> Measurement | None:
        if self.detectors.topics is None or not self._logged():
            return None
        return self._drifting.measure(self._measurer, tallies, now, window)

    def _of_drift(self, found: Measurement | None) -> dict[tuple[str, Arm], Estimate]:
        missing = {
            (metric, ALL): replace(NO_DATA, note=why) for metric, why in self.detectors.missing.items()
        }
        if found is None:
            return missing
        drift = found.window
        values: dict[tuple[str, Arm], Estimate] = {}
        if drift.divergence is not None:
            high = None if drift.low is None else max(0.0, 2.0 * drift.divergence - drift.low)
            # The lower bound holds at one look; what holds at all of them is the proof that something changed.
            low = drift.low if drift.alarmed_at is not None else 0.0
            values["input_drift", ALL] = Estimate(
                max(0.0, drift.divergence), None if low is None else max(0.0, low), high, drift.n
            )
        else:
            values["input_drift", ALL] = Estimate(
                None, None, None, drift.n, f"insufficient: it takes {drift.needed}"
            )
        if drift.shift is not None:
            sure = drift.shift_p is not None and drift.shift_p <= 0.01 and drift.alarmed_at is not None
            low, high = (drift.shift, drift.shift) if sure else (0.0, drift.shift)
            note = "" if drift.shift_p is None else f"by chance {100 * drift.shift_p:.1f}%"
            values["input_shift", ALL] = Estimate(drift.shift, low, high, drift.n, note)
        return {**missing, **values}

    def _forgotten(self, shown: Shown, tallies: Tallies) -> dict[tuple[str, Arm], Estimate]:
        """Return what the candidate has forgotten of what the baseline answers right."""
        suite = detector_of(self._spec, Paired)
        candidate = next((arm for arm in shown.arms if arm.name == "candidate"), None)
        rollout = self._environment.rollout
        newer = (
            rollout.candidate if rollout is not None else candidate.version if candidate is not None else None
        )
        if suite is None or newer is None or f"{RIGHT}{suite.suite}" not in tallies.measures:
            return {}
        with Lake(self._places.lake, self._places.events) as lake:
            found = paired.pairs(lake.evaluations(), suite.suite, self._environment.baseline, newer)
        return {("forgetting", ALL): paired.forgetting(found)}

    def _compared(self, now: float, window: float) -> tuple[Pair | None, tuple[collapse.Sign, ...]]:
        """Return which two versions a report compares, and the signs of a collapse between them."""
        tallies = self._tallies(now, window)
        since, until = measure.window_hours(now, window)
        candidate = self._on_trial(tallies, since, until)
        if candidate is None:
            return None, ()
        measured = Measured(tallies, self._spec.policies.cost, self._environment.baseline)

        def of(arm: Arm) -> collapse.Lookup:
            return lambda metric: measured.estimate(metric, Place(arm), since, until) or exact(0.0, 0)

        pair = Pair(candidate.version, measured.baseline.version)
        return pair, collapse.signs(of(candidate), of(measured.baseline))

    def _on_trial(self, tallies: Tallies, since: int, until: int) -> Arm | None:
        """Return the candidate that is declared, else the one that came on trial last; None where none answered."""
        rollout = self._environment.rollout
        begun = {
            arm: first
            for arm in tallies.arms()
            if arm.name == "candidate"
            and arm.version != self._environment.baseline
            and (first := tallies.only(arm).first_hour("error", since, until)) is not None
        }
        if rollout is not None and (declared := Arm("candidate", rollout.candidate)) in begun:
            return declared
        return max(begun, key=lambda arm: (begun[arm], arm.version), default=None)

    def _tails(self, since: float) -> tuple[Tails, ...]:
        if not self._logged():
            return ()
        rows = self._measurer.tails(since).to_pylist()
        return tuple(
            Tails(
                name,
                *(
                    tuple(row["request_id"] for row in rows if (row["measure"], row["tail"]) == (name, tail))
                    for tail in ("low", "high")
                ),
            )
            for name in dict.fromkeys(row["measure"] for row in rows)
        )


def _over(policy: SignalPolicy, window: float | None) -> SignalPolicy:
    """Return the policy with one window for all signals, or as it is."""
    if window is None:
        return policy
    signals = {name: signal.model_copy(update={"window": window}) for name, signal in policy.signals.items()}
    return policy.model_copy(update={"signals": signals})
