"""Deletes what is kept of people: everything of one user on request, and what is older than the policy allows.

Called by `loop forget`. All that is deleted goes through the lake's manifest: killed at any point, a reader finds the
events as they were or without those that were to go. What is to be deleted is on the list (`events.forgotten`) first,
so that a run which was killed is finished by the next one, and open segments are cleaned when they are compacted. It
asks no network. What was collected is cleaned last (`erasing`); of a snapshot, which is made of that, it says which
files still hold something.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runner.errors import TransientError
from runner.events import forgotten, manifest
from runner.events.compact import DAMAGED, Compactor
from runner.events.forgotten import COLUMNS, Entry, Forgotten, Traces, traces_in
from runner.events.lake import Lake
from runner.events.schema import FIELDS, Kind
from runner.feedback import ballots, erasing
from runner.feedback.erasing import Unwanted
from runner.feedback.expiring import Ages, Expiry
from runner.feedback.labels.items import preference_id
from runner.feedback.records import record_id
from runner.signals.cube.store import Store

LATE_US = 86_400_000_000
"""So long after a request something about it may still arrive: a copy, a sample, a vote on a page left open.

Of older requests only what segments hold at this moment is still to come into the lake.
"""
PATIENCE_S = 60.0
"""How long a compaction or a measurement under way is waited for."""
_ANSWERS = ("loop.request.id", "gen_ai.response.id")
_WHOLE_VOTE = tuple(each.name for each in FIELDS[Kind.VOTE])
_WRITTEN = ("loop.label.task", "loop.label.correction")

NO_TRACES = Traces()

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the events of one environment are and what was collected, and the clock: microseconds since 1970 UTC.

    `grace_us` is how long files that were replaced stay for their readers; `sleep` waits for seconds.
    """

    directory: Path
    collected: Path
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    grace_us: int = 60_000_000
    sleep: Callable[[float], None] = time.sleep

    @property
    def lake(self) -> Path:
        """Events as Parquet."""
        return self.directory / "lake"

    @property
    def events(self) -> Path:
        """Segments of events."""
        return self.directory / "events"

    @property
    def compactor(self) -> Compactor:
        """What owns the lake's files."""
        return Compactor(self.events, self.lake, self.now_us, self.grace_us)


@dataclass(frozen=True, slots=True)
class Belongings:
    """What belongs to users: events by kind, and by what others refer to them; `asked_us` are their requests' times.

    `said` names what they said as users and reviewers: ids of events, and `ITEM/TASK` of answers that they wrote.
    `lines` of which file of what was collected were deleted.
    """

    counts: Mapping[Kind, int] = field(default_factory=dict)
    traces: Traces = NO_TRACES
    late: Traces = NO_TRACES
    """Those of the traces to which something may still arrive."""
    asked_us: frozenset[int] = frozenset()
    said: frozenset[str] = frozenset()
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """By what lines of data sets say that they come from it."""
        return self.traces.events | self.traces.responses | self.traces.items | self.said


def belongings(place: Place, users: tuple[str, ...], until_us: int) -> Belongings:
    """Return what belongs to some users, given as keyed hashes, up to a time. Raises LoopError, OSError."""
    who = Forgotten(dict.fromkeys(users, until_us))
    with Lake(place.lake, place.events) as lake:
        requests = _rows(place, lake, Kind.REQUEST, _ANSWERS)
        asked = [table.filter(who.gone(Kind.REQUEST, table)) for table in requests]
        times = [time for table in asked for time in table["event.time"].to_pylist()]
        traces = _traces(asked)
        since_us = until_us - LATE_US
        late = _traces([table.filter(pc.greater(table["event.time"], since_us)) for table in asked])
        voted = _voted(_rows(place, lake, Kind.VOTE, _WHOLE_VOTE), who, traces)
        traces |= Traces(items=frozenset(voted))
        late |= Traces(items=frozenset(name for name, at_us in voted.items() if at_us > since_us))
        for kind in COLUMNS:
            late |= traces_in(kind, lake.live(kind), traces)
        whole = Forgotten(who.users, traces)
        counts = {kind: sum(_counted(whole, kind, _rows(place, lake, kind))) for kind in COLUMNS}
        said = _said(place, lake, who)
    return Belongings({kind: n for kind, n in counts.items() if n}, traces, late, frozenset(times), said)


