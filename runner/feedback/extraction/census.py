"""What of the log was read: how many events of each kind, which, and what of it is no event that counts.

Goes into the manifest of what is collected, so that nothing is left out in silence. Reads the lake, writes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from runner.events.compact import DAMAGED
from runner.events.lake import Engine, Lake
from runner.events.schema import Kind
from runner.feedback.extraction.rules import Window
from runner.feedback.extraction.tables import count

READ = (Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK, Kind.SHADOW, Kind.VOTE, Kind.LABEL)
"""The kinds that records, ballots and labels are made of."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The events of one kind in the window: how many, and a digest of their ids in order."""

    events: int
    ids: str


@dataclass(frozen=True, slots=True)
class Census:
    """What was read. `damaged` lines are no events, `duplicates` stood in the log before, `ahead` are dated later.

    What is dated after the window comes with a clock that is ahead, and is collected when its time has come.
    """

    kinds: dict[str, Kept]
    damaged: int
    duplicates: int
    ahead: int


def take(lake: Lake, engine: Engine, directory: Path, window: Window) -> Census:
    """Count the events of a window; `directory` is the lake's. Raises OSError."""
    kinds = {kind.value: _kept(lake, engine, kind, window) for kind in READ}
    ahead = sum(
        count(engine, lake.table(kind, window.until_us, repeats_since_us=window.until_us)) for kind in READ
    )
    duplicates = sum(_repeated(lake, engine, kind) for kind in READ)
    damaged = len(lake.damaged) + sum(_lines(path) for path in sorted((directory / DAMAGED).glob("*.lines")))
    return Census(kinds, damaged, duplicates, ahead)


def _kept(lake: Lake, engine: Engine, kind: Kind, window: Window) -> Kept:
    table = lake.table(kind, window.since_us, window.until_us, window.since_us)
    ids = engine.arrow(table.select("event.id").order_by("event.id"))["event.id"]
    return Kept(len(ids), _digest(ids))


def _digest(ids: pa.ChunkedArray) -> str:
    found = hashlib.sha256()
    for chunk in ids.iterchunks():
        found.update("".join(f"{each}\n" for each in chunk.to_pylist()).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _repeated(lake: Lake, engine: Engine, kind: Kind) -> int:
    """Return how many lines of segments are of events that stand before them or in Parquet already."""
    live = lake.live(kind)
    if not live.num_rows:
        return int(lake.repeated[kind])
    every = count(engine, lake.table(kind))
    stored = sum(part.rows for part in lake.parts if part.kind is kind)
    return int(lake.repeated[kind] + live.num_rows - (every - stored))


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
