"""How the replicas are: polled, learnt from what requests met, and put in order for the next request.

A broken line is the replica's fault; a 5xx, a missing adapter or a late answer may be the adapter's, so it
counts for that version on that replica only, and one bad adapter never takes a replica from the others.
Health orders, it never forbids: where nothing better is left, an ailing replica is tried.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

FAILURES = 3  # in a row, before a version on a replica is left in peace
REST_S = 5.0  # for so long, then one request tries it again
POLLS = 2  # failed in a row, before a replica counts as down
NO_REPLICA = "no_replica"
"""Stands in events where there was nothing to try."""


class Failure(StrEnum):
    """Why an attempt gave no answer; the values stand in events as `error.type`."""

    CONNECTION = "replica_unreachable"
    TIMEOUT = "first_byte_timeout"
    ENGINE = "engine_error"
    MISSING = "adapter_missing"
    OVERLOADED = "engine_overloaded"
    MALFORMED = "malformed_answer"


@dataclass(slots=True)
class _Pair:
    """One version on one replica."""

    failures: int = 0
    resting_until: float = 0.0
    last: str = ""
    """Why the latest attempt failed."""


@dataclass(slots=True)
class Replica:
    """One engine. `healthy` is None before the first poll."""

    url: str
    healthy: bool | None = None
    reason: str = "not asked yet"
    in_flight: int = 0
    failed_polls: int = 0
    pairs: dict[str, _Pair] = field(default_factory=dict)

    def usable(self, served: str, now: float) -> bool:
        """Whether a request for a version should go here."""
        pair = self.pairs.get(served)
        return self.healthy is not False and (pair is None or now >= pair.resting_until)


class Replicas:
    """All replicas of the table in force, and how many requests may still use each version."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.by_url: dict[str, Replica] = {}
        self.in_flight: Counter[str] = Counter()
        """Served name -> requests that are using it or may fall back to it."""

    def expect(self, urls: Iterable[str]) -> None:
        """Know exactly these replicas from now on; what is known of the ones that stay is kept."""
        self.by_url = {url: self.by_url.get(url) or Replica(url) for url in sorted(set(urls))}

    def hold(self, served: Iterable[str]) -> None:
        """Say that a request may use these versions until it releases them."""
        for name in served:
            self.in_flight[name] += 1

    def release(self, served: Iterable[str]) -> None:
        """Undo `hold`."""
        for name in served:
            self.in_flight[name] -= 1
            if not self.in_flight[name]:
                del self.in_flight[name]

    def usable(self, served: str, urls: Iterable[str]) -> list[Replica]:
        """Return the replicas that should be tried for a version, least loaded first."""
        now = self._monotonic()
        known = (self.by_url.get(url) for url in urls)
        return sorted((r for r in known if r and r.usable(served, now)), key=lambda r: r.in_flight)

    def last_resort(self, served: str, urls: Iterable[str]) -> list[Replica]:
        """Return the other replicas, which ail: those that are up first."""
        now = self._monotonic()
        known = (self.by_url.get(url) for url in urls)
        ailing = [r for r in known if r and not r.usable(served, now)]
        return sorted(ailing, key=lambda r: (r.healthy is False, r.in_flight))

    def why_unusable(self, served: str, urls: Iterable[str]) -> str:
        """Return why a version is not even tried: what put its replicas to rest, or that it has none."""
        for url in urls:
            replica = self.by_url.get(url)
            if replica is not None and replica.healthy is False:
                return Failure.CONNECTION.value
            if replica is not None and (pair := replica.pairs.get(served)):
                return pair.last
        return NO_REPLICA

    def succeeded(self, replica: Replica, served: str) -> None:
        """Learn that a request was answered."""
        if replica.healthy is not True:
            replica.healthy, replica.reason, replica.failed_polls = True, "", 0
        replica.pairs.pop(served, None)

    def failed(self, replica: Replica, served: str, failure: Failure) -> None:
        """Learn that a request was not answered."""
        if failure is Failure.CONNECTION:
            replica.healthy, replica.reason = False, "a connection failed"
        else:
            self.failed_alone(replica, served, failure)

    def failed_alone(self, replica: Replica, served: str, failure: Failure) -> None:
        """Learn that a version failed on a replica, whatever the failure, without a word on the replica itself."""
        pair = replica.pairs.setdefault(served, _Pair())
        pair.failures, pair.last = pair.failures + 1, failure.value
        at_once = failure in (Failure.MISSING, Failure.TIMEOUT)
        if at_once or pair.failures >= FAILURES:
            pair.resting_until = self._monotonic() + REST_S

    def polled(self, replica: Replica, trouble: str | None) -> None:
        """Learn the result of a poll: None is health."""
        if trouble is None:
            replica.healthy, replica.reason, replica.failed_polls = True, "", 0
            return
        replica.failed_polls += 1
        replica.reason = trouble
        if replica.failed_polls >= POLLS or replica.healthy is None:
            replica.healthy = False

    @property
    def any_healthy(self) -> bool:
        """Whether at least one replica answered its last poll."""
        return any(replica.healthy for replica in self.by_url.values())


async def poll_forever(
    replicas: Replicas, ask: Callable[[str], Awaitable[str | None]], interval_s: float, changed: asyncio.Event
) -> None:
    """Poll all replicas at the same time, every `interval_s` seconds and whenever the table changed."""
    while True:
        polled = list(replicas.by_url.values())
        for replica, trouble in zip(polled, await asyncio.gather(*(ask(r.url) for r in polled)), strict=True):
            replicas.polled(replica, trouble)
        try:
            await asyncio.wait_for(changed.wait(), interval_s)
        except TimeoutError:
            continue
        changed.clear()
