"""Which rows of a data set no version was trained on yet. Pure; `loop decide` gathers what it reads.

Where the rows of an earlier training are here, ids are compared. Where they are not (their bytes are in no cache), rows
count as new from when somebody said what they are made of: after the end of the day of that training, UTC. A row that
nobody can date is neither, so that then nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta

from runner.economics import rounds


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a data set: its id, and the ids of what it was made of."""

    id: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """One training on an earlier state of the data set: when, and the ids of its rows, None where nobody has them."""

    trained: date
    ids: Set[str] | None


def count(rows: Sequence[Row], earlier: Sequence[Earlier], said: Mapping[str, float]) -> int | None:
    """Return how many rows were in no earlier training, None where that cannot be known.

    `said` is when a source was said, seconds since 1970.
    """
    seen = {id_ for each in earlier for id_ in each.ids or ()}
    blind = [each.trained for each in earlier if each.ids is None]
    left = [row for row in rows if row.id not in seen]
    if not blind or not left:
        return len(left)
    since = rounds.begin(max(blind) + timedelta(days=1))
    ages = [_said(row, said) for row in left]
    known = [each for each in ages if each is not None]
    return sum(each >= since for each in known) if len(known) == len(ages) else None


def _said(row: Row, said: Mapping[str, float]) -> float | None:
    """Return when the first word about a row was said; `ITEM/TASK` is what a reviewer said of an item."""
    times = [said[item] for source in row.sources if (item := source.partition("/")[0]) in said]
    return min(times, default=None)
