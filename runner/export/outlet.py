"""A queue before an OpenTelemetry receiver, emptied by a thread of its own, so that measuring never waits for it.

What the receiver does not take stays first in the queue and is tried again, ever more rarely; a full queue takes
nothing more. The caller keeps the cursor: it saves `delivered` and, after a crash or a full queue, reads on from
there. So nothing is lost while the event log has it, and at most one batch is sent twice, with the same ids.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from runner.errors import TransientError, transient
from runner.export.receiver import Answer, Message, Receiver, Signal

CAPACITY: Final = 16
BATCH: Final = 512
"""Events in one message: about 300 KiB, well below what receivers take by default."""
RETRY_S: Final = (1.0, 60.0)
"""First and longest wait before the same message is sent again."""
LATE_US: Final = 15 * 60 * 1_000_000
"""How much earlier than the newest an event may have begun: longer than any request may take."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What was exported: all that began before `since_us`, and of what began later the events in `seen`.

    An event is written when its request ends and carries the time at which it began, so that a time alone would
    leave out the slow ones. `seen` maps an event's id to its time and stays as small as a quarter of an hour.
    """

    since_us: int
    seen: Mapping[str, int] = field(default_factory=dict)

    def fresh(self, events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the events that were not exported yet, each once, oldest first."""
        found = {
            event["event.id"]: event
            for event in events
            if event["event.time"] >= self.since_us and event["event.id"] not in self.seen
        }
        return sorted(found.values(), key=lambda event: (event["event.time"], event["event.id"]))

    def after(self, events: Iterable[Mapping[str, Any]], now_us: int) -> Self:
        """Return the cursor when these are exported too.

        `now_us` is the time of the caller. An event from later than that (a clock that jumped) moves the cursor no
        further: all that comes until then would be taken for exported.
        """
        came = {event["event.id"]: event["event.time"] for event in events}
        since = max(self.since_us, max((at for at in came.values() if at <= now_us), default=0) - LATE_US)
        seen = {**self.seen, **came}
        return type(self)(since, {name: at for name, at in seen.items() if at >= since})

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back exactly."""
        return {"since_us": self.since_us, "seen": dict(self.seen)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote; KeyError, TypeError or ValueError where it is something else."""
        return cls(int(document["since_us"]), {str(key): int(at) for key, at in document["seen"].items()})


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Message
    cursor: Cursor | None


class Outlet:
    """One kind of telemetry to one receiver; kinds do not wait for each other, since many receivers take one only."""

    def __init__(
        self,
        receiver: Receiver,
        signal: Signal,
        capacity: int = CAPACITY,
        retry_s: tuple[float, float] = RETRY_S,
    ) -> None:
        self._receiver, self._signal = receiver, signal
        self._capacity, self._retry_s = capacity, retry_s
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closing = self._left = False
        self._delivered: Cursor | None = None
        self._trouble: TransientError | None = None
        self._refused, self._reason = 0, ""
        self._thread = threading.Thread(target=self._run, name=f"otlp-{signal.value}", daemon=True)
        self._thread.start()

    @property
    def delivered(self) -> Cursor | None:
        """The cursor of the last message that was taken or refused for good; None before the first."""
        with self._changed:
            return self._delivered

    @property
    def trouble(self) -> TransientError | None:
        """Why nothing is taken at the moment; None while all is well."""
        with self._changed:
            return self._trouble

    @property
    def refused(self) -> tuple[int, str]:
        """How many items the receiver refused for good since the start, and its last reason."""
        with self._changed:
            return self._refused, self._reason

    def offer(self, message: Message, cursor: Cursor | None = None) -> bool:
        """Queue a message and return at once: True if there was room. Otherwise offer it again later."""
        with self._changed:
            if self._closing or len(self._queue) >= self._capacity:
                return False
            self._queue.append(_Waiting(message, cursor))
            self._changed.notify_all()
            return True

    def drain(self, seconds: float) -> bool:
        """Wait until the queue is empty, `seconds` at most; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, seconds)

    def close(self, seconds: float = 5.0) -> bool:
        """Take no more, send what waits, `seconds` at most, and end; return whether everything went."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        emptied = self.drain(seconds)
        with self._changed:
            self._left = True
            self._changed.notify_all()
        return emptied

    def _run(self) -> None:
        wait, longest = self._retry_s
        while (first := self._next()) is not None:
            try:
                self._settle(first, self._receiver.send(self._signal, first.message))
                wait = self._retry_s[0]
            except Exception as error:  # whatever it is: a thread that ended in silence would stop the export
                self._suffer(error, wait)
                wait = min(2 * wait, longest)

    def _suffer(self, error: Exception, wait: float) -> None:
        """Note why a message did not go, and wait before the next try, or until the outlet is left."""
        if not isinstance(error, TransientError):
            error = transient("a message could not be sent", f"{type(error).__name__}: {error}")
        with self._changed:
            self._trouble = error
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._left, wait)

    def _next(self) -> _Waiting | None:
        """Wait for a message; None when the outlet is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            return None if self._left or not self._queue else self._queue[0]

    def _settle(self, sent: _Waiting, answer: Answer) -> None:
        with self._changed:
            self._queue.popleft()
            self._trouble = None
            self._refused += answer.refused
            self._reason = answer.reason or self._reason
            if sent.cursor is not None:
                self._delivered = sent.cursor
            self._changed.notify_all()


def close_all(outlets: Iterable[Outlet], seconds: float) -> bool:
    """Close them all within `seconds` together; return whether everything went."""
    until = time.monotonic() + seconds
    emptied = [outlet.close(max(0.0, until - time.monotonic())) for outlet in outlets]
    return all(emptied)
