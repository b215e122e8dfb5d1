"""Event lines as Arrow columns, with the types of the schema table.

Called by the lake and by compaction. `reader.parse` decides what counts as an event. Arrow's own JSON
reader is faster and is not used: damaged bytes such as a power cut leaves made pyarrow 26 crash the
process.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from runner.events.reader import Chunk, Damage, parse
from runner.events.schema import FIELDS, Kind, Type

_TYPES = {Type.TEXT: pa.string(), Type.WHOLE: pa.int64(), Type.REAL: pa.float64(), Type.BOOL: pa.bool_()}


@dataclass(frozen=True, slots=True)
class Columns:
    """The events of a chunk as a table, and the lines that are none."""

    table: pa.Table
    damaged: tuple[Damage, ...] = ()


def schema(kind: Kind) -> pa.Schema:
    """Return the Arrow schema of a kind: one column for each field, in the order of the schema table."""
    return pa.schema([pa.field(field.name, _TYPES[field.type]) for field in FIELDS[kind]])


def empty(kind: Kind) -> pa.Table:
    """Return a table of a kind without rows."""
    return schema(kind).empty_table()


def read(chunk: Chunk) -> Columns:
    """Return the events of a chunk in order of line; fields unknown to the schema are left out."""
    events, damaged = parse(chunk)
    wanted = schema(chunk.segment.kind)
    arrays = [pa.array([event.get(field.name) for event in events], field.type) for field in wanted]
    return Columns(pa.Table.from_arrays(arrays, schema=wanted), tuple(damaged))


def without_duplicates(table: pa.Table) -> pa.Table:
    """Return the table with the first row of every `event.id`."""
    rows = pa.array(range(table.num_rows), pa.int64())
    firsts = (
        table.select(["event.id"]).append_column("row", rows).group_by("event.id").aggregate([("row", "min")])
    )
    if firsts.num_rows == table.num_rows:
        return table
    return table.take(firsts["row_min"].sort())
