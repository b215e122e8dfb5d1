"""One table per kind of event, over Parquet and the segments not yet in it, as Ibis expressions.

Called by whoever asks questions of the log: `loop status`, signals, curation. It only reads. The
expressions name no backend, so the same ones run elsewhere when the log outgrows one machine; DuckDB,
embedded, is the default. A `Lake` is a snapshot of the moment at which it was opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from runner.errors import transient
from runner.events import columns, manifest
from runner.events.manifest import Manifest, Part
from runner.events.reader import Damage, list_segments, read_chunk
from runner.events.schema import Kind

_ATTEMPTS = 10


class Lake:
    """The events of one environment at one moment; use it in a `with` statement."""

    def __init__(self, lake: Path, events: Path) -> None:
        """Take a snapshot. Raises TerminalError for a damaged lake, TransientError for a restless one."""
        self._lake = lake
        self._manifest, self._live, self.damaged = _snapshot(lake, events)
        self._connection = ibis.duckdb.connect()

    def __enter__(self) -> Lake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.disconnect()

    def requests(self, since_us: int | None = None) -> ir.Table:
        """Return the requests that ended at or after `since_us` (microseconds since 1970 UTC), or all."""
        return self.table(Kind.REQUEST, since_us)

    def contents(self, since_us: int | None = None) -> ir.Table:
        """Return prompts and answers, masked."""
        return self.table(Kind.CONTENT, since_us)

    def feedback(self, since_us: int | None = None) -> ir.Table:
        """Return what users said of answers."""
        return self.table(Kind.FEEDBACK, since_us)

    def shadows(self, since_us: int | None = None) -> ir.Table:
        """Return what came of copies for shadows."""
        return self.table(Kind.SHADOW, since_us)

    def probes(self, since_us: int | None = None) -> ir.Table:
        """Return the verdicts of probes."""
        return self.table(Kind.PROBE, since_us)

    def votes(self, since_us: int | None = None) -> ir.Table:
        """Return what people preferred, two answers side by side."""
        return self.table(Kind.VOTE, since_us)

    def samples(self, since_us: int | None = None) -> ir.Table:
        """Return what the examination of sampled answers found."""
        return self.table(Kind.SAMPLE, since_us)

    def evaluations(self, since_us: int | None = None) -> ir.Table:
        """Return answers to the questions of evaluation suites, and whether they are right."""
        return self.table(Kind.EVALUATION, since_us)

    def table(self, kind: Kind, since_us: int | None = None) -> ir.Table:
        """Return one kind of event, each id once, with every column of the schema (null where absent)."""
        live = ibis.memtable(self._live[kind])
        parts = [part for part in self._manifest.parts if part.kind is kind]
        recent = [part for part in parts if since_us is None or part.last_us >= since_us]
        table = live.anti_join(self._stored(kind, parts), "event.id") if parts else live
        if recent:
            table = self._stored(kind, recent).union(table)
        return table if since_us is None else table.filter(table["event.time"] >= since_us)

    def _stored(self, kind: Kind, parts: Sequence[Part]) -> ir.Table:
        files = [str(self._lake / part.file) for part in parts]
        table = self._connection.read_parquet(files, union_by_name=True, hive_partitioning=False)
        wanted = ibis.Schema.from_pyarrow(columns.schema(kind))
        return table.select(
            **{
                name: table[name].cast(dtype) if name in table.columns else ibis.null(dtype)
                for name, dtype in wanted.items()
            }
        )


def _snapshot(lake: Path, events: Path) -> tuple[Manifest, dict[Kind, pa.Table], tuple[Damage, ...]]:
    """Read the manifest and what it does not cover; again where a compaction came between."""
    for _ in range(_ATTEMPTS):
        before = manifest.load(lake)
        live, damaged = _read_live(events, before or Manifest())
        after = manifest.load(lake)
        if after == before:
            return before or Manifest(), live, damaged
    raise transient("the event lake changes faster than it can be read", f"{_ATTEMPTS} attempts at {lake}")


def _read_live(events: Path, state: Manifest) -> tuple[dict[Kind, pa.Table], tuple[Damage, ...]]:
    tables: dict[Kind, list[pa.Table]] = {kind: [columns.empty(kind)] for kind in Kind}
    damaged: list[Damage] = []
    for segment in list_segments(events):
        chunk = read_chunk(segment, state.covered_bytes(segment.name))
        if chunk is None:
            continue
        found = columns.read(chunk)
        tables[segment.kind].append(found.table)
        damaged += found.damaged
    live = {kind: columns.without_duplicates(pa.concat_tables(each)) for kind, each in tables.items()}
    return live, tuple(damaged)
