"""The lake's manifest: which Parquet parts exist, and which bytes of which segments they hold.

Read by the lake, written by compaction alone, always last: an event is read from Parquet if the manifest
says that its segment's bytes are there, and from the segment otherwise, so no crash makes it count twice or
not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import Diagnostic, Location, TerminalError
from runner.events.schema import Kind

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file, its path relative to the lake; `first_us` to `last_us` bound its `event.time`."""

    kind: Kind
    file: str
    rows: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Covered:
    """The first `bytes` of a segment are in Parquet since `since_us`."""

    bytes: int
    since_us: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the lake holds. Every commit raises `generation`."""

    generation: int = 0
    parts: tuple[Part, ...] = ()
    segments: Mapping[str, Covered] = field(default_factory=dict)
    retired: Mapping[str, int] = field(default_factory=dict)
    """Files of parts that were merged, and since when; kept a while for those who still read them."""

    def covered_bytes(self, segment: str) -> int:
        """Return from which byte a segment has still to be read."""
        covered = self.segments.get(segment)
        return covered.bytes if covered else 0


def load(lake: Path) -> Manifest | None:
    """Return the manifest, or None where the lake has none. Raises TerminalError where it cannot be read."""
    path = lake / NAME
    try:
        value = json.loads(path.read_bytes())
        return _from_json(value)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError(
            Diagnostic(
                "the lake's manifest cannot be read",
                Location(str(path)),
                (f"{type(error).__name__}: {error}",),
                "restore it from a backup: it alone says which events the Parquet files hold already",
            )
        ) from error


def save(lake: Path, manifest: Manifest) -> None:
    """Put a manifest in place of the old one, whole and durable when this returns. Raises OSError."""
    value = {
        "format": FORMAT,
        "generation": manifest.generation,
        "parts": [_plain(part) for part in manifest.parts],
        "segments": {
            name: {"bytes": covered.bytes, "since_us": covered.since_us}
            for name, covered in sorted(manifest.segments.items())
        },
        "retired": dict(sorted(manifest.retired.items())),
    }
    temporary = lake / f"{NAME}.tmp"
    write_durably(temporary, json.dumps(value, indent=1).encode())
    temporary.replace(lake / NAME)
    sync_directory(lake)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it. Raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names in a directory. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(part: Part) -> dict[str, Any]:
    """Return a part as plain JSON values."""
    return {
        "kind": part.kind.value,
        "file": part.file,
        "rows": part.rows,
        "first_us": part.first_us,
        "last_us": part.last_us,
    }


def _from_json(value: Any) -> Manifest:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']!r} is not {FORMAT}")
    return Manifest(
        generation=int(value["generation"]),
        parts=tuple(
            Part(Kind(p["kind"]), str(p["file"]), int(p["rows"]), int(p["first_us"]), int(p["last_us"]))
            for p in value["parts"]
        ),
        segments={
            name: Covered(int(covered["bytes"]), int(covered["since_us"]))
            for name, covered in value["segments"].items()
        },
        retired={str(file): int(since_us) for file, since_us in value["retired"].items()},
    )
