"""A data set's file as a table that Great Expectations can check, beside it what it has no expectation for.

Besides the columns of the file it has derived ones, named so that no file has them: the type of every value as
`spec.dataset.ColumnType` names types, and how many rows a row's category has. Reads one file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.spec.dataset import ColumnType, DatasetFile

if TYPE_CHECKING:
    import pandas as pd

READABLE = "(a row)"
"""Column that says of every line of the file whether it is a JSON object."""
OF_CATEGORY = "(rows of its category)"
ABSENT = "absent"
_TYPES: Mapping[type, str] = {
    type(None): ABSENT,
    bool: ColumnType.BOOL,
    int: ColumnType.WHOLE,
    float: ColumnType.REAL,
    str: ColumnType.TEXT,
    dict: ColumnType.RECORD,
}
_ROLES = frozenset({"system", "user", "assistant", "tool"})


def type_column(column: str) -> str:
    """Return the name of the column that holds the types of a column's values."""
    return f"(type of {column})"


@dataclass(frozen=True, slots=True)
class Rows:
    """The lines of a file; `broken` are the numbers (from 1) of those that are no JSON object."""

    rows: tuple[Mapping[str, Any], ...]
    broken: tuple[int, ...]

    @property
    def categories(self) -> dict[str, int]:
        """Category -> rows, of rows that have one."""
        named = (row.get("category") for row in self.rows)
        return dict(sorted(Counter(each for each in named if isinstance(each, str)).items()))


def read(path: Path) -> Rows:
    """Return the rows of a file of JSON lines; empty lines are none. Raises OSError."""
    rows: list[Mapping[str, Any]] = []
    broken: list[int] = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken.append(number)
    return Rows(tuple(rows), tuple(broken))


def frame(found: Rows, dataset: DatasetFile) -> pd.DataFrame:
    """Return the table: the declared columns, their types, the size of each row's category, and broken lines."""
    import pandas as pd

    counts = found.categories
    columns: dict[str, Sequence[Any]] = {}
    for column in dataset.schema_:
        values = [row.get(column) for row in found.rows]
        columns[column] = [_plain(value) for value in values]
        columns[type_column(column)] = [type_of(value) for value in values]
    columns[OF_CATEGORY] = [counts.get(str(row.get("category")), 0) for row in found.rows]
    columns[READABLE] = [True] * len(found.rows)
    table = pd.DataFrame(columns)
    if not found.broken:
        return table
    return pd.concat([table, pd.DataFrame({READABLE: [False] * len(found.broken)})], ignore_index=True)


def type_of(value: Any) -> str:
    """Return a value's type in the words of a schema; a list of messages is `messages`, whole numbers are `whole`."""
    if isinstance(value, list):
        return _type_of_list(value)
    return _TYPES.get(type(value), "something else")


def _type_of_list(value: list[Any]) -> str:
    if value and all(map(_is_message, value)):
        return ColumnType.MESSAGES
    return ColumnType.TEXTS if all(isinstance(each, str) for each in value) else "list"


def fits(declared: ColumnType) -> tuple[str, ...]:
    """Return the types of values that a declared type takes."""
    return (ColumnType.REAL, ColumnType.WHOLE) if declared is ColumnType.REAL else (declared,)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and value.get("role") in _ROLES and isinstance(value.get("content"), str)


def _plain(value: Any) -> Any:
    """Return a value that can be compared and counted: lists and records as their JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
