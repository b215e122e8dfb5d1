"""The gateway's event log: each kind of event in segments of its own, and whether it works.

No answer leaves the gateway that the log could not take (invariant 10): while the log is unwritable every
request is refused, and a probe finds out when the disk takes bytes again.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

from runner.events.schema import Kind
from runner.events.writer import OS_DISK, Disk, Event, GroupCommit, LogUnwritable, Rotation, SegmentWriter
from runner.serving.gateway.replies import ApiError

PROBE_BYTES = 4096
PROBE_INTERVAL_S = 1.0
KINDS = (Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK, Kind.SHADOW, Kind.VOTE, Kind.LABEL)
REMEMBERED = 50_000  # answers, about 15 MB: at 100 requests/s those of the last 8 minutes


class RecentAnswers:
    """Which user got which of the last answers, in memory: feedback on them can be told from made-up feedback."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._users: OrderedDict[str, str] = OrderedDict()

    def remember(self, response_id: str, user: str) -> None:
        """Keep who got an answer; the oldest is forgotten for it."""
        self._users[response_id] = user
        if len(self._users) > self._limit:
            self._users.popitem(last=False)

    def whose(self, response_id: str) -> str | None:
        """Return the keyed hash of the user who got an answer, or None where it is not known any more."""
        return self._users.get(response_id)


class EventLog:
    """Writes events; `trouble` says why it cannot, None while it can."""

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], int],
        rotation: Rotation,
        commit_interval_s: float,
        disk: Disk = OS_DISK,
    ) -> None:
        self.trouble: str | None = None
        self.written: Counter[str] = Counter()
        self.recent = RecentAnswers()
        self._directory, self._disk = directory, disk
        self._writers = {kind: SegmentWriter(directory, kind, clock, rotation, disk) for kind in KINDS}
        self._commit = GroupCommit(tuple(self._writers.values()), commit_interval_s, self._failed)

    @property
    def lost(self) -> dict[str, int]:
        """Durable events that went with segments which somebody deleted under the gateway, by kind."""
        return {kind.value: writer.lost for kind, writer in self._writers.items()}

    def check(self) -> None:
        """Raise ApiError 503 where events cannot be written."""
        if self.trouble is not None:
            raise _unwritable()

    def write(self, kind: Kind, *events: Event) -> None:
        """Hand events to the operating system, all of them or none. Raises ApiError 503."""
        try:
            self._writers[kind].append(*events)
        except LogUnwritable as error:
            self._failed(error)
            raise _unwritable() from error
        self.written[kind.value] += len(events)
        self._commit.request()

    async def durable(self, kind: Kind) -> None:
        """Return when all events of a kind are on the disk. Raises ApiError 503."""
        try:
            await self._commit.durable(self._writers[kind])
        except LogUnwritable as error:
            raise _unwritable() from error

    async def tend(self) -> None:
        """Complete segments that are due, and find out when an unwritable log ends; runs for ever."""
        while True:
            await asyncio.sleep(PROBE_INTERVAL_S)
            if self.trouble is not None:
                await self.probe()
            for writer in self._writers.values():
                if writer.is_due:
                    await self._try_sync(writer)

    async def probe(self) -> None:
        """Try the disk, and set `trouble` by what it says."""
        try:
            await asyncio.to_thread(self._write_probe)
        except OSError as error:
            self.trouble = (
                f"the event log in '{self._directory}' cannot be written: {error.strerror or error}"
            )
        else:
            self.trouble = None

    def close(self) -> None:
        """Complete all segments. Raises LogUnwritable."""
        for writer in self._writers.values():
            writer.close()

    async def _try_sync(self, writer: SegmentWriter) -> None:
        try:
            await asyncio.to_thread(writer.sync)
        except LogUnwritable as error:
            self._failed(error)

    def _write_probe(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f".probe-{os.getpid()}"
        path.unlink(missing_ok=True)
        descriptor = self._disk.create(path)
        try:
            if self._disk.write(descriptor, b"\0" * PROBE_BYTES) < PROBE_BYTES:
                raise OSError("the disk took only a part of a page")
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def _failed(self, error: LogUnwritable) -> None:
        self.trouble = error.diagnostics[0].summary


def _unwritable() -> ApiError:
    return ApiError(503, "event_log_unwritable", "requests cannot be logged now, so none is answered")
