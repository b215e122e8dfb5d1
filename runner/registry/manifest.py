"""What training left of a run, `training.json`: read where it is whole, absent otherwise.

Called by `loop models` and by promotions, which show it. A version that was not made by `loop train` has none. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

FILE = "training.json"
FORMAT = 1
"""Of the file; another one is not read."""
_PARTS = {
    "recipe": (),
    "dataset": ("rows", "train", "held_out"),
    "machine": ("device", "precision"),
    "peak_mib": (),
}
"""What is shown of it: mappings with these keys."""
_GUARD = frozenset({"guard", "value", "limit", "verdict"})


def read(data: bytes | None, digest: str) -> Mapping[str, Any] | None:
    """Return the values of a manifest; None where there is none of these bytes, or it lacks what is shown of it."""
    try:
        value = json.loads(data) if data is not None else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or (value.get("format"), value.get("digest")) != (FORMAT, digest):
        return None
    return value if _is_whole(value) else None


def _is_whole(value: Mapping[str, Any]) -> bool:
    parts = all(
        isinstance(value.get(part), dict) and value[part].keys() >= set(keys) for part, keys in _PARTS.items()
    )
    guards = [each for name in ("proof", "guards") for each in _items(value.get(name))]
    return (
        parts
        and all(isinstance(each, dict) and each.keys() >= _GUARD for each in guards)
        and isinstance(value.get("steps"), int)
        and isinstance(value.get("seconds"), int | float)
    )


def _items(value: Any) -> list[Any]:
    """Return what a list holds; what is none holds something that is no reading of a guard."""
    return value if isinstance(value, list) else [None]
