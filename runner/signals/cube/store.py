"""What measuring remembers: Parquet files of annotations, pairs and cube rows per hour, and a manifest that names them.

Owned by `passes`. Files are named by their content and never change; the manifest is replaced last, durably, so that a
crash at any moment leaves either the state before or the state after. Files that no manifest names are removed later.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runner import digest
from runner.errors import terminal, transient
from runner.events.manifest import sync_directory, write_durably
from runner.signals.cube.census import Print

NAME: Final = "manifest.json"
LOCK: Final = ".lock"
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
    waiting: int | None = None
    """The first hour that has events and lies so far ahead that it was not counted."""

    def hour(self, number: int) -> Hour:
        """Return what is known of an hour."""
        return self.hours.get(number, Hour())


class Store:
    """The state under one directory. Many may read it; one at a time writes (`writing`)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextmanager
    def writing(self) -> Iterator[State]:
        """Keep others from writing, and move aside what is in the way of it and cannot be what was written here.

        Raises TransientError where another writes, TerminalError where the lock is no file, OSError.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with _opened(self.directory / LOCK) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise transient(
                    "signals are being measured by somebody else", f"in {self.directory}"
                ) from None
            self._put_aside(FILES, lambda path: path.is_dir() and not path.is_symlink())
            self._put_aside(f"{NAME}.tmp", _is_file)
            (self.directory / FILES).mkdir(exist_ok=True)
            state = self._read()
            if state is None:
                self._put_aside(NAME)
            yield self._whole(state or State())

    def _put_aside(self, name: str, is_good: Callable[[Path], bool] = lambda _: False) -> None:
        """Rename what has a name that is needed and is not what belongs there; nothing is deleted."""
        path = self.directory / name
        if os.path.lexists(path) and not is_good(path):
            names = (f"{path.name}.damaged{number or ''}" for number in count())
            path.rename(
                next(free for free in map(self.directory.joinpath, names) if not os.path.lexists(free))
            )

    def _whole(self, state: State) -> State:
        """Return the state without the hours of which a file has gone: they are measured again."""
        with os.scandir(self.directory / FILES) as entries:
            there = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
        hours = {number: hour for number, hour in state.hours.items() if there.issuperset(hour.files)}
        return state if len(hours) == len(state.hours) else replace(state, signature="", hours=hours)

    def drop_damaged(self) -> int:
        """Remove the files that are not what was written, and return how many: the next pass makes them again."""
        found = 0
        with self.writing():
            for path in (self.directory / FILES).glob("*.parquet"):
                if not _is_intact(path):
                    self._remove(path)
                    found += 1
        return found

    def _remove(self, path: Path) -> None:
        """Remove a file that is not wanted; what is none was not put there by this program, and is moved aside."""
        if _is_file(path) or path.is_symlink():
            path.unlink(missing_ok=True)
        else:
            self._put_aside(f"{FILES}/{path.name}")

    def load(self) -> State:
        """Return the state. One that cannot be read counts as none: all of it can be computed again.

        It stays where it is until somebody writes: of those that only read, none may move what a writer just put there.
        """
        return self._read() or State()

    def _read(self) -> State | None:
        """Return the state, an empty one where there is none, None where what is there is no state."""
        try:
            return _state(json.loads((self.directory / NAME).read_bytes()))
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, OverflowError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def put(self, table: pa.Table) -> str:
        """Write a table and return its name; it counts once a saved state names it. Raises OSError."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        data = sink.getvalue().to_pybytes()
        name = _name(data)
        path = self.directory / FILES / name
        if not _is_file(path):
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

    def forget(self, events: frozenset[str]) -> int:
        """Remove what was scored of some requests, by their events' ids; return of how many answers.

        Hours that held some are counted again by the next pass. Raises as `writing` does.
        """
        if not self.directory.is_dir():
            return 0
        wanted, removed = pa.array(sorted(events), pa.string()), 0
        with self.writing() as state:
            hours = dict(state.hours)
            for number, hour in state.hours.items():
                annotations, gone = self._without(hour.annotations, wanted)
                pairs, _ = self._without((hour.pairs,) if hour.pairs else (), wanted)
                if (annotations, "".join(pairs)) != (hour.annotations, hour.pairs):
                    hours[number] = replace(
                        hour, cube="", annotations=annotations, pairs="".join(pairs), basis={}
                    )
                    removed += gone
            if hours != state.hours:
                after = replace(state, signature="", hours=hours)
                self.save(after)
                self.sweep(after)
        return removed

    def _without(self, names: tuple[str, ...], events: pa.Array) -> tuple[tuple[str, ...], int]:
        """Return the names of files without some events' rows, and how many rows went."""
        kept: list[str] = []
        removed = 0
        for name in names:
            table = self.read(name)
            rest = table.filter(pc.invert(pc.is_in(table["event_id"], value_set=events)))
            removed += table.num_rows - rest.num_rows
            if rest.num_rows == table.num_rows:
                kept.append(name)
            elif rest.num_rows:
                kept.append(self.put(rest))
        return tuple(kept), removed

    def sweep(self, *states: State) -> None:
        """Remove files that none of some states names."""
        wanted = {name for state in states for hour in state.hours.values() for name in hour.files}
        for path in (self.directory / FILES).iterdir():
            if path.name not in wanted:
                self._remove(path)

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        return self.directory / FILES / name

    def read(self, name: str) -> pa.Table:
        """Return a file's rows. Raises FileNotFoundError where it was replaced meanwhile, OSError."""
        return pq.read_table(self.path(name), partitioning=None)


def _opened(path: Path) -> IO[str]:
    """Open a lock without touching what it holds. Raises TerminalError where a link or a directory has its name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(path, flags, 0o666), "a")
    except OSError as error:
        if not os.path.lexists(path) or _is_file(path):
            raise
        raise terminal(
            "signals cannot be measured", f"{path} is no file: {error.strerror}", fix=f"remove {path}"
        ) from error


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_intact(path: Path) -> bool:
    """Return whether a file is what was written under its name."""
    try:
        return _is_file(path) and _name(path.read_bytes()) == path.name
    except OSError:
        return False


def _name(data: bytes) -> str:
    return f"{digest.of_bytes(data)[:32]}.parquet"


def _plain(state: State) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "signature": state.signature,
        "waiting": state.waiting,
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
        waiting=None if value.get("waiting") is None else int(value["waiting"]),
        hours={int(number): _hour(hour) for number, hour in value["hours"].items()},
        parts={
            file: {int(hour): (int(a), int(b), int(c), int(d)) for hour, (a, b, c, d) in counts.items()}
            for file, counts in value["parts"].items()
        },
    )


def _hour(value: Any) -> Hour:
    hour = Hour(**{**value, "annotations": tuple(value["annotations"])})
    texts = (hour.cube, hour.pairs, hour.annotator, hour.likeness, *hour.annotations, *hour.basis.values())
    if not all(isinstance(text, str) for text in texts) or type(hour.open_from_us) not in (int, type(None)):
        raise ValueError("an hour is not what was written")
    return hour
