"""What measuring remembers: Parquet files of annotations, pairs and cube rows per hour, and a manifest that names them.

Owned by `passes`. Files are named by their content and never change; the manifest is replaced last, durably, so that a
crash at any moment leaves either the state before or the state after. Files that no manifest names are removed later.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from runner import digest
from runner.errors import transient
from runner.events.manifest import sync_directory, write_durably
from runner.signals.cube.census import Print

NAME: Final = "manifest.json"
FORMAT: Final = 1
FILES: Final = "files"


@dataclass(frozen=True, slots=True)
class Hour:
    """What is known of one hour.

    `basis` says of each part of the cube what it was computed from. `open_from_us`: the first answer that may still be
    asked again (None: all windows have closed). `unresolved`: some feedback is on an answer that was not found.
    `annotator` and `likeness` are the digests of the detectors that scored it.
    """

    cube: str = ""
    annotations: tuple[str, ...] = ()
    pairs: str = ""
    basis: Mapping[str, str] = field(default_factory=dict)
    open_from_us: int | None = None
    unresolved: bool = False
    annotator: str = ""
    likeness: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """All files that belong to it."""
        return tuple(name for name in (self.cube, self.pairs, *self.annotations) if name)


@dataclass(frozen=True, slots=True)
class State:
    """The whole of it; `signature` is of the lake that it is complete for, "" while it is not."""

    signature: str = ""
    hours: Mapping[int, Hour] = field(default_factory=dict)
    parts: Mapping[str, Mapping[int, Print]] = field(default_factory=dict)
    """Counts of the lake's Parquet parts, by file."""

    def hour(self, number: int) -> Hour:
        """Return what is known of an hour."""
        return self.hours.get(number, Hour())


class Store:
    """The state under one directory. Many may read it; one at a time writes (`writing`)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextmanager
    def writing(self) -> Iterator[State]:
        """Keep others from writing; removes what a killed writer left. Raises TransientError where one is at it."""
        (self.directory / FILES).mkdir(parents=True, exist_ok=True)
        with (self.directory / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise transient(
                    "signals are being measured by somebody else", f"in {self.directory}"
                ) from None
            yield self._whole(self.load())

    def _whole(self, state: State) -> State:
        """Return the state without the hours of which a file has gone: they are measured again."""
        there = {path.name for path in (self.directory / FILES).iterdir()}
        hours = {number: hour for number, hour in state.hours.items() if there.issuperset(hour.files)}
        return state if len(hours) == len(state.hours) else replace(state, signature="", hours=hours)

    def drop_damaged(self) -> int:
        """Remove the files that are not what was written, and return how many: the next pass makes them again."""
        found = 0
        with self.writing():
            for path in (self.directory / FILES).glob("*.parquet"):
                if _name(path.read_bytes()) != path.name:
                    path.unlink()
                    found += 1
        return found

    def load(self) -> State:
        """Return the state. One that cannot be read counts as none: all of it can be computed again."""
        try:
            return _state(json.loads((self.directory / NAME).read_bytes()))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return State()

    def put(self, table: pa.Table) -> str:
        """Write a table and return its name; it counts once a saved state names it. Raises OSError."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        data = sink.getvalue().to_pybytes()
        name = _name(data)
        path = self.directory / FILES / name
        if not path.exists():
            temporary = path.with_suffix(".tmp")
            write_durably(temporary, data)
            temporary.replace(path)
        return name

    def save(self, state: State) -> None:
        """Put a state in place of the one before, durable when this returns. Raises OSError."""
        sync_directory(self.directory / FILES)
        temporary = self.directory / f"{NAME}.tmp"
        write_durably(temporary, json.dumps(_plain(state), separators=(",", ":")).encode())
        temporary.replace(self.directory / NAME)
        sync_directory(self.directory)

    def sweep(self, *states: State) -> None:
        """Remove files that none of some states names."""
        wanted = {name for state in states for hour in state.hours.values() for name in hour.files}
        for path in (self.directory / FILES).iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        return self.directory / FILES / name

    def read(self, name: str) -> pa.Table:
        """Return a file's rows. Raises FileNotFoundError where it was replaced meanwhile, OSError."""
        return pq.read_table(self.path(name), partitioning=None)


def _name(data: bytes) -> str:
    return f"{digest.of_bytes(data)[:32]}.parquet"


def _plain(state: State) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "signature": state.signature,
        "hours": {str(number): asdict(hour) for number, hour in sorted(state.hours.items())},
        "parts": {
            file: {str(hour): list(found) for hour, found in sorted(counts.items())}
            for file, counts in sorted(state.parts.items())
        },
    }


def _state(value: Any) -> State:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']!r} is not {FORMAT}")
    return State(
        signature=str(value["signature"]),
        hours={
            int(number): Hour(**{**hour, "annotations": tuple(hour["annotations"])})
            for number, hour in value["hours"].items()
        },
        parts={
            file: {int(hour): (int(a), int(b), int(c), int(d)) for hour, (a, b, c, d) in counts.items()}
            for file, counts in value["parts"].items()
        },
    )
