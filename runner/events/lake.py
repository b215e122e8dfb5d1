"""One table per kind of event, over Parquet and the segments not yet in it, as Ibis expressions.

Called by whoever asks questions of the log: `loop status`, signals, curation. It only reads. The
expressions name no backend, so the same ones run elsewhere when the log outgrows one machine; DuckDB,
embedded, is the default `Engine`. A `Lake` is a snapshot of the moment at which it was opened.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from runner.errors import transient
from runner.events import columns, forgotten, manifest
from runner.events.forgotten import Forgotten
from runner.events.manifest import Manifest, Part
from runner.events.reader import Damage, list_segments, read_chunk
from runner.events.schema import Kind

_ATTEMPTS = 10

Question = Callable[[Mapping[str, ir.Table], Mapping[str, Any]], ir.Table]
"""Makes an expression of tables and of values, whole numbers and strings, each by its name."""


class Engine(Protocol):
    """What computes: a backend of Ibis that reads Parquet files."""

    def parquet(self, files: Sequence[str]) -> ir.Table:
        """Return the rows of files as one table, a column that some of them lack null there."""

    def arrow(self, expression: ir.Table) -> pa.Table:
        """Compute an expression over such tables."""

    def answer(
        self, question: Question, tables: Mapping[str, ir.Table], values: Mapping[str, int | str]
    ) -> pa.Table:
        """Compute what is asked again and again, of other tables and values each time."""

    def close(self) -> None:
        """Give back what it holds."""


class DuckDB:
    """DuckDB in this process, within `memory`; what does not fit goes to the disk meanwhile."""

    def __init__(self, memory: str | None = None, threads: int | None = None) -> None:
        """`memory` as DuckDB writes it, such as `1GiB`; without limits both are what the machine has."""
        self._connection = ibis.duckdb.connect()
        if threads is not None:
            self._connection.raw_sql(f"SET threads = {int(threads)}")
        if memory is not None:
            spill = Path(tempfile.gettempdir()) / f"loop-spill-{os.getpid()}"
            self._connection.raw_sql(f"SET memory_limit = '{memory}'")
            self._connection.raw_sql(f"SET temp_directory = '{spill}'")
            self._connection.raw_sql("SET preserve_insertion_order = false")

    def parquet(self, files: Sequence[str]) -> ir.Table:
        """Return the rows of files as one table."""
        return self._connection.read_parquet(files, union_by_name=True, hive_partitioning=False)

    def arrow(self, expression: ir.Table) -> pa.Table:
        """Compute an expression."""
        return self._connection.to_pyarrow(expression)

    def answer(
        self, question: Question, tables: Mapping[str, ir.Table], values: Mapping[str, int | str]
    ) -> pa.Table:
        """Compute a question by SQL that is made of it once for all connections of the process.

        To make the SQL of a long expression takes far longer than to run it over a few events. So the SQL is over
        views and variables of the names that tables and values have.
        """
        columns = tuple((name, table.schema()) for name, table in tables.items())
        types = tuple((name, type(value)) for name, value in values.items())
        sql, read, schema = _compiled(question, columns, types)
        for name in read:
            self._connection.create_view(name, tables[name], overwrite=True)
        for name, value in values.items():
            self._connection.con.execute(f'SET VARIABLE "{name}" = ?', [value])
        return self._connection.con.sql(sql).to_arrow_table().cast(schema)

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()


@lru_cache(maxsize=64)
def _compiled(
    question: Question, columns: tuple[tuple[str, ibis.Schema], ...], types: tuple[tuple[str, type], ...]
) -> tuple[str, tuple[str, ...], pa.Schema]:
    """Return a question in DuckDB's SQL, the names of the tables that it reads, and what it gives."""
    variable = {int: _number, str: _string}
    expression = question(
        {name: ibis.table(schema, name=name) for name, schema in columns},
        {name: variable[kind](name) for name, kind in types},
    )
    read = {table.name for table in expression.op().find(ops.UnboundTable)}
    return (
        str(ibis.to_sql(expression, dialect="duckdb")),
        tuple(sorted(read)),
        expression.schema().to_pyarrow(),
    )


@ibis.udf.scalar.builtin(name="getvariable", signature=(("string",), "int64"))  # type: ignore[untyped-decorator]
def _number(variable: Any) -> Any:
    """Return a variable of the connection; DuckDB has it, so that there is no body."""


