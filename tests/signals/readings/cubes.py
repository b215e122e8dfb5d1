"""Cube rows for tests: a table of what was counted, by the hour."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("hour", pa.int64()),
        ("arm", pa.string()),
        ("version", pa.string()),
        ("segment", pa.string()),
        ("measure", pa.string()),
        ("bucket", pa.int64()),
        ("n", pa.int64()),
        ("total", pa.float64()),
        ("squares", pa.float64()),
        ("peak", pa.float64()),
    ]
)


def row(measure: str, n: int, total: float = 0.0, **also: Any) -> dict[str, Any]:
    """Return one row of hour 0 of the baseline `v1`, group public; `also` overrides."""
    return {
        "hour": 0,
        "arm": "baseline",
        "version": "v1",
        "segment": "public",
        "measure": measure,
        "bucket": None,
        "n": n,
        "total": float(total),
        "squares": float(total),
        "peak": None,
        **also,
    }


def cube(*rows: dict[str, Any]) -> pa.Table:
    """Return rows as a table."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
