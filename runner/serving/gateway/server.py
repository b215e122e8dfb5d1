"""Puts a gateway together and runs it: two listeners in one event loop, until SIGTERM or SIGINT.

Stopping means: no new connections, requests in flight end, segments are completed. A second signal ends it at
once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import uvicorn

from runner.errors import terminal
from runner.events.writer import OS_DISK, Disk, LogUnwritable, Rotation
from runner.listening import listening, url
from runner.serving.gateway import applications
from runner.serving.gateway.book import RouteBook
from runner.serving.gateway.callers import Callers, KeyedHash, RateLimit, read_secret
from runner.serving.gateway.completions import Completions
from runner.serving.gateway.config import GatewayConfig
from runner.serving.gateway.connections import (
    ADMIN_CONNECTIONS,
    Door,
    budget,
    descriptors,
    raise_descriptors,
)
from runner.serving.gateway.engine import READ_BYTES, Engine
from runner.serving.gateway.feedback import Feedback
from runner.serving.gateway.front import Front, Sources, Upstream
from runner.serving.gateway.labels import Labels
from runner.serving.gateway.log import EventLog
from runner.serving.gateway.metrics import Live, Metrics
from runner.serving.gateway.privacy import Privacy
from runner.serving.gateway.protocol import Protocol
from runner.serving.gateway.replicas import Replicas, poll_forever
from runner.serving.gateway.shadow import Shadows
from runner.serving.gateway.votes import Votes

KEEP_ALIVE_S = 4.0
"""vLLM closes a connection that was idle for 5 s; ours go before that, so that none dies under a request."""

Ready = Callable[[str, str, Callable[[], None]], None]
"""Told once both listeners are open: the public URL, the admin URL, and the function that stops."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where connections come in."""

    public: Door
    admin: Door


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway that is put together and not yet listening."""

    public: applications.Application
    admin: applications.Application
    doors: Doors
    front: Front
    upstream: Upstream
    shadows: Shadows
    table_changed: asyncio.Event


def system_sources() -> Sources:
    """Return the real clocks and ids."""
    return Sources(lambda: time.time_ns() // 1000, time.perf_counter, lambda: secrets.token_hex(16))


def assemble(
    config: GatewayConfig,
    session: aiohttp.ClientSession,
    sources: Sources,
    doors: Doors,
    disk: Disk = OS_DISK,
) -> Parts:
    """Put a gateway together. Raises TerminalError where its own files cannot be read or made."""
    front = _front(config, sources, disk)
    upstream = _upstream(config, session, sources)
    table_changed = asyncio.Event()

    def follow_table() -> None:
        upstream.replicas.expect(url for urls in upstream.book.table.replicas.values() for url in urls)
        table_changed.set()

    follow_table()
    live = Live(
        events=front.log.written,
        faults=doors.public.faults,
        lost=lambda: front.log.lost,
        healthy=lambda: {url: bool(r.healthy) for url, r in upstream.replicas.by_url.items()},
        generation=lambda: upstream.book.table.generation,
        in_flight=lambda: completions.in_flight,
        connections=lambda: doors.public.open,
    )
    metrics = Metrics(live)
    shadows = Shadows(front, upstream, metrics)
    completions = Completions(front, upstream, metrics, shadows)
    operations = applications.Operations(upstream.book, upstream.replicas, front.log, metrics)
    facts = _facts(config, sources)
    entrance = applications.Entrance(front, metrics)
    created = facts["started_at"] // 1_000_000
    users = applications.Public(entrance, upstream.book, front.hashed, created)
    desks = applications.Desks(Feedback(front), Votes(front), Labels(front))
    runner = applications.Admin(upstream, front.log, facts, follow_table)
    return Parts(
        public=users.application(operations, completions, desks),
        admin=runner.application(operations),
        doors=doors,
        front=front,
        upstream=upstream,
        shadows=shadows,
        table_changed=table_changed,
    )


def _facts(config: GatewayConfig, sources: Sources) -> dict[str, Any]:
    """Return what a gateway says of itself for as long as it lives."""
    return {
        "instance": sources.fresh_id(),
        "pid": os.getpid(),
        "environment": config.environment,
        "started_at": sources.wall_us(),
    }


def _front(config: GatewayConfig, sources: Sources, disk: Disk) -> Front:
    try:
        config.events_directory.mkdir(parents=True, exist_ok=True)
        secret = read_secret(config.user_hash_key_file)
    except (OSError, ValueError) as error:
        summary = f"the gateway cannot use its state directory '{config.state_dir}'"
        raise terminal(summary, str(error)) from error
    rotation = Rotation(config.segment_bytes, config.segment_age_s)
    return Front(
        config=config,
        callers=Callers(config),
        rate=RateLimit(config.limits.requests_per_minute, sources.monotonic),
        unknown=RateLimit(config.transport.unknown_per_minute, sources.monotonic),
        hashed=KeyedHash(secret),
        privacy=Privacy(config.content),
        log=EventLog(config.events_directory, sources.wall_us, rotation, config.commit_interval_s, disk),
        sources=sources,
    )


def _upstream(config: GatewayConfig, session: aiohttp.ClientSession, sources: Sources) -> Upstream:
    book = RouteBook(config.routes_file, config.aliases, config.pinning_groups)
    if trouble := book.load():
        print(f"gateway: {trouble}", file=sys.stderr, flush=True)
    engine = Engine(session, _upstream_key(config), sources.monotonic)
    return Upstream(book, Replicas(sources.monotonic), engine)


def _upstream_key(config: GatewayConfig) -> str | None:
    if config.upstream_key_env is None:
        return None
    key = os.environ.get(config.upstream_key_env)
    if not key:
        raise terminal(
            f"environment variable '{config.upstream_key_env}' is empty",
            fix="set it to the key that the replicas ask for",
        )
    return key


async def run(config: GatewayConfig) -> None:
    """Serve until a signal. Raises TerminalError where an address or a file is not to be had."""

    def ready(public: str, admin: str, stop: Callable[[], None]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        print(f"gateway: serving on {public}, admin on {admin}", flush=True)

    raise_descriptors()
    await serve(config, ready, system_sources())


async def serve(config: GatewayConfig, ready: Ready, sources: Sources, disk: Disk = OS_DISK) -> None:
    """Serve until the function that `ready` was given is called. Raises TerminalError."""
    share = budget(config, descriptors())
    doors = Doors(Door(share.public, share.backlog), Door(ADMIN_CONNECTIONS, spare=0))
    with contextlib.ExitStack() as stack:
        public = stack.enter_context(listening(config.listen, share.backlog))
        admin = stack.enter_context(listening(config.admin, share.backlog))
        async with _session() as session:
            parts = assemble(config, session, sources, doors, disk)
            await parts.front.log.probe()
            servers = [
                _Server(_uvicorn(parts.public, doors.public, config, share.backlog)),
                _Server(_uvicorn(parts.admin, doors.admin, config, share.backlog)),
            ]
            tasks = _background(parts, config)
            ready(url(public), url(admin), lambda: _stop(servers))
            try:
                await asyncio.gather(servers[0].serve(sockets=[public]), servers[1].serve(sockets=[admin]))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                _close(parts.front)


def _background(parts: Parts, config: GatewayConfig) -> list[asyncio.Task[None]]:
    replicas, ask = parts.upstream.replicas, parts.upstream.engine.health
    polling = poll_forever(replicas, ask, config.health_interval_s, parts.table_changed)
    endless = (parts.front.log.tend(), polling, parts.shadows.run())
    return [asyncio.create_task(each) for each in endless]


def _stop(servers: list[_Server]) -> None:
    for server in servers:
        server.force_exit = server.should_exit
        server.should_exit = True


def _close(front: Front) -> None:
    front.privacy.close()
    try:
        front.log.close()
    except LogUnwritable as error:
        print(f"gateway: {error}", file=sys.stderr, flush=True)


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=30)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, connect=5.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=READ_BYTES,
    )


class _Server(uvicorn.Server):
    """Leaves signals to `run`, which stops both listeners."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _uvicorn(
    application: applications.Application, door: Door, config: GatewayConfig, backlog: int
) -> uvicorn.Config:
    # uvicorn only ever calls it
    speak = cast("type[asyncio.Protocol]", functools.partial(Protocol, door, config.transport))
    return uvicorn.Config(
        application,
        http=speak,
        backlog=backlog,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(config.limits.total_timeout_s) + 1,
    )
