"""Hands requests and readings to an OpenTelemetry receiver, and counts requests for Prometheus by the same names.

The monitor calls it after each pass. Events are followed as they arrive; a start first reads the log from where the
last delivered batch ended. That place is kept in a file, so that a receiver or a monitor that was away loses nothing
that the log still has.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.events.lake import Lake
from runner.events.reader import EventReader
from runner.events.schema import Kind
from runner.export.outlet import BATCH, Cursor, Outlet, close_all
from runner.export.receiver import Receiver, Signal
from runner.report.usage import Usage
from runner.signals.reading import Snapshot

READINGS_EVERY_S = 60.0
BACKLOG_S = 3600.0
"""How far back a first export begins."""
MOST_WAITING = 50_000
"""Events that wait in memory for a receiver that is away; more are read from the log again once it is back."""

Event = Mapping[str, Any]


@dataclass(slots=True)
class _Queue:
    """The events of some kinds on their way to one outlet: those that found no room, and how far export has come."""

    signal: Signal
    kinds: tuple[Kind, ...]
    cursor: Cursor
    waiting: list[Event] = field(default_factory=list)
    readers: dict[Kind, EventReader] = field(default_factory=dict)

    def arrived(self, lake: Path, events: Path) -> list[Event]:
        """Return what waits and what came since the last call; at the first, all that was not delivered yet."""
        found = self.waiting
        self.waiting = []
        if not self.readers:
            self.readers = {kind: EventReader(events, kind) for kind in self.kinds}
            found = [*found, *_logged(lake, events, self.kinds, self.cursor.since_us)]
        for reader in self.readers.values():
            found = [*found, *reader.read().events]
        return found

    def keep(self, events: list[Event]) -> None:
        """Keep events for the next time, or where they are too many, only how far export has come."""
        if len(events) <= MOST_WAITING:
            self.waiting = events
        else:
            self.readers = {}


@dataclass(slots=True)
class Exports:
    """Telemetry of one environment; without a `receiver` only the counting for Prometheus."""

    lake: Path
    events: Path
    kept: Path
    receiver: Receiver | None
    environ: Mapping[str, str]
    begin: float
    _usage: Usage = field(init=False)
    _requests: EventReader = field(init=False)
    _outlets: dict[Signal, Outlet] = field(default_factory=dict)
    _queues: tuple[_Queue, ...] = ()
    _readings_at: float = 0.0

    def __post_init__(self) -> None:
        self._usage = Usage(self.begin)
        self._requests = EventReader(self.events, Kind.REQUEST)
        if self.receiver is None:
            return
        self._outlets = {
            signal: Outlet(self.receiver, signal) for signal in Signal if self.receiver.takes(signal)
        }
        cursors = self._resumed()
        queues = (
            _Queue(Signal.TRACES, (Kind.REQUEST,), cursors[Signal.TRACES]),
            _Queue(Signal.LOGS, (Kind.SAMPLE, Kind.FEEDBACK), cursors[Signal.LOGS]),
        )
        self._queues = tuple(queue for queue in queues if queue.signal in self._outlets)

    def send(self, snapshot: Snapshot) -> None:
        """Count the requests that are new, and offer them and the readings to the receiver. Raises OSError."""
        begin_us = self.begin * 1e6
        self._usage.add(event for event in self._requests.read().events if event["event.time"] >= begin_us)
        for queue in self._queues:
            self._offer(queue)
        if self._outlets and snapshot.at - self._readings_at >= READINGS_EVERY_S:
            self._offer_readings(snapshot)
        self._keep()

    def text(self) -> bytes:
        """Return the counters of requests."""
        return self._usage.text()

    @property
    def trouble(self) -> str:
        """Why the receiver takes nothing at the moment, in words; "" while all is well."""
        troubles = [outlet.trouble for outlet in self._outlets.values()]
        return next((each.diagnostics[0].summary for each in troubles if each is not None), "")

    def close(self) -> None:
        """Send what waits, for a moment."""
        close_all(self._outlets.values(), 2.0)
        self._keep()

    def _offer(self, queue: _Queue) -> None:
        outlet = self._outlets[queue.signal]
        if not queue.readers and queue.cursor.seen and not outlet.drain(0.0):
            return  # far behind: the log is read again when the receiver has taken what it was given
        fresh = queue.cursor.fresh(queue.arrived(self.lake, self.events))
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            after = queue.cursor.after(batch, time.time_ns() // 1000)
            if not outlet.offer(_message(queue.signal, batch, self.environ), after):
                queue.keep(fresh[start:])
                return
            queue.cursor = after

    def _offer_readings(self, snapshot: Snapshot) -> None:
        """Offer the readings; they are of a moment, so that those that find no room are left out."""
        from runner.export import otlp

        if (logs := self._outlets.get(Signal.LOGS)) is not None:
            logs.offer(otlp.evaluations(snapshot, self.environ))
        if (metrics := self._outlets.get(Signal.METRICS)) is not None:
            metrics.offer(otlp.metrics(snapshot, self.environ, self._usage))
        self._readings_at = snapshot.at

    def _resumed(self) -> dict[Signal, Cursor]:
        """Return how far export had come; from an hour ago where nobody knows."""
        start = Cursor(round((self.begin - BACKLOG_S) * 1e6))
        try:
            kept = json.loads(self.kept.read_bytes())
            return {signal: Cursor.from_json(kept[signal.value]) for signal in (Signal.TRACES, Signal.LOGS)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {Signal.TRACES: start, Signal.LOGS: start}

    def _keep(self) -> None:
        """Remember what was delivered: a restart goes on from there, and sends what only waited again."""
        if not self._queues:
            return
        known = self._resumed()
        for queue in self._queues:
            known[queue.signal] = self._outlets[queue.signal].delivered or known[queue.signal]
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.kept.with_name(f".{self.kept.name}.{os.getpid()}")
        value = {signal.value: cursor.to_json() for signal, cursor in known.items()}
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(self.kept)


def _message(signal: Signal, events: list[Event], environ: Mapping[str, str]) -> Any:
    from runner.export import otlp  # its protocol buffers are needed only where something is exported

    return otlp.spans(events, environ) if signal is Signal.TRACES else otlp.judgements(events, environ)


def _logged(lake: Path, events: Path, kinds: tuple[Kind, ...], since_us: int) -> list[Event]:
    """Return the logged events of some kinds since a time; fields without a value are left out."""
    if not lake.is_dir():
        return []
    with Lake(lake, events) as stored:
        rows = [row for kind in kinds for row in stored.table(kind, since_us).to_pyarrow().to_pylist()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]
