"""Counts on the other side: is every request of a replay in the event log, and exactly once?

Called by the players while they play (a long replay outlives segments, which are compacted and removed) and
at its end. Reads only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from threading import Lock

from runner.errors import terminal
from runner.events.reader import EventReader, list_segments, read_chunk
from runner.events.schema import Kind
from runner.simulation.replay.result import LogCount


class Audit:
    """Follows the request events that are written from now on."""

    def __init__(self, directory: Path) -> None:
        """Begin where the log ends now. Raises TerminalError where there is no log."""
        if not directory.is_dir():
            raise terminal(
                f"there is no event log at '{directory}'",
                fix="start the gateway (`loop up`), or name the directory that its events are in",
            )
        self._lock = Lock()
        self._reader = EventReader(directory, Kind.REQUEST, _ends(directory))
        self._events: Counter[str] = Counter()
        self._fell_back: set[str] = set()
        self._damaged = 0

    def collect(self) -> None:
        """Take what was written since; threads may call it. Raises OSError."""
        with self._lock:
            batch = self._reader.read()
            self._damaged += len(batch.damaged)
            for event in batch.events:
                self._events[event["loop.request.id"]] += 1
                if event.get("loop.fell_back"):
                    self._fell_back.add(event["loop.request.id"])

    def misses(self, request_ids: Collection[str]) -> bool:
        """Say whether a request has no event yet."""
        return any(request_id not in self._events for request_id in request_ids)

    def count(self, acknowledged: Collection[str], unacknowledged: Collection[str]) -> LogCount:
        """Return the count for requests with these ids, of which the second ones never got an answer."""
        mine = {*acknowledged, *unacknowledged}
        return LogCount(
            found=sum(self._events[each] == 1 for each in mine),
            missing=tuple(sorted(each for each in set(acknowledged) if each not in self._events)),
            duplicate=tuple(sorted(each for each in mine if self._events[each] > 1)),
            unacknowledged=sum(each not in self._events for each in set(unacknowledged)),
            others=sum(count for each, count in self._events.items() if each not in mine),
            fell_back=len(self._fell_back & mine),
            damaged=self._damaged,
        )


def _ends(directory: Path) -> dict[str, int]:
    ends: dict[str, int] = {}
    for segment in list_segments(directory, Kind.REQUEST):
        chunk = read_chunk(segment)
        if chunk is not None:
            ends[segment.name] = chunk.end
    return ends
