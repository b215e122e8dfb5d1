"""Follows the event log of one environment and keeps the evidence of its rollout.

Called by `loop` many times a second; a look takes in only what is new. The evidence is derived from events and
from nothing else: a checkpoint on the disk spares reading them again, and where it is missing, old or of other
conditions, all of it is rebuilt from the lake. Where the model that tells refusals cannot be used, nothing advances,
and what is proven by everything else still rolls back. Reads events, writes one checkpoint file; decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson

from runner import digest
from runner.errors import LoopError, TerminalError, Unknown
from runner.events import manifest
from runner.events.reader import Event, EventReader
from runner.events.schema import Kind
from runner.reconcile.guard import Cause
from runner.reconcile.state import StatePaths
from runner.reconcile.trial import Subject
from runner.rollout.assess import StageFacts, assess
from runner.rollout.compile import compile as compile_policy
from runner.rollout.ledger import Ledger
from runner.rollout.verdict import Assessment
from runner.signals.detection import REFUSALS, Detection

KINDS = (Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK)
"""In this order: an answer is known before what is said of it."""
SAVE_EVERY_S = 60.0
OVERLAP_S = 900.0
"""Read again beyond a point in time: gateways' clocks differ, and what was taken in counts once."""
FORMAT = 2
ROWS = 20_000
PARTS = 20
"""Parts in which the events of one look are taken in."""
SLICE_US = 2_000_000
"""Stored events are taken in by slices of this length, as they would have been when they happened."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Evidence, readers that go on where it ends, and the newest event in it (none is known of a checkpoint).

    `blind` says why refusals are not counted in it, "" where they are or nobody asks for them.
    """

    ledger: Ledger
    readers: dict[Kind, EventReader]
    newest: Cause = field(default_factory=Cause)
    blind: str = ""


