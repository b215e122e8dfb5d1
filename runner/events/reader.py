"""Reads event segments as they lie on disk: live ones, closed ones, and those that a crash left behind.

Called by the lake, by compaction, by guards that follow events as they arrive, and by `loop replay`.
It never writes, holds no lock and imports nothing heavy. A line counts once it is whole (it ends in a
newline) and is one valid event of its kind; bytes after the last newline are a torn tail, which nobody
acknowledged.
"""

from __future__ import annotations

import json
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from runner.events.schema import FIELDS, Field, Kind, Type

Event = dict[str, Any]

OPEN_SUFFIX = ".open.jsonl"
CLOSED_SUFFIX = ".jsonl"
LATEST_US = 253_402_300_800_000_000
"""The end of the year 9999 in microseconds: a later `event.time` has no calendar day."""

_NAME = re.compile(r"^(?P<stem>(?P<kind>[a-z]+)-(?P<opened>\d+)-(?P<pid>\d+))(?P<live>\.open)?\.jsonl$")
_INT64 = 2**63


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of events, opened `opened_us` microseconds after 1970; its `name` outlives its closing."""

    opened_us: int
    pid: int
    name: str
    kind: Kind
    directory: Path
    live: bool

    @property
    def path(self) -> Path:
        """Where the file was when the directory was listed."""
        return self.directory / f"{self.name}{OPEN_SUFFIX if self.live else CLOSED_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Damage:
    """A whole line that is no event: in which segment, from which byte, how long, and why."""

    segment: str
    offset: int
    length: int
    reason: str

    def __str__(self) -> str:
        return f"{self.segment} at byte {self.offset} ({self.length} bytes): {self.reason}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """The whole lines of a segment from byte `start` to `end`, and how many bytes of a torn tail follow."""

    segment: Segment
    start: int
    data: bytes
    torn_bytes: int

    @property
    def end(self) -> int:
        """The byte from which the next read goes on."""
        return self.start + len(self.data)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read found; events in order of segment and line, each id once."""

    events: tuple[Event, ...] = ()
    damaged: tuple[Damage, ...] = ()
    torn: tuple[str, ...] = ()
    """Names of segments whose last line is not whole (yet)."""
    duplicates: int = 0


def list_segments(directory: Path, kind: Kind | None = None) -> tuple[Segment, ...]:
    """Return the segments of a directory, oldest first; none where it does not exist."""
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return ()
    found: dict[str, Segment] = {}
    for name in sorted(names, reverse=True):  # a closed name comes after its open one and wins
        segment = _segment(directory, name)
        if segment is not None and kind in (None, segment.kind):
            found[segment.name] = segment
    return tuple(sorted(found.values()))


def read_chunk(segment: Segment, start: int = 0) -> Chunk | None:
    """Return the whole lines from byte `start`, or None where the segment is gone (compacted and removed).

    A segment that was closed after it was listed is found under its closed name. Raises OSError.
    """
    for path in (segment.path, segment.directory / f"{segment.name}{CLOSED_SUFFIX}"):
        try:
            with path.open("rb") as file:
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            continue
        whole = data.rfind(b"\n") + 1
        return Chunk(segment, start, data[:whole], len(data) - whole)
    return None


def parse(chunk: Chunk) -> tuple[list[Event], list[Damage]]:
    """Return the events of a chunk and the lines that are none. Blank lines are neither."""
    events: list[Event] = []
    damaged: list[Damage] = []
    offset = chunk.start
    for line in chunk.data.split(b"\n")[:-1]:
        if line.strip():
            try:
                events.append(_event(chunk.segment.kind, line))
            except ValueError as error:
                damaged.append(Damage(chunk.segment.name, offset, len(line) + 1, str(error)))
        offset += len(line) + 1
    return events, damaged


@dataclass(slots=True)
class EventReader:
    """Follows one kind of event: each `read` returns what came since the last, every event id once.

    `offsets` (segment name -> byte) is the cursor; hand it to a new reader to go on where the old one stood.
    Ids are remembered for the last `remember` events, which bounds memory on a resident reader.
    """

    directory: Path
    kind: Kind
    offsets: dict[str, int] = field(default_factory=dict)
    remember: int = 1_000_000
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def read(self) -> Batch:
        """Return the events that became whole since the last call. Raises OSError."""
        events: list[Event] = []
        damaged: list[Damage] = []
        torn: list[str] = []
        duplicates = 0
        segments = list_segments(self.directory, self.kind)
        for segment in segments:
            chunk = read_chunk(segment, self.offsets.get(segment.name, 0))
            if chunk is None:
                continue
            found, bad = parse(chunk)
            fresh = [event for event in found if self._is_new(event["event.id"])]
            duplicates += len(found) - len(fresh)
            events += fresh
            damaged += bad
            if chunk.torn_bytes:
                torn.append(segment.name)
            self.offsets[segment.name] = chunk.end
        listed = {segment.name for segment in segments}
        self.offsets = {name: offset for name, offset in self.offsets.items() if name in listed}
        return Batch(tuple(events), tuple(damaged), tuple(torn), duplicates)

    def _is_new(self, event_id: str) -> bool:
        if event_id in self._seen:
            return False
        self._seen[event_id] = None
        if len(self._seen) > self.remember:
            self._seen.popitem(last=False)
        return True


def _segment(directory: Path, name: str) -> Segment | None:
    match = _NAME.match(name)
    if match is None or match["kind"] not in Kind.__members__.values():
        return None
    return Segment(
        opened_us=int(match["opened"]),
        pid=int(match["pid"]),
        name=match["stem"],
        kind=Kind(match["kind"]),
        directory=directory,
        live=match["live"] is not None,
    )


def _event(kind: Kind, line: bytes) -> Event:
    """Parse and check one line. Raises ValueError with the reason."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        event = _with_lone_surrogates(line, str(error))
    if not isinstance(event, dict):
        raise ValueError("not a JSON object")
    for column in FIELDS[kind]:
        _check(column, event)
        if column.type is Type.REAL and type(event.get(column.name)) is int:
            event[column.name] = float(event[column.name])  # Arrow refuses one that a float holds inexactly
    if not 0 <= event["event.time"] < LATEST_US:
        raise ValueError(f"'event.time' {event['event.time']} is outside the years 1970 to 9999")
    return event


def _check(column: Field, event: Mapping[str, Any]) -> None:
    value = event.get(column.name)
    if value is None:
        if column.required:
            raise ValueError(f"'{column.name}' is missing")
    elif not _FITS[column.type](value):
        raise ValueError(f"'{column.name}' is not of type {column.type.value}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _is_real(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)


_FITS: dict[Type, Callable[[object], bool]] = {
    Type.TEXT: lambda value: isinstance(value, str),
    Type.WHOLE: _is_whole,
    Type.REAL: _is_real,
    Type.BOOL: lambda value: isinstance(value, bool),
}


def _with_lone_surrogates(line: bytes, reason: str) -> object:
    """Half a surrogate pair is valid JSON but no valid text; the event is worth more than that character."""
    if not re.search(rb"\\u[dD]", line):
        raise ValueError(f"not JSON: {reason}")
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
