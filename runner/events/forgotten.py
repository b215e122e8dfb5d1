"""Whose events are to be forgotten: a small durable list, obeyed by everything that brings events into the lake.

Deleting a user's events cannot reach segments that a gateway has open, nor a copy or a vote that arrives a moment
later. `loop forget` therefore writes down first what it is about to delete; compaction and the lake leave it out from
then on, also after a crash, and a run that did not end is finished by the next one. The list, `forgotten.jsonl` in the
state directory, holds keyed hashes and ids and no text.
"""

from __future__ import annotations

import fcntl
import functools
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from runner.errors import terminal
from runner.events import manifest
from runner.events.schema import Kind

NAME = "forgotten.jsonl"
_WORD = re.compile(rb"[A-Za-z0-9_.:-]{4,}")
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Traces:
    """By what other events tell that they belong to requests or votes of a user."""

    events: frozenset[str] = _NOTHING
    """Ids of the requests' events; those of contents and shadow copies begin with them."""
    requests: frozenset[str] = _NOTHING
    """Their `loop.request.id`."""
    responses: frozenset[str] = _NOTHING
    """Ids of their answers."""
    items: frozenset[str] = _NOTHING
    """Ids of what labels speak of: records, comparisons, pairs of answers, and the user's votes."""

    def __or__(self, other: Traces) -> Traces:
        return Traces(
            self.events | other.events,
            self.requests | other.requests,
            self.responses | other.responses,
            self.items | other.items,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One wish: forget these users' events up to `until_us` (microseconds since 1970 UTC).

    `traces` are all of theirs while it is not `finished`, and then `late`: those to which events may still arrive.
    """

    users: tuple[str, ...]
    until_us: int
    traces: Traces = Traces()
    late: Traces = Traces()
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is to be left out: events of users (keyed hash -> until when), and what belongs to traces."""

    users: Mapping[str, int] = field(default_factory=dict)
    traces: Traces = Traces()

    def includes(self, user: str, at_us: int) -> bool:
        """Return whether what a user (keyed hash) did at a time is to be forgotten."""
        return at_us <= self.users.get(user, -1)

    def kept(self, kind: Kind, table: pa.Table) -> pa.Table:
        """Return the rows of a table of events that may stay, the table itself where all of them may."""
        gone = self.gone(kind, table)
        if gone is None or not pc.any(gone).as_py():
            return table
        return table.filter(pc.invert(gone))

    def gone(self, kind: Kind, table: pa.Table) -> pa.Array | None:
        """Say of each row whether it is to be left out; None where no event of the kind belongs to anybody."""
        marks = [link.named(table, self.traces) for link in _LINKS.get(kind, ())]
        if kind in _OF_USERS and self.users:
            marks.append(self._of_users(table))
        found = [mark for mark in marks if mark is not None]
        return functools.reduce(pc.or_, found) if found else None

    def _of_users(self, table: pa.Table) -> pa.Array:
        names, untils = zip(*self.users.items(), strict=True)
        places = pc.index_in(table["loop.user"].combine_chunks(), value_set=pa.array(names, pa.string()))
        until = pa.array(untils, pa.int64()).take(places)
        return pc.fill_null(pc.less_equal(table["event.time"].combine_chunks(), until), False)

    def naming(self) -> Callable[[bytes], bool]:
        """Return what says whether bytes that are no event name one of the users, or one of their traces."""
        traces = self.traces
        ids = (*traces.events, *traces.requests, *traces.responses, *traces.items)
        names = {each.encode() for each in (*self.users, *ids)}

        def names_any(data: bytes) -> bool:
            return any(
                word in names or word.rpartition(b"-")[0] in names  # contents and copies have a suffix
                for word in _WORD.findall(data)
            )

        return names_any


def forgotten(directory: Path) -> Mapping[str, int]:
    """Return the users to be left out of everything made from events: keyed hash -> events up to which time.

    `directory` is the state directory of an environment; times are microseconds since 1970 UTC. The lake leaves their
    events out by itself; whoever keeps what was read of it asks here. Raises TerminalError, OSError.
    """
    return load(directory).users


def load(directory: Path) -> Forgotten:
    """Return what the list of a state directory says; nothing where there is none. Raises TerminalError, OSError."""
    users: dict[str, int] = {}
    traces = Traces()
    for entry in entries(directory):
        traces |= entry.traces
        for user in entry.users:
            users[user] = max(entry.until_us, users.get(user, 0))
    return Forgotten(users, traces)


def entries(directory: Path) -> tuple[Entry, ...]:
    """Return the list's entries, oldest first. Raises TerminalError where it is damaged, OSError."""
    path = directory / NAME
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    try:
        return tuple(_entry(json.loads(line)) for line in lines)
    except (ValueError, KeyError, TypeError) as error:
        raise terminal(
            "the list of users to be forgotten cannot be read",
            f"{path}: {type(error).__name__}: {error}",
            fix="restore it from a backup: without it, what was deleted could come back from open segments",
        ) from error


def add(directory: Path, entry: Entry) -> None:
    """Put an entry on the list, durable when this returns; with what the same wish found before.

    Raises TerminalError, OSError.
    """
    with _alone(directory):
        known = entries(directory)
        same = [each for each in known if _is_same(each, entry)]
        for each in same:
            entry = replace(entry, traces=entry.traces | each.traces, late=entry.late | each.late)
        _save(directory, (*(each for each in known if each not in same), entry))


def finish(directory: Path, users: tuple[str, ...], until_us: int) -> None:
    """Mark a wish as fulfilled: of its traces only the late ones stay. Raises TerminalError, OSError."""
    wish = Entry(users, until_us)
    with _alone(directory):
        done = (
            replace(each, traces=each.late, finished=True) if _is_same(each, wish) else each
            for each in entries(directory)
        )
        _save(directory, tuple(done))


def _is_same(one: Entry, other: Entry) -> bool:
    return (one.users, one.until_us) == (other.users, other.until_us)


def _save(directory: Path, known: tuple[Entry, ...]) -> None:
    temporary = directory / f"{NAME}.tmp"
    data = b"".join(json.dumps(_plain(each)).encode() + b"\n" for each in known)
    manifest.write_durably(temporary, data)
    temporary.replace(directory / NAME)
    manifest.sync_directory(directory)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f".{NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "users": list(entry.users),
        "until_us": entry.until_us,
        "finished": entry.finished,
        "traces": _plain_traces(entry.traces),
        "late": _plain_traces(entry.late),
    }