def forget(place: Place, users: tuple[str, ...], until_us: int) -> Belongings:
    """Delete everything of some users, given as keyed hashes, up to a time, also of what was collected.

    Return what that was. Files that were replaced go after the grace (`settle`), events in segments that are being
    written when they are compacted. Killed at any point, it is finished by `resume`. Raises LoopError, OSError.
    """
    found = belongings(place, users, until_us)
    forgotten.add(place.directory, Entry(users, until_us, found.traces, found.late))
    _carry_out(place, found)
    unwanted = Unwanted(forgotten.load(place.directory))
    lines = _patiently(place, lambda: erasing.erase(place.collected, unwanted))
    forgotten.finish(place.directory, users, until_us)
    return replace(found, lines=lines)


def resume(place: Place) -> bool:
    """Finish what a killed run had begun; return whether there was something. Raises LoopError, OSError."""
    open_entries = [each for each in forgotten.entries(place.directory) if not each.finished]
    for entry in open_entries:
        forget(place, entry.users, entry.until_us)
    return bool(open_entries)


def settle(place: Place) -> None:
    """Wait until the grace of replaced files is over, and remove them. Raises LoopError, OSError."""
    place.sleep(place.grace_us / 1e6)
    _patiently(place, lambda: place.compactor.run())


def waiting(place: Place) -> int:
    """Return how many lines of segments that are being written wait to be left out when they are compacted."""
    from runner.events import columns
    from runner.events.reader import list_segments, read_chunk

    who, found = forgotten.load(place.directory), 0
    for segment in list_segments(place.events):
        chunk = read_chunk(segment) if segment.live else None
        if chunk is not None:
            found += sum(_counted(who, segment.kind, iter([columns.read(chunk).table])))
    return found


def expire(place: Place, ages: Ages, *, dry_run: bool = False) -> Mapping[str, int]:
    """Delete what is older than the policy allows; return how many events of each kind went, or lost their text.

    Raises LoopError, OSError.
    """
    rules = Expiry(place.now_us(), ages)
    if dry_run:
        known = manifest.load(place.lake)
        for part in known.parts if known else ():
            if rules.touches(part):
                rules.change(part.kind, pq.read_table(place.lake / part.file, partitioning=None))
    else:
        _patiently(place, lambda: place.compactor.rewrite(rules.change, rules.touches))
        _remove_damaged_before(place, rules.now_us - round(ages.content * 1e6))
    return dict(rules.removed)


def lines_about(files: Iterator[Path], users: tuple[str, ...], found: Belongings) -> Mapping[Path, int]:
    """Return which JSON-lines files hold lines about users or what came of what is theirs, and how many each.

    A line that is no JSON is not looked at. Raises OSError.
    """
    names = found.names.union(users)
    counts: Counter[Path] = Counter()
    for path in files:
        with path.open("rb") as lines:
            counts[path] = sum(_names_any(line, names) for line in lines)
    return {path: count for path, count in counts.items() if count}


def _carry_out(place: Place, found: Belongings) -> None:
    """Delete what the list says. Each step may be done again."""
    who = forgotten.load(place.directory)
    _clean_derived(place, who, found.asked_us)
    _patiently(place, lambda: place.compactor.run())
    _patiently(place, lambda: place.compactor.rewrite(who.kept, lambda part: part.kind in COLUMNS))
    _clean_derived(place, who, found.asked_us)  # what was measured between


def _clean_derived(place: Place, who: Forgotten, asked_us: frozenset[int]) -> None:
    """Take users out of what was made from events: scored texts, the memory of drift, evidence, damaged lines."""
    is_about = who.naming()
    _patiently(place, lambda: Store(place.directory / "signals").forget(who.traces.events))
    _clean_drift(place.directory / "signals" / "drift.json", who, asked_us)
    evidence = place.directory / "evidence.json"
    if evidence.is_file() and is_about(evidence.read_bytes()):
        evidence.unlink()  # it is a checkpoint, and made again from the events that are left
    for path in sorted((place.lake / DAMAGED).glob("*.lines")):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not is_about(line)]
        if len(kept) < len(lines):
            _replace(path, b"".join(kept))


