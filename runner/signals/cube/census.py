"""How many events of each kind each hour has, and which: what says that an hour has to be measured anew.

`passes` compares it with what an hour was measured from. A fingerprint is a count and a sum of hashes of event ids, so
that it does not matter in which file an event lies: compaction and merges change nothing. A Parquet part never
changes, so it is counted once; of what is still in segments, the lake has read all rows anyway.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from runner.events import manifest
from runner.events.lake import Lake
from runner.events.manifest import Part
from runner.events.reader import list_segments
from runner.events.schema import Kind
from runner.signals.cube.rows import HOUR_US

HEAD_US: Final = 60_000_000
"""The first minute of an hour is counted apart too: it is what the hour before looks over to."""
_MODULUS: Final = 2**61 - 1

Print = tuple[int, int, int, int]
"""Events of one kind in one hour: count and sum of hashes, and the same of those in its head."""
Counts = Mapping[tuple[Kind, int], Print]

_COUNT = f"""
    SELECT "event.time" // {HOUR_US} AS hour,
        count(*) AS n, sum(hash("event.id")) % {_MODULUS} AS mark,
        count(*) FILTER ("event.time" % {HOUR_US} < {HEAD_US}) AS head_n,
        coalesce(sum(hash("event.id")) FILTER ("event.time" % {HOUR_US} < {HEAD_US}), 0) % {_MODULUS} AS head_mark
    FROM {{table}} GROUP BY hour
"""
NOTHING: Final[Print] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Census:
    """Fingerprints of all hours; `parts` keeps what each Parquet file adds, by its name.

    No slots: sums are kept once they are asked for. A wrong clock may have dated an hour decades from here, so nothing
    walks from one hour to another: only hours that have events are looked at.
    """

    counts: Counts
    parts: Mapping[str, Mapping[int, Print]]

    def print_of(self, kind: Kind, hour: int) -> Print:
        """Return the fingerprint of one kind in one hour."""
        return self.counts.get((kind, hour), NOTHING)

    @cached_property
    def hours(self) -> tuple[int, ...]:
        """Hours that have events of any kind, in order."""
        return tuple(sorted({hour for _, hour in self.counts}))

    def hours_in(self, first: int, end: int) -> tuple[int, ...]:
        """Return the hours with events from `first` to before `end`."""
        return self.hours[bisect_left(self.hours, first) : bisect_left(self.hours, end)]

    def print_in(self, kind: Kind, first: int, end: int) -> tuple[int, int]:
        """Return count and sum of hashes of one kind's events from hour `first` to before `end`."""
        if kind not in self._running:
            return 0, 0
        hours, counts, marks = self._running[kind]
        begin, stop = bisect_left(hours, first), bisect_left(hours, end)
        return counts[stop] - counts[begin], (marks[stop] - marks[begin]) % _MODULUS

    @cached_property
    def _running(self) -> Mapping[Kind, tuple[Sequence[int], Sequence[int], Sequence[int]]]:
        """Hours of each kind, and counts and hashes of all events before each of them; one more at the end."""
        hours: dict[Kind, list[int]] = defaultdict(list)
        for kind, hour in sorted(self.counts):
            hours[kind].append(hour)
        found = {}
        for kind, known in hours.items():
            prints = [self.counts[kind, hour] for hour in known]
            counts = list(accumulate((each[0] for each in prints), initial=0))
            found[kind] = known, counts, list(accumulate((each[1] for each in prints), initial=0))
        return found


def signature(lake: Path, events: Path) -> str:
    """Return what changes whenever events were added or moved, from names and sizes alone."""
    state = manifest.load(lake)
    sizes = []
    for segment in list_segments(events):
        for path in (segment.path, segment.path.with_name(f"{segment.name}.jsonl")):
            if path.exists():
                sizes.append(f"{segment.name}:{path.stat().st_size}")
                break
    return f"{hash_version()} {state.generation if state else 0} {' '.join(sizes)}"


def hash_version() -> str:
    """Return what the hashes depend on: fingerprints of another version say nothing."""
    return str(duckdb.__version__)


def take(lake: Lake, directory: Path, known: Mapping[str, Mapping[int, Print]]) -> Census:
    """Count a lake's events, those of `known` parts not again. Raises OSError, duckdb.Error."""
    parts: dict[str, Mapping[int, Print]] = {}
    counts: dict[tuple[Kind, int], Print] = defaultdict(lambda: NOTHING)
    with duckdb.connect() as connection:
        for part in lake.parts:
            found = known.get(part.file)
            parts[part.file] = _of_part(connection, directory, part) if found is None else found
            _add(counts, part.kind, parts[part.file])
        for kind in Kind:
            live = lake.live(kind)
            if live.num_rows:
                _add(counts, kind, _of_rows(connection, live))
    return Census(dict(counts), parts)


def _of_part(connection: Any, directory: Path, part: Part) -> Mapping[int, Print]:
    rows = connection.execute(_COUNT.format(table="read_parquet(?)"), [str(directory / part.file)]).fetchall()
    return _prints(rows)


def _of_rows(connection: Any, live: pa.Table) -> Mapping[int, Print]:
    connection.register("live", live.select(["event.id", "event.time"]))
    found = _prints(connection.execute(_COUNT.format(table="live")).fetchall())
    connection.unregister("live")
    return found


def _prints(rows: Iterable[tuple[Any, ...]]) -> Mapping[int, Print]:
    return {
        int(hour): (int(n), int(mark), int(head), int(head_mark)) for hour, n, mark, head, head_mark in rows
    }


def _add(counts: dict[tuple[Kind, int], Print], kind: Kind, found: Mapping[int, Print]) -> None:
    for hour, (n, mark, head_n, head_mark) in found.items():
        before = counts[kind, hour]
        counts[kind, hour] = (
            before[0] + n,
            (before[1] + mark) % _MODULUS,
            before[2] + head_n,
            (before[3] + head_mark) % _MODULUS,
        )
