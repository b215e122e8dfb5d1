"""One pass of measuring: see what changed, score new texts, count the changed hours again, remember.

`loop monitor` and `loop signals` own a `Measurer`. What it has read once it does not read again: a pass without new
events reads no rows. Every step ends with a saved state, so that a crash costs only the step it came in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from runner.events.lake import DuckDB, Engine, Lake
from runner.events.schema import Kind
from runner.signals.cube import census as counting
from runner.signals.cube import reads
from runner.signals.cube.annotate import Annotator
from runner.signals.cube.census import Census
from runner.signals.cube.due import KINDS, VERSION, Detectors, Ground, Settings, time_has_come
from runner.signals.cube.facts import (
    ANSWER_HOURS,
    QUESTIONS,
    UNRESOLVED,
    Part,
    Rules,
    Span,
    Tables,
    hour_of,
    values,
)
from runner.signals.cube.rows import CUBE, HOUR_US, KEYS, empty, merged
from runner.signals.cube.scoring import Scoring, annotated, reasks
from runner.signals.cube.store import Hour, State, Store

CHUNK_EVENTS: Final = 4_000_000
"""About how many events are counted in one query."""
TEXT_EVENTS: Final = 20_000
"""About how many events are scored before the state is saved."""
_STORED: Final = pa.schema([*CUBE, pa.field("part", pa.string())])


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass did: the hours it counted again, events it read for that, texts it scored, and how long it took."""

    hours: tuple[int, ...]
    events_read: int
    annotated: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LakePaths:
    """Where the events of an environment lie: Parquet, and the segments not yet in it."""

    lake: Path
    events: Path


class Measurer:
    """Measures one environment; `directory` is its own. `engine` opens what computes, DuckDB if not given."""

    def __init__(
        self,
        directory: Path,
        lake_paths: LakePaths,
        annotator: Annotator,
        settings: Settings,
        engine: Callable[[], Engine] | None = None,
    ) -> None:
        self._store, self._paths = Store(directory), lake_paths
        self._annotator, self._settings = annotator, settings
        self._by = Detectors(annotator.digest, annotator.likeness_digest)
        self._engine = engine or (lambda: DuckDB(settings.memory, settings.threads))
        self._known: dict[str, pa.Table] = {}

    def run(self, now: float) -> Pass:
        """Bring the state up to the lake's at `now` (seconds since 1970).

        Raises TransientError where somebody else measures or the lake is restless, TerminalError for a damaged lake,
        OSError. Whatever is raised, the state is a correct one.
        """
        begun = time.perf_counter()
        signature = self._signature()
        with self._store.writing() as state:
            if state.signature == signature and not time_has_come(state, self._settings, now):
                return Pass((), 0, 0, time.perf_counter() - begun)
            self._store.sweep(state)
            with self._opened() as (lake, engine):
                census = counting.take(lake, self._paths.lake, state.parts)
                scoring = Scoring(self._store, engine, self._annotator, self._settings.within_us)
                work = _Work(lake, scoring, Ground(census, self._settings, self._by, now))
                done = work.bring_up(state, signature)
        return replace(done, seconds=time.perf_counter() - begun)

    def _signature(self) -> str:
        """Return what a state is complete for: a lake, detectors, settings and how they are counted."""
        settings = (
            self._settings.gap_us,
            self._settings.within_us,
            self._settings.threshold,
            self._settings.baseline,
        )
        lake = counting.signature(self._paths.lake, self._paths.events)
        return f"{VERSION} {lake} {settings} {self._by} {self._settings.keep_hours}"

    def cube(self, since_hour: int, until_hour: int) -> pa.Table:
        """Return the rows of stored hours from `since_hour` to before `until_hour`, each key once (`rows.CUBE`)."""
        return self._reading(lambda state: self._cube(state, since_hour, until_hour))

    def _cube(self, state: State, since: int, until: int) -> pa.Table:
        files = [
            hour.cube for number, hour in sorted(state.hours.items()) if since <= number < until and hour.cube
        ]
        current = {hour.cube for hour in state.hours.values()}
        self._known = {name: table for name, table in self._known.items() if name in current}
        for name in files:
            if name not in self._known:
                self._known[name] = merged(self._store.read(name).select(CUBE.names))
        return pa.concat_tables([empty(), *(self._known[name] for name in files)])

    def questions(self, since: float, until: float) -> pa.Table:
        """Return the scored questions asked from `since` to before `until` (seconds since 1970), oldest first.

        Columns: event_id, time_us, question (text), topic, fine_topic, novelty, language, version, user.
        """
        return self._reading(lambda state: self._questions(state, round(since * 1e6), round(until * 1e6)))

    def _questions(self, state: State, since_us: int, until_us: int) -> pa.Table:
        with self._opened() as (lake, engine):
            first, end = since_us // HOUR_US, -(-until_us // HOUR_US)
            hours = [number for number in state.hours if first <= number < end]
            scored = annotated(self._store, engine, state, hours)
            return reads.questions(lake, engine, scored, since_us, until_us)

    def tails(self, since: float, share: float = 0.01, limit: int = 1000) -> pa.Table:
        """Return answers in the lowest and highest `share` of token counts since a time, at most `limit` of each.

        Columns: measure (prompt_tokens, answer_tokens), tail (low, high), request_id, event_id, value.
        """
        with self._opened() as (lake, engine):
            return reads.tails(lake, engine, round(since * 1e6), share, limit)

    def concentration(self, since: float) -> tuple[int, float | None]:
        """Return how many people gave feedback since a time, and which share of it the most active one gave."""
        with self._opened() as (lake, engine):
            return reads.concentration(lake, engine, round(since * 1e6))

    @contextmanager
    def _opened(self) -> Iterator[tuple[Lake, Engine]]:
        engine = self._engine()
        try:
            with Lake(self._paths.lake, self._paths.events, engine) as lake:
                yield lake, engine
        finally:
            engine.close()

    def _reading(self, read: Callable[[State], pa.Table]) -> pa.Table:
        """Return what is read of one state; again where a pass has put another in its place meanwhile."""
        for _ in range(5):
            with suppress(FileNotFoundError):
                return read(self._store.load())
        return read(self._store.load())


