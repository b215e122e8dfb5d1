"""Scores what was said in some hours and is not scored yet; what was scored once is never read again.

A step of `passes`. Texts go through Python in batches, in this process, whichever engine finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from runner.events.lake import Engine
from runner.signals.cube import pairs as pairing
from runner.signals.cube.annotate import Annotator, Likeness, alike, annotate
from runner.signals.cube.facts import Span
from runner.signals.cube.pairs import PAIRS
from runner.signals.cube.rows import ANNOTATIONS, HOUR_US
from runner.signals.cube.store import Hour, State, Store

BATCH: Final = 20_000
"""Texts that are scored at once."""
MERGE_AT: Final = 16
"""How many files of one hour's annotations become one."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What scores, and where results are kept; `within_us` is the window of re-asks."""

    store: Store
    engine: Engine
    annotator: Annotator
    within_us: int

    def score(
        self, said: Mapping[str, ir.Table], state: State, span: Span, numbers: Sequence[int]
    ) -> tuple[State, int]:
        """Return the state with all of `pairs.conversations` of a span scored, and how many answers that were.

        `said`, the `contents` and `requests` of these, reach `within_us` beyond the span; `numbers` are the hours of
        it that have events.
        """
        state = self._without_outdated(state, numbers)
        hours = dict(state.hours)
        count = self._annotate(said, state, span, numbers, hours)
        if self.annotator.likeness is not None:
            self._compare(said, self.annotator.likeness, span, numbers, hours)
        return replace(state, hours=hours), count

    def _without_outdated(self, state: State, numbers: Sequence[int]) -> State:
        """Forget what other detectors had said."""
        hours = dict(state.hours)
        for number in numbers:
            hour = state.hour(number)
            if hour.annotator != self.annotator.digest:
                hour = replace(hour, annotations=(), annotator=self.annotator.digest)
            if hour.likeness != self.annotator.likeness_digest:
                hour = replace(hour, pairs="", likeness=self.annotator.likeness_digest)
            hours[number] = hour
        return replace(state, hours=hours)

    def _annotate(
        self,
        said: Mapping[str, ir.Table],
        state: State,
        span: Span,
        numbers: Sequence[int],
        hours: dict[int, Hour],
    ) -> int:
        scored = annotated(self.store, self.engine, state, numbers)
        new = self.engine.answer(_unscored, {**said, "scored": scored}, asdict(span))
        batches = [annotate(batch, self.annotator) for batch in _batches(new)]
        found = pa.concat_tables([ANNOTATIONS.empty_table(), *batches])
        for number, rows in _by_hour(found.sort_by([("time_us", "ascending"), ("event_id", "ascending")])):
            files = hours[number].annotations
            if len(files) >= MERGE_AT:
                rows = pa.concat_tables([*map(self.store.read, files), rows])
                files = ()
            hours[number] = replace(hours[number], annotations=(*files, self.store.put(rows)))
        return int(found.num_rows)

    def _compare(
        self,
        said: Mapping[str, ir.Table],
        likeness: Likeness,
        span: Span,
        numbers: Sequence[int],
        hours: dict[int, Hour],
    ) -> None:
        """Say how alike questions are that follow each other, those not compared before."""
        found = self.engine.answer(_close_by, said, {**asdict(span), "within_us": self.within_us})
        known = self._compared(hours[number].pairs for number in numbers)
        keys = _keys(found)
        new = [at for at, key in enumerate(keys) if key not in known]
        for begin in range(0, len(new), BATCH):
            some = new[begin : begin + BATCH]
            rows = found.take(pa.array(some, pa.int64()))
            scores = alike(rows["asked"], rows["other_asked"], likeness)
            known.update((keys[at], float(score)) for at, score in zip(some, scores, strict=True))
        scored = found.append_column("likeness", pa.array([known[key] for key in keys], pa.float64()))
        order = [(name, "ascending") for name in ("time_us", "event_id", "other_id")]
        of_hour = dict(_by_hour(scored.select(PAIRS.names).cast(PAIRS).sort_by(order)))
        for number in numbers:
            name = self.store.put(of_hour[number]) if number in of_hour else ""
            hours[number] = replace(hours[number], pairs=name)

    def _compared(self, names: Iterable[str]) -> dict[tuple[str, str], float]:
        known: dict[tuple[str, str], float] = {}
        for name in filter(None, names):
            rows = self.store.read(name)
            known.update(zip(_keys(rows), rows["likeness"].to_pylist(), strict=True))
        return known


def _unscored(tables: Mapping[str, ir.Table], values: Mapping[str, Any]) -> ir.Table:
    """Return what was said in a span and is not `scored`, as an engine is asked for it."""
    said = pairing.conversations(tables["contents"], tables["requests"])
    some = said.filter(Span(**values).holds(said["time_us"]))
    return some.anti_join(tables["scored"], "event_id").drop("user")


def _close_by(tables: Mapping[str, ir.Table], values: Mapping[str, Any]) -> ir.Table:
    """Return `pairs.close_by`, as an engine is asked for it."""
    said = pairing.conversations(tables["contents"], tables["requests"])
    return pairing.close_by(said, Span(values["first"], values["end"]), values["within_us"])


def annotated(store: Store, engine: Engine, state: State, hours: Iterable[int]) -> ir.Table:
    """Return what is stored of the answers of some hours."""
    files = [store.path(name) for hour in hours for name in state.hour(hour).annotations]
    return _stored(engine, files, ANNOTATIONS)


def reasks(store: Store, engine: Engine, state: State, hours: Iterable[int], threshold: float) -> ir.Table:
    """Return the stored answers of some hours that were asked again."""
    files = [store.path(state.hour(hour).pairs) for hour in hours if state.hour(hour).pairs]
    return pairing.reasks(_stored(engine, files, PAIRS), threshold)


def _stored(engine: Engine, files: Sequence[Path], schema: pa.Schema) -> ir.Table:
    if not files:
        return ibis.memtable(schema.empty_table())
    return engine.parquet([str(file) for file in files])


def _keys(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["event_id"].to_pylist(), table["other_id"].to_pylist(), strict=True))


def _by_hour(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    hours = pc.cast(pc.divide(table["time_us"], HOUR_US), pa.int64())
    for hour in sorted(hours.unique().to_pylist()):
        yield hour, table.filter(pc.equal(hours, hour))


def _batches(table: pa.Table) -> Iterator[pa.Table]:
    for begin in range(0, table.num_rows, BATCH):
        yield table.slice(begin, BATCH)