def _plain_traces(traces: Traces) -> dict[str, list[str]]:
    return {name: sorted(getattr(traces, name)) for name in Traces.__dataclass_fields__}


def _entry(value: Any) -> Entry:
    return Entry(
        tuple(map(str, value["users"])),
        int(value["until_us"]),
        _traces(value["traces"]),
        _traces(value["late"]),
        bool(value["finished"]),
    )


def _traces(value: Any) -> Traces:
    return Traces(**{name: frozenset(map(str, ids)) for name, ids in value.items()})


@dataclass(frozen=True, slots=True)
class _Link:
    """A column by which events name what they are about: one of the traces, followed by `suffix`."""

    column: str
    traces: str
    suffix: str = ""

    def named(self, table: pa.Table, traces: Traces) -> pa.Array | None:
        """Say of each row whether it names one of some traces; None where none can."""
        ids: frozenset[str] = getattr(traces, self.traces)
        if not ids or self.column not in table.column_names:
            return None
        wanted = pa.array([f"{each}{self.suffix}" for each in ids], pa.string())
        return pc.is_in(table[self.column].combine_chunks(), value_set=wanted)

    def traces_in(self, table: pa.Table, known: Traces) -> Traces:
        """Return those of the known traces that rows name."""
        names = (name.removesuffix(self.suffix) for name in table[self.column].to_pylist() if name)
        return Traces(**{self.traces: frozenset(names) & getattr(known, self.traces)})


_OF_USERS = frozenset({Kind.REQUEST, Kind.FEEDBACK, Kind.VOTE, Kind.LABEL})
_LINKS: Mapping[Kind, tuple[_Link, ...]] = {
    Kind.REQUEST: (_Link("event.id", "events"),),
    Kind.CONTENT: (_Link("event.id", "events", "-content"),),
    Kind.SHADOW: (_Link("event.id", "events", "-shadow"),),
    Kind.FEEDBACK: (_Link("gen_ai.response.id", "responses"),),
    Kind.VOTE: (_Link("loop.left.response", "responses"), _Link("loop.right.response", "responses")),
    Kind.LABEL: (_Link("loop.item", "items"),),
    Kind.SAMPLE: (_Link("loop.request.id", "requests"),),
}
"""By what an event of each kind belongs to a request; what others say of an answer does, for it tells what it was."""


def traces_in(kind: Kind, table: pa.Table, known: Traces) -> Traces:
    """Return those of the known traces that events of a kind name."""
    return functools.reduce(
        operator.or_, (link.traces_in(table, known) for link in _LINKS.get(kind, ())), Traces()
    )


COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    kind: tuple(
        dict.fromkeys(
            (
                *("event.id", "event.time", *(("loop.user",) if kind in _OF_USERS else ())),
                *(link.column for link in links),
            )
        )
    )
    for kind, links in _LINKS.items()
}
"""The columns that `Forgotten.gone` looks at."""
