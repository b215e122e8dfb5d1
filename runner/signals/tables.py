"""Tables of what was seen lately, bounded so that a follower of events never grows without end. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Key -> value for the `limit` keys that were put in last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rows: OrderedDict[str, Value] = OrderedDict()

    def put(self, key: str, value: Value) -> None:
        """Remember a value; the oldest is forgotten where there are too many."""
        self._rows[key] = value
        if len(self._rows) > self._limit:
            self._rows.popitem(last=False)

    def get(self, key: str) -> Value | None:
        """Return what is remembered."""
        return self._rows.get(key)

    def pop(self, key: str) -> Value | None:
        """Return what is remembered, and forget it."""
        return self._rows.pop(key, None)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def items(self) -> Iterator[tuple[str, Value]]:
        """Yield keys and values, the oldest first."""
        yield from self._rows.items()
