"""Hands requests and readings to an OpenTelemetry receiver, and counts requests for Prometheus by the same names.

The monitor calls it after each pass. Requests are read from the event log from where the last delivered batch ended;
that place is kept in a file, so that a receiver or a monitor that was away loses nothing that the log still has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.events.lake import Lake
from runner.events.schema import Kind
from runner.export import otlp
from runner.export.outlet import BATCH, Cursor, Outlet
from runner.export.receiver import Receiver, Signal
from runner.report.usage import Usage
from runner.signals.reading import Snapshot

READINGS_EVERY_S = 60.0
BACKLOG_S = 3600.0
"""How far back a first export begins."""


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
    _counted: Cursor = field(init=False)
    _outlets: dict[Signal, Outlet] = field(init=False)
    _sent: dict[Kind, Cursor] = field(init=False)
    _readings_at: float = 0.0

    def __post_init__(self) -> None:
        self._usage = Usage(self.begin)
        self._counted = Cursor(round(self.begin * 1e6))
        self._outlets = (
            {signal: Outlet(self.receiver, signal) for signal in Signal if self.receiver.takes(signal)}
            if self.receiver is not None
            else {}
        )
        self._sent = self._resumed()

    def send(self, snapshot: Snapshot) -> None:
        """Count the requests that are new, and offer them and the readings to the receiver. Raises OSError."""
        if not self.lake.is_dir() and not self.events.is_dir():
            return
        since = min([self._counted.since_us, *(cursor.since_us for cursor in self._sent.values())])
        with Lake(self.lake, self.events) as lake:
            requests, samples, feedback = (
                [_present(event) for event in table.to_pyarrow().to_pylist()]
                for table in (lake.requests(since), lake.samples(since), lake.feedback(since))
            )
        fresh = self._counted.fresh(requests)
        self._usage.add(fresh)
        self._counted = self._counted.after(fresh)
        self._offer(Signal.TRACES, Kind.REQUEST, requests)
        self._offer(Signal.LOGS, Kind.SAMPLE, [*samples, *feedback])
        if snapshot.at - self._readings_at >= READINGS_EVERY_S:
            self._offer_readings(snapshot)
        self._keep()

    def text(self) -> bytes:
        """Return the counters of requests."""
        return self._usage.text()

    def close(self) -> None:
        """Send what waits, for a moment."""
        for outlet in self._outlets.values():
            outlet.close(2.0)
        if self._outlets:
            self._keep()

    def _offer(self, signal: Signal, kind: Kind, events: list[Any]) -> None:
        outlet = self._outlets.get(signal)
        if outlet is None:
            return
        fresh = self._sent[kind].fresh(events)
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            message = (
                otlp.spans(batch, self.environ)
                if kind is Kind.REQUEST
                else otlp.judgements(batch, self.environ)
            )
            after = self._sent[kind].after(batch)
            if not outlet.offer(message, after):
                return
            self._sent[kind] = after

    def _offer_readings(self, snapshot: Snapshot) -> None:
        """Offer the readings; they are of a moment, so that one that finds no room is left out."""
        if (logs := self._outlets.get(Signal.LOGS)) is not None:
            logs.offer(otlp.evaluations(snapshot, self.environ))
        if (metrics := self._outlets.get(Signal.METRICS)) is not None:
            metrics.offer(otlp.metrics(snapshot, self.environ, self._usage))
        self._readings_at = snapshot.at

    def _resumed(self) -> dict[Kind, Cursor]:
        start = Cursor(round((self.begin - BACKLOG_S) * 1e6))
        try:
            kept = json.loads(self.kept.read_bytes())
            return {kind: Cursor.from_json(kept[kind.value]) for kind in (Kind.REQUEST, Kind.SAMPLE)}
        except (OSError, ValueError, KeyError, TypeError):
            return {Kind.REQUEST: start, Kind.SAMPLE: start}

    def _keep(self) -> None:
        """Remember what was delivered: a restart goes on from there, and sends what only waited again."""
        if not self._outlets:
            return
        delivered = {
            Kind.REQUEST: self._outlets[Signal.TRACES].delivered if Signal.TRACES in self._outlets else None,
            Kind.SAMPLE: self._outlets[Signal.LOGS].delivered if Signal.LOGS in self._outlets else None,
        }
        known = self._resumed()
        value = {kind.value: (cursor or known[kind]).to_json() for kind, cursor in delivered.items()}
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.kept.with_name(f".{self.kept.name}.{os.getpid()}")
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(self.kept)


def _present(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without the fields that it lacks: a row of a table has every column."""
    return {name: value for name, value in event.items() if value is not None}