@dataclass(slots=True)
class LoggedEvidence:
    """The evidence of one environment's rollout, as its event log has it."""

    paths: StatePaths
    clock: Callable[[], float]
    _subject: Subject | None = None
    _ledger: Ledger | None = None
    _readers: dict[Kind, EventReader] = field(default_factory=dict)
    _newest: Cause = field(default_factory=Cause)
    _blind: str = ""
    _about: str = ""
    _saved_at: float = 0.0
    _saving: asyncio.Task[None] | None = None

    def follow(self, subject: Subject | None) -> None:
        """Turn to a rollout and its stage, or to none; other conditions, or another model in its file, begin anew."""
        about = "" if subject is None else digest.of_value([_key(subject), self._detects(subject)])
        if about != self._about or subject is None:
            self._ledger, self._readers, self._newest, self._blind = None, {}, Cause(), ""
        self._subject, self._about = subject, about
        if subject is not None and self._ledger is not None:
            self._ledger.enter(subject.stage)

    async def look(self, now: float) -> Assessment | Unknown | None:
        """Take in what happened since the last look and return what it comes to; Unknown where it cannot be read."""
        subject, about = self._subject, self._about
        if subject is None:
            return None
        try:
            if self._ledger is None:
                made = await asyncio.to_thread(self._prepared, subject)  # a long past takes long to read
                if self._about != about or self._subject is None:
                    return None
                subject = self._subject  # it may have entered another stage meanwhile
                self._ledger, self._readers = made.ledger, made.readers
                self._newest, self._blind = made.newest, made.blind
                self._ledger.enter(subject.stage)
            self._take_in(self._ledger, subject)
            self._ledger.tick(now)
            found = assess(subject.policy, self._ledger, _facts(subject), now)
        except (LoopError, OSError) as error:
            return Unknown(f"the event log cannot be read: {error}")
        if self._blind:  # nothing is certified, and no checkpoint kept, without what the policy asks for
            return found if self._ledger.latched is not None else Unknown(self._blind)
        if abs(now - self._saved_at) >= SAVE_EVERY_S and (self._saving is None or self._saving.done()):
            self._saved_at = now
            self._saving = asyncio.create_task(asyncio.to_thread(self._write, self._kept()))
        return found

    def subject(self) -> Subject | None:
        """Return what it is about now."""
        return self._subject

    def cause(self) -> Cause:
        """Return the newest event that was taken in."""
        return self._newest

    def close(self) -> None:
        """Keep what was taken in."""
        if self._ledger is not None and not self._blind:
            self._write(self._kept())

    def _take_in(self, ledger: Ledger, subject: Subject) -> None:
        for kind in KINDS:
            events = _of(self._readers[kind].read().events, subject)
            # In small parts of a fixed number, so that the event that decided is known closely.
            size = max(1, -(-len(events) // PARTS))
            for begin in range(0, len(events), size):
                part = events[begin : begin + size]
                decided = ledger.latched is not None
                ledger.absorb(kind, part)
                if not decided:
                    self._newest = max(self._newest, _cause(part[-1]), key=lambda cause: cause.time_us)

    def _kept(self) -> dict[str, Any]:
        assert self._ledger is not None and self._subject is not None, "there is something to keep"  # noqa: S101
        return {
            "format": FORMAT,
            "key": _key(self._subject),
            "at": self.clock(),
            "offsets": {kind.value: dict(self._readers[kind].offsets) for kind in KINDS},
            "ledger": self._ledger.to_json(),
        }

    def _write(self, value: dict[str, Any]) -> None:
        """Keep it where the disk takes it: without a checkpoint the evidence is rebuilt from events."""
        path = self.paths.evidence
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
            fresh.replace(path)

    def _detection(self, subject: Subject) -> Detection:
        return subject.detection.below(self.paths.root)

    def _detects(self, subject: Subject) -> str:
        """Return the digest of what its conditions have detected, the bytes of the model among it."""
        return self._detection(subject).needed_by(compile_policy(subject.policy).sources).digest

    def _prepared(self, subject: Subject) -> Gathered:
        return self._restored(subject) or self._rebuilt(subject)

    def _restored(self, subject: Subject) -> Gathered | None:
        """Return the evidence of the checkpoint, or None where it is of something else.

        What came between it and segments that were moved into the lake meanwhile is read from there.
        """
        try:
            value = orjson.loads(self.paths.evidence.read_bytes())
            if (value["format"], value["key"]) != (FORMAT, _key(subject)):
                return None
            tests = compile_policy(subject.policy)
            ledger = Ledger.from_json(tests, value["ledger"], self._detection(subject))
            offsets = {kind: dict(value["offsets"][kind.value]) for kind in KINDS}
            moved = any(not self._is_there(name) for names in offsets.values() for name in names)
            since = float(value["at"]) - OVERLAP_S
        except (LoopError, OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        if moved:
            ledger.enter(subject.stage)
            self._absorb_stored(ledger, subject, since)
        readers = {kind: EventReader(self.paths.events, kind, offsets[kind]) for kind in KINDS}
        return Gathered(ledger, readers)

    def _is_there(self, segment: str) -> bool:
        directory = self.paths.events
        return any((directory / f"{segment}{suffix}").exists() for suffix in (".jsonl", ".open.jsonl"))

    def _rebuilt(self, subject: Subject) -> Gathered:
        """Return the evidence of all events since the rollout began. Raises LoopError, OSError."""
        ledger, blind = self._empty(subject)
        readers = {kind: EventReader(self.paths.events, kind) for kind in KINDS}
        fresh = [(kind, event) for kind in KINDS for event in _of(readers[kind].read().events, subject)]
        self._absorb_stored(ledger, subject, subject.started - OVERLAP_S)
        fresh.sort(key=_when)  # those that the lake had too count once
        _absorb_slices(ledger, subject, fresh)
        return Gathered(ledger, readers, _cause(fresh[-1][1]) if fresh else Cause(), blind)

    def _empty(self, subject: Subject) -> tuple[Ledger, str]:
        """Return evidence of nothing yet, and why refusals are left out where their model cannot be used."""
        tests, detection = compile_policy(subject.policy), self._detection(subject)
        try:
            return Ledger(tests, subject.rollout_id, detection), ""
        except TerminalError as error:
            without = Ledger(tests, subject.rollout_id, detection, frozenset({REFUSALS}))
            said = error.diagnostics[0]
            return without, f"refusals cannot be counted: {said.summary} ({said.fix})"

    def _absorb_stored(self, ledger: Ledger, subject: Subject, since: float) -> None:
        """Take in what was moved into the lake since then; most rollouts begin after all of it."""
        begin = int(since * 1_000_000)
        known = manifest.load(self.paths.lake)
        if known is None or all(part.last_us < begin for part in known.parts):
            return
        from runner.events.lake import Lake  # heavy, and not needed at the beginning of a rollout

        with Lake(self.paths.lake, self.paths.events) as lake:
            streams = [_rows(lake.table(kind, begin), kind, subject) for kind in KINDS]
            _absorb_slices(ledger, subject, heapq.merge(*streams, key=_when))


def _rows(table: Any, kind: Kind, subject: Subject) -> Iterator[tuple[Kind, Event]]:
    """Yield one kind's events of a trial in order of time, holding few of them at once."""
    if kind is Kind.REQUEST:
        table = table.filter(table["loop.rollout"] == subject.rollout_id)
    for batch in table.order_by("event.time").to_pyarrow().to_batches(ROWS):
        rows = (
            {name: value for name, value in row.items() if value is not None} for row in batch.to_pylist()
        )
        for event in _of(list(rows), subject):
            yield kind, event


def _when(each: tuple[Kind, Event]) -> tuple[int, int]:
    return each[1]["event.time"], KINDS.index(each[0])


def _absorb_slices(ledger: Ledger, subject: Subject, events: Iterable[tuple[Kind, Event]]) -> None:
    """Take events in by slices of time, as they would have been when they happened."""
    for number, each in groupby(events, key=lambda pair: pair[1]["event.time"] // SLICE_US):
        slot: dict[Kind, list[Event]] = {}
        for kind, event in each:
            slot.setdefault(kind, []).append(event)
        if stage := _stage_of(subject, slot.get(Kind.REQUEST, [])):
            ledger.enter(stage)
        for kind in KINDS:
            ledger.absorb(kind, slot.get(kind, []))
        ledger.tick((number + 1) * SLICE_US / 1_000_000)


def _of(events: Sequence[Event], subject: Subject) -> list[Event]:
    """Return what belongs to this trial: the same bytes may have been on trial before, under older routes.

    By the generation of the routes and not by time, for clocks differ. What is said of answers is joined by them.
    """
    return [
        event for event in events if event.get("loop.generation", subject.generation) >= subject.generation
    ]


def _stage_of(subject: Subject, requests: Sequence[Event]) -> str | None:
    """Return the stage that was in force when the newest of these requests was answered, by its weight."""
    weights = [each["loop.weight"] for each in requests if each.get("loop.rollout") == subject.rollout_id]
    most = 1.0 - subject.policy.holdback
    stages = [
        stage.name for stage in subject.policy.stages if weights and min(stage.traffic, most) == weights[-1]
    ]
    return stages[0] if stages else None


def _facts(subject: Subject) -> StageFacts:
    return StageFacts(
        candidate=subject.candidate,
        baseline=subject.baseline,
        stage=subject.stage,
        since=subject.since,
        started=subject.started,
    )


def _key(subject: Subject) -> str:
    """Return what evidence is about: the same rollout under the same conditions, whatever its stage."""
    return digest.of_value(
        [subject.rollout_id, subject.started, subject.policy.model_dump(mode="json", by_alias=True)]
    )


def _cause(event: Event) -> Cause:
    return Cause(str(event["event.id"]), int(event["event.time"]))
