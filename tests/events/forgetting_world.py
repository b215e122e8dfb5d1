"""An event log of three people in every place where something of them may lie, and a look into all of it."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runner.events.compact import DAMAGED, Compactor
from runner.events.forgotten import NAME
from runner.events.lake import DuckDB, Lake
from runner.events.schema import FIELDS, Kind, Type
from runner.feedback.forgetting import Place
from runner.feedback.records import record_id
from runner.signals.cube.rows import ANNOTATIONS, HOUR_US, REASKS
from runner.signals.cube.store import Hour, State, Store
from tests.doubles.event_files import DAY_US, START_US, line, segment

GONE, OTHERS = "aa" * 16, ("bb" * 16, "cc" * 16)
MARKER = "harbour-marker"
"""Stands in everything that the user who is to go has written, and in nothing else."""
NOW_US = START_US + 2 * DAY_US
_VALUES: dict[Type, Any] = {Type.TEXT: "x", Type.WHOLE: 1, Type.REAL: 1.0, Type.BOOL: True}
STORED, CLOSED, OPEN = "stored", "closed", "open"
"""Where events are: in Parquet, in a segment that was closed, in one that a gateway has open."""


def event(kind: Kind, identity: str, at_us: int, **fields: Any) -> dict[str, Any]:
    """Return an event with every field that its kind requires; `fields` use `__` where the name has a dot."""
    required = {each.name: _VALUES[each.type] for each in FIELDS[kind] if each.required}
    given = {name.replace("__", "."): value for name, value in fields.items()}
    return required | {"event.id": identity, "event.time": at_us} | given


def said_by(user: str, number: int, place: str) -> list[tuple[Kind, dict[str, Any]]]:
    """Return one request of a user with everything that belongs to it; ids say whose it is and where it lies."""
    text = MARKER if user == GONE else "a question"
    name = f"{user[:2]}-{place}-{number}"
    at, who = START_US + number * 60_000_000, {"loop__user": user}
    answer = {"gen_ai__response__id": f"chatcmpl-{name}"}
    request = {"loop__request__id": f"req-{name}"}
    said = {"gen_ai__input__messages": text, "gen_ai__output__messages": text}
    judge = OTHERS[1]
    return [
        (Kind.REQUEST, event(Kind.REQUEST, name, at, **who, **answer, **request)),
        (Kind.CONTENT, event(Kind.CONTENT, f"{name}-content", at, **said, **answer, **request)),
        (
            Kind.SHADOW,
            event(Kind.SHADOW, f"{name}-shadow", at, gen_ai__output__messages=text, **request),
        ),
        (Kind.FEEDBACK, event(Kind.FEEDBACK, f"fb-{name}", at, loop__comment=text, **who, **answer)),
        (
            Kind.VOTE,
            event(
                Kind.VOTE,
                f"vote-{name}",
                at,
                loop__user=judge,
                loop__right__response=f"chatcmpl-{name}",
                loop__vote__question=f"cmp-{name}",
                loop__vote__prompt=text,
            ),
        ),
        (
            Kind.LABEL,
            event(
                Kind.LABEL,
                f"label-{name}",
                at,
                loop__user=judge,
                loop__item=record_id(name),
                loop__label__correction=text,
            ),
        ),
        (
            Kind.LABEL,
            event(
                Kind.LABEL,
                f"label-cmp-{name}",
                at,
                loop__user=judge,
                loop__item=f"cmp-{name}",
                loop__label__comment=text,
            ),
        ),
        (Kind.LABEL, event(Kind.LABEL, f"own-{name}", at, **who, loop__item=f"rec-of-{number}")),
        (
            Kind.SAMPLE,
            event(Kind.SAMPLE, f"sample-{name}", at, loop__sample__evidence=text, **request),
        ),
    ]


def build(home: Path, kinds: Container[Kind] = tuple(Kind)) -> None:
    """Write the log: two requests of each person in each place, and what was made of them; of some kinds only."""
    events = home / "events"
    for opened, place in enumerate((STORED, CLOSED, OPEN)):
        by_kind: dict[Kind, list[bytes]] = {Kind.PROBE: [line(event(Kind.PROBE, f"probe-{place}", START_US))]}
        for user in (GONE, *OTHERS):
            for number in range(2):
                for kind, each in said_by(user, number, place):
                    if kind not in kinds:
                        continue
                    by_kind.setdefault(kind, []).append(line(each))
        for kind, lines in by_kind.items():
            torn = [f'{{"loop.user": "{GONE}", "text": "{MARKER}"\n'.encode(), b'{"whose": "nobodys"\n']
            damaged = torn if (kind, place) == (Kind.REQUEST, STORED) else []
            pid = os.getpid() if place == OPEN else 4_194_999
            segment(
                events,
                [*lines, *damaged],
                opened_us=START_US + opened,
                kind=kind,
                live=place == OPEN,
                pid=pid,
            )
        if place == STORED:
            compactor(home, grace_us=0).run()
            compactor(home, grace_us=0).run()
    _measured(home)
    (home / "evidence.json").write_text(json.dumps({"sessions": {f"{GONE}/s": 1}}))


def _measured(home: Path) -> None:
    """Leave what measuring leaves of answers."""
    store, number = Store(home / "signals"), START_US // HOUR_US
    names = [f"{user[:2]}-{STORED}-{each}" for user in (GONE, *OTHERS) for each in range(2)]

    def table(schema: pa.Schema) -> pa.Table:
        columns = [
            pa.array(names if field.name == "event_id" else [None] * len(names), field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    with store.writing():
        hour = Hour(
            annotations=(store.put(table(ANNOTATIONS)),), pairs=store.put(table(REASKS)), basis={"a": "b"}
        )
        store.save(State("signature", {number: hour}))
    drift = {
        "seen": {GONE: 1.0, OTHERS[0]: 2.0},
        "examples": [[3, [[START_US / 1e6, MARKER], [START_US / 1e6 + 7, "of another"]]]],
        "topics": "t",
    }
    (home / "signals" / "drift.json").write_text(json.dumps(drift))


def is_open(found: Any) -> bool:
    """Say that this process holds its segments open."""
    return bool(found.pid == os.getpid())


def compactor(home: Path, **changes: Any) -> Compactor:
    """Return a compactor for which open segments are those of this process."""
    return Compactor(home / "events", home / "lake", lambda: NOW_US, writer_lives=is_open, **changes)


class World(Place):
    """A place whose clock stands still and whose gateway holds its segments open."""

    @property
    def compactor(self) -> Compactor:
        """What owns the lake's files."""
        return compactor(self.directory, grace_us=self.grace_us)


