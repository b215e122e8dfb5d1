"""What the endpoints share: the side that users see, and the way upstream; made once by `server`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.serving.gateway.book import RouteBook
from runner.serving.gateway.callers import Callers, KeyedHash, RateLimit
from runner.serving.gateway.config import GatewayConfig
from runner.serving.gateway.engine import Engine
from runner.serving.gateway.log import EventLog
from runner.serving.gateway.privacy import Privacy
from runner.serving.gateway.replicas import Replicas


@dataclass(frozen=True, slots=True)
class Sources:
    """Where time and identity come from: microseconds since 1970, monotonic seconds, fresh unique texts."""

    wall_us: Callable[[], int]
    monotonic: Callable[[], float]
    fresh_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Front:
    """What every endpoint that users reach needs."""

    config: GatewayConfig
    callers: Callers
    rate: RateLimit
    unknown: RateLimit
    """Of addresses from which somebody calls without a valid key."""
    hashed: KeyedHash
    log: EventLog
    privacy: Privacy
    sources: Sources


@dataclass(frozen=True, slots=True)
class Upstream:
    """The table in force, the replicas that it names, and the way to them."""

    book: RouteBook
    replicas: Replicas
    engine: Engine
