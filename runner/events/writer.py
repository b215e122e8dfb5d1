"""The durable end of the event log: append-only segments, one line an event, made durable in groups.

Called by the gateway (request, content, feedback) and by the reconciler (probe). `append` has handed the
bytes to the operating system when it returns, so that killing this process loses nothing that was appended;
`sync` (or `GroupCommit.durable`) has them on the disk, so that a power failure loses nothing either. A
process start always begins a new segment, `KIND-MICROSECONDS-PID.open.jsonl`, which becomes `.jsonl` when it
is complete. It never opens an old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from runner.errors import Diagnostic, TransientError, terminal
from runner.events.schema import FIELDS, Kind, Type

Event = Mapping[str, Any]
INT64 = 2**63


class LogUnwritable(TransientError):
    """The event log cannot take events: the disk is full, the directory is gone or may not be written."""


class Disk(Protocol):
    """The outermost port: the five calls by which a segment reaches a disk. All raise OSError."""

    def create(self, path: Path) -> int:
        """Create a file that must not exist, for appending; return its descriptor."""

    def write(self, descriptor: int, data: bytes) -> int:
        """Append; return how many bytes were taken."""

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""

    def sync(self, descriptor: int) -> None:
        """Return when the bytes are on the disk."""

    def complete(self, descriptor: int, path: Path, final: Path) -> None:
        """Close the file and give it its final name."""

    def sync_directory(self, directory: Path) -> None:
        """Return when the directory's names are on the disk."""


class OsDisk:
    """The real disk."""

    def create(self, path: Path) -> int:
        """Create a file that must not exist, for appending."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def write(self, descriptor: int, data: bytes) -> int:
        """Append; return how many bytes were taken."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Return when the bytes are on the disk."""
        os.fsync(descriptor)

    def complete(self, descriptor: int, path: Path, final: Path) -> None:
        """Close the file and give it its final name."""
        os.close(descriptor)
        path.rename(final)

    def sync_directory(self, directory: Path) -> None:
        """Return when the directory's names are on the disk."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


OS_DISK = OsDisk()


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a segment is complete: at so many bytes, or so many seconds after its first event."""

    size_bytes: int = 64 * 1024 * 1024
    age_s: float = 60.0


@dataclass(slots=True)
class _Segment:
    path: Path
    descriptor: int
    opened_us: int
    size: int = 0
    named_on_disk: bool = False


class _Shape:
    """The fields of a kind, made ready for a quick check of every event."""

    _ACCEPTS: Mapping[Type, tuple[type, ...]] = {
        Type.TEXT: (str,),
        Type.WHOLE: (int,),
        Type.REAL: (float, int),
        Type.BOOL: (bool,),
    }

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._types = {f.name: self._ACCEPTS[f.type] for f in FIELDS[kind]}
        self._required = frozenset(f.name for f in FIELDS[kind] if f.required)

    def check(self, event: Event) -> None:
        """Raise TerminalError, with every fault, where the event does not fit the schema."""
        types = self._types
        if event.keys() >= self._required:
            for name, value in event.items():
                if type(value) not in types.get(name, ()):
                    break
                if type(value) is int and not -INT64 <= value < INT64:
                    break
            else:
                return
        raise terminal(f"this is not an event of kind '{self.kind}'", *self._faults(event))

    def _faults(self, event: Event) -> list[str]:
        faults = [f"'{name}' is missing" for name in sorted(self._required - event.keys())]
        for name, value in event.items():
            if name not in self._types:
                faults.append(f"'{name}' is not a field")
            elif type(value) not in self._types[name] or (type(value) is int and not -INT64 <= value < INT64):
                faults.append(f"'{name}' is {value!r}, not {self._types[name][0].__name__}")
        return faults


