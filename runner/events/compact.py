"""Moves finished segments into Parquet, by kind and UTC day, so that the lake stays fast when the log grows.

Called by the resident runner now and then, and by `loop replay`'s tests. Safe beside running gateways (it
touches only segments that were closed or whose writer is dead) and beside a second compactor (a file lock).
The order of steps is the whole protocol: parts, then the manifest, then, after a grace in which readers of
the old manifest finish, the segments. Code that runs after a failure would not run after SIGKILL: there is
none, the next pass tidies up.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runner import digest
from runner.errors import terminal, transient
from runner.events import columns, forgotten, manifest
from runner.events.disk import is_held
from runner.events.forgotten import Forgotten
from runner.events.manifest import Covered, Manifest, Part
from runner.events.reader import Chunk, Damage, Segment, list_segments, read_chunk
from runner.events.schema import Kind

PASS_BYTES = 256 * 2**20
"""About how many bytes of segments are held in memory at once."""
DAY_US = 86_400_000_000
SMALL_ROWS = 50_000
"""Parts with fewer rows are merged once there are enough of them in a day."""
Change = Callable[[Kind, pa.Table], pa.Table]
"""What becomes of the events of one part: the table itself where nothing does."""
DAMAGED = "damaged"
"""Folder of the lake that keeps the bytes of lines that are no events."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What one call did: counts of segments and events moved, repeated events left out, segments removed."""

    segments: int = 0
    events: int = 0
    duplicates: int = 0
    removed: int = 0
    torn: int = 0
    """Segments of a killed writer whose last line was not whole."""
    damaged: tuple[Damage, ...] = ()
    parts: tuple[str, ...] = ()


def is_written(segment: Segment) -> bool:
    """Say whether the writer of a segment lives: it locks the file for as long as it has it open."""
    return is_held(segment.path)


@dataclass(frozen=True, slots=True)
class Compactor:
    """Compacts the segments in `events` into `lake`.

    `grace_us` is how long a segment stays after its events are in Parquet, for readers that began before.
    """

    events: Path
    lake: Path
    now_us: Callable[[], int]
    grace_us: int = 60_000_000
    writer_lives: Callable[[Segment], bool] = is_written
    pass_bytes: int = PASS_BYTES
    merge_at: int = 16
    """How many small parts of one day become one."""

    def run(self) -> Compaction:
        """Move what is finished, remove what was moved longer ago than the grace.

        Raises TransientError where another compaction runs, TerminalError where the lake is damaged, OSError.
        """
        self.lake.mkdir(parents=True, exist_ok=True)
        with _locked(self.lake):
            before_us = self.now_us() - self.grace_us
            state = _sweep(self.lake, _opened(self.lake), before_us)
            done, gone = Compaction(), forgotten.load(self.lake.parent)
            while chunks := self._due(state):
                state, step = _absorb(self.lake, state, chunks, self.now_us(), gone)
                done = _sum(done, step)
            state = _merge(self.lake, state, self.merge_at, self.now_us())
            removed = self._remove(state, before_us)
            return replace(done, removed=removed)

    def rewrite(self, change: Change, touches: Callable[[Part], bool] = lambda _: True) -> int:
        """Put the parts that `touches` names through `change`, all by one manifest; return how many became others.

        The parts before stay for the grace, for their readers; the first `run` after it removes them. Raises as `run`.
        """
        self.lake.mkdir(parents=True, exist_ok=True)
        with _locked(self.lake):
            state = _opened(self.lake)
            now = self.now_us()
            found = [(part, self._changed(part, change) if touches(part) else part) for part in state.parts]
            kept = tuple(after for _, after in found if after is not None)
            files = {part.file for part in kept}
            retired = {part.file: now for part, _ in found if part.file not in files}
            if retired:
                _commit(self.lake, state, parts=kept, retired={**state.retired, **retired})
            return len(retired)

    def _changed(self, part: Part, change: Change) -> Part | None:
        """Return the part that stands for one after a change: itself where nothing became of it, None for no rows."""
        before = pq.read_table(self.lake / part.file, partitioning=None)
        after = change(part.kind, before)
        if after is before:
            return part
        if not after.num_rows:
            return None
        return _part(self.lake, part.kind, _write_part((self.lake / part.file).parent, after), after)

    def _due(self, state: Manifest) -> tuple[Chunk, ...]:
        """Return finished segments, or their rest, that Parquet does not hold yet, oldest first."""
        chunks: list[Chunk] = []
        size = 0
        for segment in list_segments(self.events):
            if size >= self.pass_bytes:
                break
            if segment.live and self.writer_lives(segment):
                continue
            chunk = read_chunk(segment, state.covered_bytes(segment.name))
            if chunk is not None and (chunk.data or segment.name not in state.segments):
                chunks.append(chunk)
                size += len(chunk.data)
        return tuple(chunks)

    def _remove(self, state: Manifest, before_us: int) -> int:
        """Remove segments that Parquet has held since before `before_us`, then forget their names."""
        removed = 0
        for segment in list_segments(self.events):
            covered = state.segments.get(segment.name)
            if covered is None or covered.since_us > before_us:
                continue
            if segment.live and self.writer_lives(
                segment
            ):  # it was looked at before its writer had locked it
                continue
            chunk = read_chunk(segment, covered.bytes)
            if chunk is not None and not chunk.data:
                segment.path.unlink(missing_ok=True)
                removed += 1
        left = {segment.name for segment in list_segments(self.events)}
        if not left.issuperset(state.segments):
            # a name may be forgotten only when it cannot come back with a power cut
            manifest.sync_directory(self.events)
            kept = {name: covered for name, covered in state.segments.items() if name in left}
            _commit(self.lake, state, segments=kept)
        return removed