def _clean_drift(path: Path, who: Forgotten, asked_us: frozenset[int]) -> None:
    """Take users, and the examples of what they asked, out of what drift detection remembers.

    Its form is that of `watch.drifting` and `signals.drift.follower`; one that is otherwise is not theirs any more.
    """
    try:
        kept = json.loads(path.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        path.unlink()  # of no use to anybody, and nobody can say whose it is
        return
    asked = {time_us / 1e6 for time_us in asked_us}
    after = {
        **kept,
        "seen": {user: at for user, at in kept.get("seen", {}).items() if user not in who.users},
        "examples": [
            [topic, [each for each in shown if each[0] not in asked]]
            for topic, shown in kept.get("examples", [])
        ],
    }
    if after != kept:
        _replace(path, json.dumps(after).encode())


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.forget")
    manifest.write_durably(temporary, data)
    temporary.replace(path)
    manifest.sync_directory(path.parent)


def _rows(place: Place, lake: Lake, kind: Kind, more: tuple[str, ...] = ()) -> Iterator[pa.Table]:
    """Yield the events of a kind, those columns that say to whom they belong and some more, part by part."""
    wanted = (*COLUMNS[kind], *(name for name in more if name not in COLUMNS[kind]))
    for part in lake.parts:
        if part.kind is kind:
            file = pq.ParquetFile(place.lake / part.file)
            yield file.read([name for name in wanted if name in file.schema_arrow.names])
    yield lake.live(kind).select(wanted)


def _counted(who: Forgotten, kind: Kind, tables: Iterator[pa.Table]) -> Iterator[int]:
    for table in tables:
        gone = who.gone(kind, table) if kind in COLUMNS else None
        yield 0 if gone is None else pc.sum(gone).as_py() or 0


def _traces(requests: list[pa.Table]) -> Traces:
    """Return by what others refer to requests."""

    def texts(column: str) -> frozenset[str]:
        tables = [table for table in requests if column in table.column_names]
        return frozenset(text for table in tables for text in table[column].to_pylist() if text)

    events = texts("event.id")
    return Traces(
        events,
        texts("loop.request.id"),
        texts("gen_ai.response.id"),
        frozenset(map(record_id, events)),
    )


def _voted(votes: Iterator[pa.Table], who: Forgotten, traces: Traces) -> Mapping[str, int]:
    """Return under which ids labels speak of votes that go, and when such a vote was last given.

    A vote on their answers goes with all that it is about, whoever gave it. One that they gave on answers of others
    takes with it only what nobody else judged.
    """
    about = Forgotten(traces=Traces(responses=traces.responses))
    gone: dict[str, int] = {}
    shared: dict[str, int] = {}
    others: set[str] = set()
    for table in votes:
        marks = zip(_marked(who, table), _marked(about, table), table.to_pylist(), strict=True)
        for is_theirs, is_about, row in marks:
            at_us, names = row["event.time"], _judged_as(row)
            if is_about:
                _keep_latest(gone, {row["event.id"], *names}, at_us)
            elif is_theirs:
                _keep_latest(gone, {row["event.id"]}, at_us)
                _keep_latest(shared, names, at_us)
            else:
                others |= names
    for name in shared.keys() - others:
        _keep_latest(gone, {name}, shared[name])
    return gone


def _marked(who: Forgotten, votes: pa.Table) -> list[bool]:
    gone = who.gone(Kind.VOTE, votes)
    return [False] * votes.num_rows if gone is None else [bool(each) for each in gone.to_pylist()]


def _judged_as(vote: Mapping[str, Any]) -> set[str]:
    """Return the ids under which the two answers of a vote event are judged; of a broken one, what it says itself."""
    named = vote.get("loop.vote.question")
    found = {preference_id(ballot) for ballot in ballots.ballots([vote])}
    return found | {named} if named else found


def _keep_latest(times: dict[str, int], names: Set[str], at_us: int) -> None:
    for name in names:
        times[name] = max(at_us, times.get(name, 0))


def _said(place: Place, lake: Lake, who: Forgotten) -> frozenset[str]:
    """Return the ids of what users said of answers and items, and `ITEM/TASK` where they wrote a better answer."""
    found: set[str] = set()
    for kind in (Kind.FEEDBACK, Kind.VOTE, Kind.LABEL):
        for table in _rows(place, lake, kind, _WRITTEN if kind is Kind.LABEL else ()):
            gone = who.gone(kind, table)
            for row in [] if gone is None else table.filter(gone).to_pylist():
                found.add(row["event.id"])
                if row.get("loop.label.correction"):
                    found.add(f"{row['loop.item']}/{row['loop.label.task']}")
    return frozenset(found)


def _names_any(line: bytes, names: frozenset[str]) -> bool:
    try:
        texts = set(_texts(json.loads(line)))
    except ValueError:
        return False
    return not names.isdisjoint(texts | {text.partition("/")[0] for text in texts})  # `ITEM/TASK`


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _remove_damaged_before(place: Place, before_us: int) -> None:
    """Remove lines that are no events and may be text, where they are older than text may be."""
    for path in (place.lake / DAMAGED).glob("*.lines"):
        if path.stat().st_mtime * 1e6 < before_us:
            path.unlink()


def _patiently(place: Place, work: Callable[[], Result]) -> Result:
    """Return what work comes to; where somebody else is at it, try again for a while. Raises what it raises then."""
    for _ in range(int(PATIENCE_S)):
        try:
            return work()
        except TransientError:
            place.sleep(1.0)
    return work()