class SegmentWriter:
    """Appends events of one kind to segments in `directory`.

    `clock` gives microseconds since 1970. `append` and `sync` may be called from different threads.
    """

    def __init__(
        self,
        directory: Path,
        kind: Kind,
        clock: Callable[[], int],
        rotation: Rotation = Rotation(),
        disk: Disk = OS_DISK,
    ) -> None:
        self.directory, self.kind = directory, kind
        self._clock, self._rotation, self._disk = clock, rotation, disk
        self._shape = _Shape(kind)
        self._lock, self._sync_lock = threading.Lock(), threading.Lock()
        self._current: _Segment | None = None
        self._retired: list[_Segment] = []
        self._last_opened_us = 0
        self.appended = 0
        """How many events were appended since the start."""
        self.durable = 0
        """How many of them, the first ones, are on the disk."""

    def append(self, *events: Event) -> None:
        """Hand the events to the operating system in one write, all of them or none.

        Raises TerminalError for an event that does not fit the schema, LogUnwritable where the disk refuses.
        """
        for event in events:
            self._shape.check(event)
        data = b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events)
        with self._lock:
            try:
                self._write(data)
            except OSError as error:
                raise _unwritable(self.directory, error) from error
            self.appended += len(events)

    def sync(self) -> None:
        """Bring all that was appended to the disk, complete segments that are due. Raises LogUnwritable."""
        with self._sync_lock:
            with self._lock:
                if self._current and self._is_due(self._current):
                    self._retire()
                goal, current, retired = self.appended, self._current, self._retired
                self._retired = []
            try:
                self._bring_to_disk(current, retired)
            except OSError as error:
                with self._lock:
                    self._retired = [s for s in retired if s.path.exists()] + self._retired
                raise _unwritable(self.directory, error) from error
            self.durable = goal

    @property
    def is_due(self) -> bool:
        """Whether a segment is complete by its age, so that `sync` would rename it."""
        current = self._current
        return current is not None and self._is_due(current)

    def close(self) -> None:
        """Complete the current segment; the writer may be used again and then begins a new one."""
        with self._lock:
            self._retire()
        self.sync()

    def _write(self, data: bytes) -> None:
        segment = self._current or self._begin()
        try:
            taken = self._disk.write(segment.descriptor, data)
            while taken < len(data):
                taken += self._disk.write(segment.descriptor, data[taken:])
        except OSError:
            self._undo(segment)
            raise
        segment.size += len(data)
        if segment.size >= self._rotation.size_bytes:
            self._retire()

    def _undo(self, segment: _Segment) -> None:
        try:
            self._disk.truncate(segment.descriptor, segment.size)
        except OSError:
            self._retire()  # a torn line may then only ever be the last of its segment

    def _begin(self) -> _Segment:
        # Never a name that this writer has used: `sync` may be renaming that segment in another thread right now.
        now = max(self._clock(), self._last_opened_us + 1)
        while True:
            path = self.directory / f"{self.kind}-{now}-{os.getpid()}.open.jsonl"
            try:
                if _final(path).exists():  # a clock that was set back must not lead to an old segment's name
                    raise FileExistsError(path)
                self._current = _Segment(path, self._disk.create(path), now)
            except FileExistsError:
                now += 1
            else:
                self._last_opened_us = now
                return self._current

    def _is_due(self, segment: _Segment) -> bool:
        return self._clock() - segment.opened_us >= self._rotation.age_s * 1e6

    def _retire(self) -> None:
        if self._current:
            self._retired.append(self._current)
            self._current = None

    def _bring_to_disk(self, current: _Segment | None, retired: list[_Segment]) -> None:
        for segment in retired:
            self._disk.sync(segment.descriptor)
            self._disk.complete(segment.descriptor, segment.path, _final(segment.path))
        if current:
            self._disk.sync(current.descriptor)
        if retired or (current and not current.named_on_disk):
            self._disk.sync_directory(self.directory)
            if current:
                current.named_on_disk = True


def _final(path: Path) -> Path:
    return path.with_name(path.name.replace(".open.jsonl", ".jsonl"))


def _unwritable(directory: Path, error: OSError) -> LogUnwritable:
    return LogUnwritable(
        Diagnostic(
            f"the event log in '{directory}' cannot be written: {error.strerror or error}",
            fix="free space on that disk, or make the directory writable",
        )
    )


@dataclass(slots=True)
class GroupCommit:
    """Makes the appends of several writers durable together, in a thread.

    Every `interval_s` while there is something to do, and at once when somebody waits; what is appended meanwhile goes
    with the next group. Belongs to one event loop. `failed` is told of every LogUnwritable that a sync met.
    """

    writers: tuple[SegmentWriter, ...]
    interval_s: float
    failed: Callable[[LogUnwritable], None]
    _running: asyncio.Task[None] | None = None
    _waiting: list[tuple[SegmentWriter, int, asyncio.Future[None]]] = field(default_factory=list)
    _urgent: asyncio.Event = field(default_factory=asyncio.Event)

    def request(self) -> None:
        """Ask that what was appended until now becomes durable soon."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._commit())

    async def durable(self, writer: SegmentWriter) -> None:
        """Return when all that was appended to `writer` until now is on the disk. Raises LogUnwritable."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((writer, writer.appended, future))
        self._urgent.set()
        self.request()
        await future

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while (behind := self._behind()) or self._waiting:
                await self._pause()
                self._urgent.clear()
                try:
                    await loop.run_in_executor(None, _sync_all, self._behind() or behind)
                except LogUnwritable as error:
                    self.failed(error)
                    self._tell(error)
                self._tell(None)
        finally:
            self._running = None

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._urgent.wait(), self.interval_s)

    def _behind(self) -> list[SegmentWriter]:
        return [w for w in self.writers if w.durable < w.appended]

    def _tell(self, error: LogUnwritable | None) -> None:
        still_waiting = []
        for writer, goal, future in self._waiting:
            if future.done():
                continue
            if writer.durable >= goal:
                future.set_result(None)
            elif error:
                future.set_exception(error)
            else:
                still_waiting.append((writer, goal, future))
        self._waiting = still_waiting


def _sync_all(writers: list[SegmentWriter]) -> None:
    for writer in writers:
        writer.sync()