def place(home: Path) -> World:
    """Return the place of a log."""
    return World(home, home.parent / "collected", lambda: NOW_US, grace_us=0, sleep=lambda _: None)


def everything(home: Path) -> dict[str, dict[str, Any]]:
    """Return what readers of the log find: event id -> event."""
    with Lake(home / "lake", home / "events", NoEngine()) as lake:
        tables = [pq.read_table(home / "lake" / part.file, partitioning=None) for part in lake.parts]
        tables += [lake.live(kind) for kind in Kind]
    rows = [row for table in tables for row in table.to_pylist()]
    assert len({row["event.id"] for row in rows}) == len(rows), "each event is there once"
    return {row["event.id"]: {name: x for name, x in row.items() if x is not None} for row in rows}


class NoEngine(DuckDB):
    """Computes nothing, and is there at once."""

    def __init__(self) -> None:
        """Open nothing."""


def bytes_of(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file of a state directory but the list, and what it says, also inside Parquet."""
    for path in sorted(each for each in home.rglob("*") if each.is_file() and each.name != NAME):
        yield path, path.read_bytes()
        if path.suffix == ".parquet":
            yield path, json.dumps(pq.read_table(path, partitioning=None).to_pylist()).encode()


def damaged(home: Path) -> bytes:
    """Return the lines that are no events."""
    return b"".join(path.read_bytes() for path in (home / "lake" / DAMAGED).glob("*"))