class _Work:
    """One pass while it lasts; the state goes from step to step and is saved after each."""

    def __init__(self, lake: Lake, scoring: Scoring, ground: Ground) -> None:
        self._lake, self._scoring, self._ground = lake, scoring, ground
        self._store, self._engine = scoring.store, scoring.engine
        self._annotated = 0

    def bring_up(self, state: State, signature: str) -> Pass:
        """Do everything that is due."""
        census = self._ground.census
        work = self._ground.due(state)
        first, last = self._ground.oldest, self._ground.newest
        kept = {number: hour for number, hour in state.hours.items() if first <= number <= last}
        state = State("", kept, census.parts, self._ground.waiting)
        spans = list(_spans(work[Part.ANSWERS], KINDS[Part.ANSWERS], census, TEXT_EVENTS))
        for done, span in enumerate(spans, 1):
            state = self._scored(state, span)
            if len(spans) > 1:
                self._ground.settings.tell(
                    f"read {self._annotated:,} answers, {done} of {len(spans)} parts; what is read is kept"
                )
        hours = sorted({hour for part in work.values() for hour in part})
        for span in _spans(hours, tuple(Kind), census, CHUNK_EVENTS):
            # Compiling a query costs more than counting some more hours: what is due anywhere in a span is counted.
            parts = [part for part in Part if any(span.first <= hour < span.end for hour in work[part])]
            state = self._counted(state, span, parts)
        self._store.save(replace(state, signature=signature))
        read = {(kind, hour) for part, hours in work.items() for hour in hours for kind in KINDS[part]}
        events = sum(census.print_of(kind, hour)[0] for kind, hour in read)
        return Pass(tuple(sorted({hour for _, hour in read})), events, self._annotated, 0.0)

    def _scored(self, state: State, span: Span) -> State:
        """Score what was said in some hours and is not scored yet, and which of it was asked again."""
        reach = span.until_us + self._ground.settings.within_us
        said = {
            "contents": self._table(Kind.CONTENT, span.since_us, reach),
            "requests": self._table(Kind.REQUEST, span.since_us, reach),
        }
        state, count = self._scoring.score(said, state, span, self._hours(span))
        self._annotated += count
        self._store.save(state)
        return state

    def _counted(self, state: State, span: Span, parts: Sequence[Part]) -> State:
        """Count some parts of some hours and put them in place of what was counted before."""
        ground, settings = self._ground, self._ground.settings
        numbers = self._hours(span)
        tables = self._tables(state, span, numbers)
        rules = Rules(settings.gap_us, ground.closed_us, settings.baseline)
        named, about = tables.named(), values(span, rules)
        found = {part: merged(self._engine.answer(QUESTIONS[part], named, about)) for part in parts}
        unknown: set[int] = set()
        if Part.FEEDBACK in parts:
            unknown.update(self._engine.answer(UNRESOLVED, named, about)["hour"].to_pylist())
        opened = self._opened(tables.annotations, span) if Part.ANSWERS in parts else {}
        hours = dict(state.hours)
        for number in numbers:
            hour = state.hour(number)
            if Part.FEEDBACK in parts:
                hour = replace(hour, unresolved=number in unknown)
            if Part.ANSWERS in parts:
                hour = replace(hour, open_from_us=opened.get(number))
            made = {part.value: ground.basis(part, number, hour.unresolved) for part in parts}
            rows = {part: table.filter(pc.equal(table["hour"], number)) for part, table in found.items()}
            hours[number] = replace(hour, cube=self._replaced(hour, rows), basis={**hour.basis, **made})
        state = replace(state, hours=hours)
        self._store.save(state)
        return state

    def _hours(self, span: Span) -> Sequence[int]:
        """Return the hours of a span that have events."""
        return self._ground.census.hours_in(span.first, span.end)

    def _replaced(self, hour: Hour, found: dict[Part, pa.Table]) -> str:
        """Return the file of an hour's cube in which some parts are new, "" where nothing is counted."""
        tables = [_STORED.empty_table()]
        if hour.cube:
            before = self._store.read(hour.cube)
            replaced = pa.array([part.value for part in found])
            tables.append(before.filter(pc.invert(pc.is_in(before["part"], replaced))))
        for part, rows in found.items():
            names = pa.array([part.value] * rows.num_rows, pa.string())
            tables.append(rows.append_column("part", names))
        order = [(name, "ascending") for name in ("part", *KEYS)]
        cube = pa.concat_tables(tables)
        return self._store.put(cube.sort_by(order)) if cube.num_rows else ""

    def _opened(self, annotations: ir.Table, span: Span) -> dict[int, int]:
        """Return the first answer of each hour that may still be asked again."""
        time = annotations["time_us"]
        some = annotations.filter(span.holds(time) & (time >= self._ground.closed_us))
        some = some.mutate(hour=hour_of(some["time_us"]))
        rows = self._engine.arrow(some.group_by("hour").agg(first=some["time_us"].min()))
        return dict(zip(rows["hour"].to_pylist(), rows["first"].to_pylist(), strict=True))

    def _tables(self, state: State, span: Span, hours: Sequence[int]) -> Tables:
        settings = self._ground.settings
        back = span.since_us - ANSWER_HOURS * HOUR_US

        def events(kind: Kind) -> ir.Table:
            return self._table(kind, span.since_us, span.until_us)

        return Tables(
            requests=self._table(Kind.REQUEST, span.since_us - settings.gap_us, span.until_us),
            annotations=annotated(self._store, self._engine, state, hours),
            reasks=reasks(self._store, self._engine, state, hours, settings.threshold),
            asked=self._table(Kind.REQUEST, back, span.until_us),
            feedback=self._table(Kind.FEEDBACK, back, span.until_us),
            votes=events(Kind.VOTE),
            samples=events(Kind.SAMPLE),
            probes=events(Kind.PROBE),
            evaluations=events(Kind.EVALUATION),
        )

    def _table(self, kind: Kind, since_us: int, until_us: int) -> ir.Table:
        # an event that was written twice has the same time both times: older files need not be looked through
        found = self._lake.table(kind, since_us, until_us, repeats_since_us=since_us)
        # what people compare and try on the console's pages is no traffic
        return found.filter(~found["loop.console"].coalesce(False)) if kind is Kind.REQUEST else found


def _spans(hours: Sequence[int], kinds: Sequence[Kind], census: Census, most: int) -> Iterator[Span]:
    """Yield hours together that follow each other, or with nothing logged between, as long as they have few events."""

    def count(first: int, end: int) -> int:
        return sum(census.print_in(kind, first, end)[0] for kind in kinds)

    begin, events = 0, 0
    for at, hour in enumerate(hours):
        here = count(hour, hour + 1)
        if at > begin and (events + here > most or count(hours[at - 1] + 1, hour)):
            yield Span(hours[begin], hours[at - 1] + 1)
            begin, events = at, 0
        events += here
    if hours:
        yield Span(hours[begin], hours[-1] + 1)
