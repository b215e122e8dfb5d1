"""Follows the event log of one environment and keeps the evidence of its rollout.

Called by `loop` many times a second; a look takes in only what is new. The evidence is derived from events and
from nothing else: a checkpoint on the disk spares reading them again, and where it is missing, old or of other
conditions, all of it is rebuilt from the lake. Reads events, writes one checkpoint file; decides nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from runner import digest
from runner.errors import LoopError, Unknown
from runner.events import manifest
from runner.events.reader import Event, EventReader
from runner.events.schema import Kind
from runner.reconcile.guard import Cause
from runner.reconcile.state import StatePaths, write_json
from runner.reconcile.trial import Subject
from runner.rollout.assess import StageFacts, assess
from runner.rollout.compile import compile as compile_policy
from runner.rollout.ledger import Ledger
from runner.rollout.verdict import Assessment

KINDS = (Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK)
"""In this order: an answer is known before what is said of it."""
SAVE_EVERY_S = 30.0
FORMAT = 1
SLICE_US = 2_000_000
"""Stored events are taken in by slices of this length, as they would have been when they happened."""


Gathered = tuple[Ledger, dict[Kind, EventReader]]
"""Evidence, and readers that go on where it ends."""


@dataclass(slots=True)
class LoggedEvidence:
    """The evidence of one environment's rollout, as its event log has it."""

    paths: StatePaths
    clock: Callable[[], float]
    _subject: Subject | None = None
    _ledger: Ledger | None = None
    _readers: dict[Kind, EventReader] = field(default_factory=dict)
    _newest: Cause = field(default_factory=Cause)
    _saved_at: float = 0.0
    _earliest: float = float("inf")
    """The earliest time that a look saw: before the rollout began where the clock was set back since."""

    def follow(self, subject: Subject | None) -> None:
        """Turn to a rollout and its stage, or to none."""
        if subject is None or self._subject is None or _key(subject) != _key(self._subject):
            self._ledger, self._readers, self._newest = None, {}, Cause()
            self._earliest = float("inf")
        self._subject = subject
        if subject is not None and self._ledger is not None:
            self._ledger.enter(subject.stage)

    async def look(self, now: float) -> Assessment | Unknown | None:
        """Take in what happened since the last look and return what it comes to; Unknown where it cannot be read."""
        subject = self._subject
        if subject is None:
            return None
        self._earliest = min(self._earliest, now)
        try:
            if self._ledger is None:
                made = await asyncio.to_thread(self._prepared, subject)  # a long past takes long to read
                if self._subject is not subject:
                    return None
                self._ledger, self._readers = made
                self._ledger.enter(subject.stage)
            self._take_in(self._ledger, subject)
            self._ledger.tick(now)
            found = assess(subject.policy, self._ledger, _facts(subject), now)
            if abs(now - self._saved_at) >= SAVE_EVERY_S:
                self._save()
        except (LoopError, OSError) as error:
            return Unknown(f"the event log cannot be read: {error}")
        return found

    def cause(self) -> Cause:
        """Return the newest event that was taken in."""
        return self._newest

    def close(self) -> None:
        """Keep what was taken in."""
        if self._ledger is not None:
            self._save()

    def _take_in(self, ledger: Ledger, subject: Subject) -> None:
        """Absorb what came since; it is this trial's also where a clock that was set back says otherwise."""
        began = min(subject.started, self._earliest)
        for kind in KINDS:
            events = _since(self._readers[kind].read().events, began)
            if events:
                ledger.absorb(kind, events)
                self._newest = max(self._newest, _cause(events[-1]), key=lambda cause: cause.time_us)

    def _save(self) -> None:
        assert self._ledger is not None and self._subject is not None, "there is something to keep"  # noqa: S101
        value = {
            "format": FORMAT,
            "key": _key(self._subject),
            "offsets": {kind.value: self._readers[kind].offsets for kind in KINDS},
            "ledger": self._ledger.to_json(),
        }
        write_json(self.paths.evidence, value)
        self._saved_at = self.clock()

    def _prepared(self, subject: Subject) -> Gathered:
        return self._restored(subject) or self._rebuilt(subject)

    def _restored(self, subject: Subject) -> Gathered | None:
        """Return the evidence of the checkpoint, or None where it is of something else or its segments are gone."""
        try:
            value = json.loads(self.paths.evidence.read_bytes())
            if (value["format"], value["key"]) != (FORMAT, _key(subject)):
                return None
            if any(not self._is_there(name) for names in value["offsets"].values() for name in names):
                return None  # compacted meanwhile: what came after the checkpoint is in the lake
            ledger = Ledger.from_json(compile_policy(subject.policy), value["ledger"])
            offsets = {kind: dict(value["offsets"][kind.value]) for kind in KINDS}
        except (LoopError, OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return ledger, {kind: EventReader(self.paths.events, kind, offsets[kind]) for kind in KINDS}

    def _is_there(self, segment: str) -> bool:
        directory = self.paths.events
        return any((directory / f"{segment}{suffix}").exists() for suffix in (".jsonl", ".open.jsonl"))

    def _rebuilt(self, subject: Subject) -> Gathered:
        """Return the evidence of all events since the rollout began. Raises LoopError, OSError."""
        ledger = Ledger(compile_policy(subject.policy), subject.rollout_id)
        readers = {kind: EventReader(self.paths.events, kind) for kind in KINDS}
        fresh = [(kind, event) for kind in KINDS for event in _since(readers[kind].read().events, subject.started)]
        stored = [*self._stored(subject), *fresh]  # those that the lake had too count once
        stored.sort(key=lambda each: (each[1]["event.time"], KINDS.index(each[0])))
        for kind, events in _slices(stored):
            if stage := _stage_of(subject, events):
                ledger.enter(stage)
            ledger.absorb(kind, events)
        return ledger, readers

    def _stored(self, subject: Subject) -> Iterator[tuple[Kind, Event]]:
        """Yield what was moved into the lake since the rollout began; most rollouts begin after all of it."""
        begin = int(subject.started * 1_000_000)
        known = manifest.load(self.paths.lake)
        if known is None or all(part.last_us < begin for part in known.parts):
            return
        from runner.events.lake import Lake  # heavy, and not needed at the beginning of a rollout

        with Lake(self.paths.lake, self.paths.events) as lake:
            for kind in KINDS:
                for batch in lake.table(kind, begin).to_pyarrow().to_batches():
                    for row in batch.to_pylist():
                        yield kind, {name: value for name, value in row.items() if value is not None}


def _since(events: Sequence[Event], began: float) -> list[Event]:
    """Return what belongs to a trial that began then: the same bytes may have been on trial before."""
    begin = int(began * 1_000_000)
    return [event for event in events if event["event.time"] >= begin]


def _stage_of(subject: Subject, events: Sequence[Event]) -> str | None:
    """Return the stage that was in force when the newest of these requests was answered, by its weight."""
    weights = [event["loop.weight"] for event in events if event.get("loop.rollout") == subject.rollout_id]
    most = 1.0 - subject.policy.holdback
    stages = [
        stage.name for stage in subject.policy.stages if weights and min(stage.traffic, most) == weights[-1]
    ]
    return stages[0] if stages else None


def _slices(stored: list[tuple[Kind, Event]]) -> Iterator[tuple[Kind, list[Event]]]:
    """Yield events that happened in the same slice of time, one kind after the other."""
    slot: dict[Kind, list[Event]] = {}
    current = None
    for kind, event in stored:
        number = event["event.time"] // SLICE_US
        if current is not None and number != current:
            yield from ((each, slot[each]) for each in KINDS if each in slot)
            slot = {}
        current = number
        slot.setdefault(kind, []).append(event)
    yield from ((each, slot[each]) for each in KINDS if each in slot)


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
