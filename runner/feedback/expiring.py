"""What of the event log is too old, as policies/privacy.yaml says: whole events, and text within what is kept longer.

`forgetting.expire` rewrites the lake by this. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from runner.events import manifest
from runner.events.schema import Kind


@dataclass(frozen=True, slots=True)
class Ages:
    """How old what may become, in seconds."""

    facts: float
    content: float
    feedback: float


class Expiry:
    """What of the log is too old; `removed` counts what changes took away."""

    _TEXTS: Mapping[Kind, str] = {
        Kind.SHADOW: "gen_ai.output.messages",
        Kind.SAMPLE: "loop.sample.evidence",
    }
    """Facts that hold text, which goes before they do."""
    _FEEDBACK = frozenset({Kind.FEEDBACK, Kind.VOTE, Kind.LABEL})

    def __init__(self, now_us: int, ages: Ages) -> None:
        """`now_us` is in microseconds since 1970 UTC."""
        self.now_us = now_us
        self.removed: Counter[str] = Counter()
        facts, content, feedback = (
            now_us - round(seconds * 1e6) for seconds in (ages.facts, ages.content, ages.feedback)
        )
        self._before = {kind: feedback if kind in self._FEEDBACK else facts for kind in Kind}
        self._before[Kind.CONTENT] = content
        self._texts_before = content

    def touches(self, part: manifest.Part) -> bool:
        """Return whether a part may hold something that is too old."""
        bound = self._texts_before if part.kind in self._TEXTS else 0
        return part.first_us < max(bound, self._before[part.kind])

    def change(self, kind: Kind, table: pa.Table) -> pa.Table:
        """Return a table without what is too old."""
        young = pc.greater_equal(table["event.time"], self._before[kind])
        kept = table if pc.all(young).as_py() else table.filter(young)
        self.removed.update({kind.value: table.num_rows - kept.num_rows})
        column = self._TEXTS.get(kind)
        return kept if column is None else self._without_text(kind, kept, column)

    def _without_text(self, kind: Kind, table: pa.Table, column: str) -> pa.Table:
        if column not in table.column_names:
            return table
        old = pc.and_(pc.less(table["event.time"], self._texts_before), pc.is_valid(table[column]))
        if not pc.any(old).as_py():
            return table
        self.removed.update({f"text of {kind.value}": pc.sum(old).as_py()})
        blank = pc.if_else(old, pa.scalar(None, table[column].type), table[column])
        return table.set_column(table.column_names.index(column), column, blank)
