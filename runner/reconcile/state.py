"""Where a runner keeps what is not in Git: `.loop/ENVIRONMENT/` below the repository.

Paths and one atomic write; called by `loop`, `wiring` and the command line.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StatePaths:
    """The files of one environment's runner in the checkout at `root`; none of them need exist yet."""

    root: Path
    environment: str

    @property
    def directory(self) -> Path:
        """The directory of them all, absolute."""
        return self.root.absolute() / ".loop" / self.environment

    @property
    def journal(self) -> Path:
        """What was done."""
        return self.directory / "journal.jsonl"

    @property
    def status(self) -> Path:
        """What the last pass found."""
        return self.directory / "status.json"

    @property
    def hashes(self) -> Path:
        """Hashes of tracked files that did not change since."""
        return self.directory / "hashes.json"

    @property
    def adapters(self) -> Path:
        """Placed adapters, one read-only directory for each served name."""
        return self.directory / "adapters"

    @property
    def gateway(self) -> Path:
        """The configuration that the gateway was started with."""
        return self.directory / "gateway.json"

    @property
    def routes(self) -> Path:
        """The last route table that the gateway took."""
        return self.directory / "routes.json"

    @property
    def evidence(self) -> Path:
        """What the evidence of the rollout had come to."""
        return self.directory / "evidence.json"

    @property
    def wishes(self) -> Path:
        """What people asked of the resident runner, one file each."""
        return self.directory / "wishes"

    @property
    def events(self) -> Path:
        """Segments of events."""
        return self.directory / "events"

    @property
    def lake(self) -> Path:
        """Events as Parquet."""
        return self.directory / "lake"

    @property
    def signals(self) -> Path:
        """What was measured, hour by hour, and what drift detection had come to."""
        return self.directory / "signals"

    @property
    def logs(self) -> Path:
        """What started programs said."""
        return self.directory / "logs"

    @property
    def run(self) -> Path:
        """Process ids and locks of started programs."""
        return self.directory / "run"


def write_json(path: Path, value: Any) -> None:
    """Replace a file by `value` as JSON; a reader sees the old or the new, never a part. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