@ibis.udf.scalar.builtin(name="getvariable", signature=(("string",), "string"))  # type: ignore[untyped-decorator]
def _string(variable: Any) -> Any:
    """Return a variable of the connection; DuckDB has it, so that there is no body."""


class Lake:
    """The events of one environment at one moment; use it in a `with` statement."""

    def __init__(self, lake: Path, events: Path, engine: Engine | None = None) -> None:
        """Take a snapshot; an engine that is passed in stays open.

        Raises TerminalError for a damaged lake, TransientError for a restless one.
        """
        self._lake = lake
        self._manifest, self._live, self.damaged, self.repeated = _snapshot(lake, events)
        self._engine: Engine = DuckDB() if engine is None else engine
        self._is_ours = engine is None

    def __enter__(self) -> Lake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ours:
            self._engine.close()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The Parquet files of the snapshot."""
        return self._manifest.parts

    def live(self, kind: Kind) -> pa.Table:
        """Return the events of a kind that are not in Parquet yet, each id once."""
        return self._live[kind]

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

    def table(
        self,
        kind: Kind,
        since_us: int | None = None,
        until_us: int | None = None,
        repeats_since_us: int | None = None,
    ) -> ir.Table:
        """Return one kind of event, each id once, with every column of the schema (null where absent).

        `since_us` and `until_us` (excluded) bound `event.time`. Live events are looked for among stored ones that
        are as new as `repeats_since_us` or newer; all if not given.
        """
        live = self._live[kind]
        parts = [part for part in self._manifest.parts if part.kind is kind]
        recent = [part for part in parts if _overlaps(part, since_us, until_us)]
        known = [part for part in parts if _overlaps(part, repeats_since_us, None)]
        if live.num_rows or not recent:
            table = ibis.memtable(live)
            if live.num_rows and known:
                table = table.anti_join(self._stored(kind, known), "event.id")
            if recent:
                table = self._stored(kind, recent).union(table)
        else:
            table = self._stored(kind, recent)
        if since_us is not None:
            table = table.filter(table["event.time"] >= since_us)
        return table if until_us is None else table.filter(table["event.time"] < until_us)

    def _stored(self, kind: Kind, parts: Sequence[Part]) -> ir.Table:
        table = self._engine.parquet([str(self._lake / part.file) for part in parts])
        wanted = ibis.Schema.from_pyarrow(columns.schema(kind))
        return table.select(
            **{
                name: table[name].cast(dtype) if name in table.columns else ibis.null(dtype)
                for name, dtype in wanted.items()
            }
        )


def _overlaps(part: Part, since_us: int | None, until_us: int | None) -> bool:
    """Return whether a part may hold events of a time."""
    return (since_us is None or part.last_us >= since_us) and (until_us is None or part.first_us < until_us)


Found = tuple[dict[Kind, pa.Table], tuple[Damage, ...], dict[Kind, int]]
"""What segments hold beyond Parquet: events, lines that are none, and how many events stand there again."""


def _snapshot(lake: Path, events: Path) -> tuple[Manifest, *Found]:
    """Read the manifest and what it does not cover; again where a compaction came between."""
    for _ in range(_ATTEMPTS):
        before = manifest.load(lake)
        live = _read_live(events, before or Manifest(), forgotten.load(lake.parent))
        after = manifest.load(lake)
        if after == before:
            return before or Manifest(), *live
    raise transient("the event lake changes faster than it can be read", f"{_ATTEMPTS} attempts at {lake}")


def _read_live(events: Path, state: Manifest, gone: Forgotten) -> Found:
    tables: dict[Kind, list[pa.Table]] = {kind: [columns.empty(kind)] for kind in Kind}
    damaged: list[Damage] = []
    for segment in list_segments(events):
        chunk = read_chunk(segment, state.covered_bytes(segment.name))
        if chunk is None:
            continue
        found = columns.read(chunk)
        tables[segment.kind].append(gone.kept(segment.kind, found.table))
        damaged += found.damaged
    lines = {kind: pa.concat_tables(each) for kind, each in tables.items()}
    live = {kind: columns.without_duplicates(each) for kind, each in lines.items()}
    repeated = {kind: lines[kind].num_rows - live[kind].num_rows for kind in Kind}
    return live, tuple(damaged), repeated
