"""How many connections a listener holds, within the file descriptors that the process may open.

Used by `server`, which budgets them, and by `protocol`, which counts each connection in and out. The public
listener never gets so many that the runner, the event log and the way to the replicas are left without
(invariant 6: a rollback needs the admin listener).
"""

from __future__ import annotations

import resource
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from runner.serving.gateway.config import GatewayConfig

ADMIN_CONNECTIONS = 64
OWN_DESCRIPTORS = 64
"""Listeners, event segments, the loop's own, files that are open for a moment, questions after health."""
BACKLOG = 1024


class Fault(StrEnum):
    """What was wrong with a connection before there was a request on it."""

    MALFORMED = "malformed_http"
    HEADERS_TOO_LARGE = "headers_too_large"
    HEADERS_LATE = "headers_late"
    NEVER_ASKED = "never_asked"
    TOO_MANY = "too_many_connections"
    UPGRADE_IGNORED = "upgrade_ignored"


@dataclass(frozen=True, slots=True)
class Budget:
    """Counts: connections of the public listener, and those that may wait in each listener's queue."""

    public: int
    backlog: int


class Door:
    """One listener's connections: at most `limit` are served, at most `spare` more are told why not."""

    def __init__(self, limit: int, spare: int) -> None:
        self.limit, self.spare = limit, spare
        self.open = 0
        self.faults: Counter[Fault] = Counter()

    @property
    def is_overfull(self) -> bool:
        """Whether more are open than are served."""
        return self.open > self.limit

    @property
    def may_linger(self) -> bool:
        """Whether a connection that was turned away may stay until the client has read why."""
        return self.open <= self.limit + self.spare


def budget(config: GatewayConfig, descriptors: int) -> Budget:
    """Share out file descriptors.

    A request holds one descriptor of its client and one to a replica, and as many again may idle to replicas.
    The queue is reckoned twice: it may be accepted at one stroke, on top of those who are being turned away.
    """
    backlog = max(8, min(BACKLOG, descriptors // 8))
    left = max(descriptors - OWN_DESCRIPTORS - ADMIN_CONNECTIONS - 2 * backlog, descriptors // 4)
    fitting = max(left - 2 * config.limits.in_flight, left // 3, 1)
    return Budget(min(config.transport.connections, fitting), backlog)


def descriptors() -> int:
    """Return how many file descriptors this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**20 if soft == resource.RLIM_INFINITY else soft


def raise_descriptors() -> None:
    """Raise this process's limit as far as it may itself; it stays as it is where that is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return  # the budget is made from what is there