@contextmanager
def _locked(lake: Path) -> Iterator[None]:
    with (lake / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise transient(
                "another compaction of this lake is running", f"it holds {lake / '.lock'}"
            ) from None
        yield


def _opened(lake: Path) -> Manifest:
    """Return the manifest; a new lake gets an empty one before its first part."""
    state = manifest.load(lake)
    if state is not None:
        return state
    if part := next(lake.glob("*/day=*/part-*.parquet"), None):
        raise terminal(
            "the lake holds events but its manifest is gone",
            f"found {part}, missed {lake / manifest.NAME}",
            fix="restore the manifest from a backup, or move the lake away to begin a new one",
        )
    manifest.save(lake, Manifest())
    return Manifest()


def _sweep(lake: Path, state: Manifest, before_us: int) -> Manifest:
    """Remove what a killed compaction left, and parts that were retired before `before_us`."""
    retired = {file: since for file, since in state.retired.items() if since > before_us}
    wanted = {part.file for part in state.parts} | set(retired)
    for path in sorted(lake.glob("*/day=*/*")):
        if path.relative_to(lake).as_posix() not in wanted:
            path.unlink()
    return replace(state, retired=retired)


def _absorb(
    lake: Path, state: Manifest, chunks: Sequence[Chunk], now: int, gone: Forgotten
) -> tuple[Manifest, Compaction]:
    """Write the parts of some chunks, less what is to be forgotten, and then the manifest that names them."""
    by_kind: dict[Kind, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_kind[chunk.segment.kind].append(chunk)
    parts: list[Part] = []
    damaged: list[Damage] = []
    read = 0
    for kind, group in sorted(by_kind.items()):
        found = [columns.read(chunk) for chunk in group]
        for chunk, each in zip(group, found, strict=True):
            _keep_damaged(lake, chunk, each.damaged, gone)
            damaged += each.damaged
        table = gone.kept(kind, pa.concat_tables([each.table for each in found]))
        read += table.num_rows
        parts += _write_parts(lake, kind, _unknown(lake, state, kind, table))
    covered = {chunk.segment.name: Covered(chunk.end, now) for chunk in chunks}
    after = _commit(lake, state, parts=(*state.parts, *parts), segments={**state.segments, **covered})
    events = sum(part.rows for part in parts)
    return after, Compaction(
        segments=len(chunks),
        events=events,
        duplicates=read - events,
        torn=sum(chunk.torn_bytes > 0 for chunk in chunks),
        damaged=tuple(damaged),
        parts=tuple(part.file for part in parts),
    )


def _commit(lake: Path, state: Manifest, **changes: Any) -> Manifest:
    after = replace(state, generation=state.generation + 1, **changes)
    manifest.save(lake, after)
    return after


def _merge(lake: Path, state: Manifest, merge_at: int, now: int) -> Manifest:
    """Make one part of many small ones: each file costs every query a look at its footer."""
    small: dict[Path, list[Part]] = defaultdict(list)
    for part in state.parts:
        if part.rows < SMALL_ROWS:
            small[Path(part.file).parent].append(part)
    for folder, parts in sorted(small.items()):
        if len(parts) < merge_at:
            continue
        tables = [pq.read_table(lake / part.file, partitioning=None) for part in parts]
        table = pa.concat_tables(tables, promote_options="default").sort_by("event.time")
        merged = _part(lake, parts[0].kind, _write_part(lake / folder, table), table)
        kept = tuple(part for part in state.parts if part not in parts and part != merged)
        retired = {part.file: now for part in parts if part.file != merged.file}
        state = _commit(lake, state, parts=(*kept, merged), retired={**state.retired, **retired})
    return state


def _unknown(lake: Path, state: Manifest, kind: Kind, table: pa.Table) -> pa.Table:
    """Return the events that neither this table nor the lake has already, by `event.id`."""
    table = columns.without_duplicates(table)
    files = [str(lake / part.file) for part in state.parts if part.kind is kind]
    if not files or not table.num_rows:
        return table
    with duckdb.connect() as connection:
        connection.register("arrived", table.select(["event.id"]))
        query = 'SELECT "event.id" FROM read_parquet(?) SEMI JOIN arrived USING ("event.id")'
        known = [event_id for (event_id,) in connection.execute(query, [files]).fetchall()]
    return table.filter(pc.invert(pc.is_in(table["event.id"], value_set=pa.array(known, pa.string()))))


def _write_parts(lake: Path, kind: Kind, table: pa.Table) -> Iterator[Part]:
    table = table.sort_by("event.time")
    days = pc.divide(table["event.time"], DAY_US)
    for day in sorted(set(days.to_pylist())):
        rows = table.filter(pc.equal(days, day))
        folder = lake / kind.value / f"day={datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"
        path = _write_part(folder, rows)
        manifest.sync_directory(folder.parent)
        yield _part(lake, kind, path, rows)
    manifest.sync_directory(lake)


def _part(lake: Path, kind: Kind, path: Path, rows: pa.Table) -> Part:
    first, last = rows["event.time"][0].as_py(), rows["event.time"][-1].as_py()
    return Part(kind, path.relative_to(lake).as_posix(), rows.num_rows, first, last)


def _write_part(folder: Path, rows: pa.Table) -> Path:
    """Write one Parquet file, named by its content, durable when this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "part.tmp"
    pq.write_table(rows, temporary, compression="zstd")
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    path = folder / f"part-{digest.short(digest.of_file(temporary))}.parquet"
    temporary.replace(path)
    manifest.sync_directory(folder)
    return path


def _keep_damaged(lake: Path, chunk: Chunk, damaged: Sequence[Damage], gone: Forgotten) -> None:
    """Keep the bytes of lines that are no events: the segment they stand in will be removed."""
    if not damaged:
        return
    found = [chunk.data[d.offset - chunk.start :][: d.length] for d in damaged]
    is_about = gone.naming()
    lines = [each for each in found if not is_about(each)]
    if not lines:
        return
    folder = lake / DAMAGED
    folder.mkdir(exist_ok=True)
    manifest.write_durably(folder / f"{chunk.segment.name}-{chunk.start}.lines", b"".join(lines))
    manifest.sync_directory(folder)


def _sum(first: Compaction, second: Compaction) -> Compaction:
    return Compaction(
        segments=first.segments + second.segments,
        events=first.events + second.events,
        duplicates=first.duplicates + second.duplicates,
        removed=first.removed + second.removed,
        torn=first.torn + second.torn,
        damaged=first.damaged + second.damaged,
        parts=first.parts + second.parts,
    )
