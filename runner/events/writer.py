"""The durable end of the event log: append-only segments, one line an event, made durable in groups.

Called by the gateway (request, content, feedback, shadow) and by the reconciler (probe). `append` has handed the
bytes to the operating system when it returns, so that killing this process loses nothing that was appended;
`sync` (or `GroupCommit.durable`) has them on the disk, so that a power failure loses nothing either. A
process start always begins a new segment, `KIND-MICROSECONDS-PID.open.jsonl`, which becomes `.jsonl` when it
is complete. It never opens an old one.

Appended lines are kept in memory until they are durable. Where an fsync fails, or the file is no longer where it
was, they are written again, to a new segment: what such a file holds is never trusted again. They may then be on
the disk twice; readers count an `event.id` once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from runner.errors import Diagnostic, TransientError, terminal
from runner.events.disk import OS_DISK, Disk, OsDisk
from runner.events.schema import FIELDS, Kind, Type

__all__ = ["OS_DISK", "Disk", "Event", "GroupCommit", "LogUnwritable", "OsDisk", "Rotation", "SegmentWriter"]

Event = Mapping[str, Any]
INT64 = 2**63
HELD_BYTES = 64 * 1024 * 1024
"""So much may wait to become durable; nothing more is taken then, since it could not be written again."""


class LogUnwritable(TransientError):
    """The event log cannot take events: the disk is full, the directory is gone or may not be written."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a segment is complete: at so many bytes, or so many seconds after its first event."""

    size_bytes: int = 64 * 1024 * 1024
    age_s: float = 60.0
    monotonic: Callable[[], float] = time.monotonic
    """Seconds, by a clock that nobody sets."""


@dataclass(slots=True)
class _Segment:
    path: Path
    descriptor: int
    began_s: float
    """Monotonic, for the wall clock may be set."""
    size: int = 0
    named_on_disk: bool = False
    durable: int = 0
    """How many events are on the disk."""
    held: list[bytes] = field(default_factory=list)
    """The lines that are not."""
    closed: bool = False


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

    `clock` gives microseconds since 1970, for names. `append` and `sync` may be called from different threads.
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
        self._owed: list[bytes] = []
        self._held_bytes = 0
        self._last_opened_us = 0
        self.appended = 0
        """How many events were appended since the start."""
        self.durable = 0
        """How many of them, the first ones, were on the disk."""
        self.lost = 0
        """How many of those went with segments that someone deleted while they were written."""

    def append(self, *events: Event) -> None:
        """Hand the events to the operating system in one write, all of them or none.

        Raises TerminalError for an event that does not fit the schema, LogUnwritable where the disk refuses.
        """
        for event in events:
            self._shape.check(event)
        data = b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events)
        with self._lock:
            try:
                if self._held_bytes + len(data) > HELD_BYTES:
                    raise OSError(errno.ENOBUFS, "too much waits to become durable")
                self._write(data)
            except OSError as error:
                raise _unwritable(self.directory, error) from error
            self._held_bytes += len(data)
            self.appended += len(events)

    def sync(self) -> None:
        """Bring all that was appended to the disk, complete segments that are due. Raises LogUnwritable.

        After a failure the next call writes again what is not durable.
        """
        with self._sync_lock:
            try:
                with self._lock:
                    self._repay()
                    if self._current and self._is_due(self._current):
                        self._retire()
                    goal, current, retired = self.appended, self._current, self._retired
                    self._retired = []
                self._bring_to_disk(current, retired)
            except OSError as error:
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
            try:
                self._repay()
            except OSError as error:
                raise _unwritable(self.directory, error) from error
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
        segment.held.append(data)
        if segment.size >= self._rotation.size_bytes:
            self._retire()

    def _repay(self) -> None:
        while self._owed:
            self._write(self._owed[0])
            del self._owed[0]

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
                self._current = _Segment(path, self._disk.create(path), self._rotation.monotonic())
            except FileExistsError:
                now += 1
            else:
                self._last_opened_us = now
                return self._current

    def _is_due(self, segment: _Segment) -> bool:
        return self._rotation.monotonic() - segment.began_s >= self._rotation.age_s

    def _retire(self) -> None:
        if self._current:
            self._retired.append(self._current)
            self._current = None

    def _bring_to_disk(self, current: _Segment | None, retired: list[_Segment]) -> None:
        """Make every segment durable on its own account; raise the first OSError after all were tried."""
        first: OSError | None = None
        steps = [(segment, self._complete) for segment in retired]
        for segment, finish in steps + ([(current, self._name)] if current else []):
            try:
                self._make_durable(segment, finish)
            except OSError as error:
                first = first or error
        if first:
            raise first

    def _make_durable(self, segment: _Segment, finish: Callable[[_Segment], None]) -> None:
        lines = len(segment.held)
        try:
            if self._disk.is_lost(segment.descriptor, segment.path):
                raise _Deleted(errno.ENOENT, "a segment was deleted while it was written")
            self._disk.sync(segment.descriptor)
            finish(segment)
        except OSError as error:
            self._give_up(segment, error)
            raise
        with self._lock:
            done = segment.held[:lines]
            del segment.held[:lines]
            segment.durable += sum(data.count(b"\n") for data in done)
            self._held_bytes -= sum(map(len, done))

    def _complete(self, segment: _Segment) -> None:
        self._disk.complete(segment.descriptor, segment.path, _final(segment.path))
        segment.closed = True
        self._disk.sync_directory(self.directory)

    def _name(self, segment: _Segment) -> None:
        if not segment.named_on_disk:
            self._disk.sync_directory(self.directory)
            segment.named_on_disk = True

    def _give_up(self, segment: _Segment, error: OSError) -> None:
        """Trust a segment no more; what is not durable goes to the next one."""
        with self._lock:
            self._owed += segment.held
            segment.held = []
            if self._current is segment:
                self._current = None
            self._retired = [other for other in self._retired if other is not segment]
            with contextlib.suppress(OSError):
                if not segment.closed:
                    self._disk.abandon(segment.descriptor)
            if isinstance(error, _Deleted):
                self.lost += segment.durable
                with contextlib.suppress(OSError):  # the next append says why it cannot be made
                    self.directory.mkdir(parents=True, exist_ok=True)


class _Deleted(OSError):
    """A segment's path no longer leads to it."""


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
