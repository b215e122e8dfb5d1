"""Probes as events, so that the lake can tell when which adapter was proven where, and how clearly.

Called by `wiring` after every probe. What the planner goes by stands in the journal, not here.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.events.schema import Kind
from runner.events.writer import SegmentWriter
from runner.serving.probe import ProbeResult


@dataclass(frozen=True, slots=True)
class ProbeLog:
    """Writes to the events of one environment. Probes are rare: each makes a complete segment of its own."""

    events: Path
    environment: str

    def record(self, replica: str, served: str, digest: str, found: ProbeResult) -> None:
        """Write one probe, durable when this returns. Raises LogUnwritable."""
        now = time.time_ns() // 1000
        event: dict[str, Any] = {
            "event.id": uuid.uuid4().hex,
            "event.time": now,
            "loop.environment": self.environment,
            "loop.replica": replica,
            "loop.version": served.rpartition("--")[0],
            "loop.adapter.digest": digest,
            "loop.probe.verdict": found.verdict.value,
            "loop.probe.base_difference": found.base_difference,
            "loop.probe.training_difference": found.training_difference,
        }
        self.events.mkdir(parents=True, exist_ok=True)
        writer = SegmentWriter(self.events, Kind.PROBE, lambda: now)
        writer.append({name: value for name, value in event.items() if value is not None})
        writer.close()
