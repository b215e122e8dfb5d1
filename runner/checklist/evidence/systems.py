"""What the live systems say: the monitor's page and the admin side of every gateway. Waits for none of them long.

Called by `gather`. What does not answer, or answers something else, is `Unknown` with the reason.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import TypeVar

import aiohttp
from pydantic import TypeAdapter, ValidationError

from runner.checklist.facts import Gateway, Page
from runner.errors import Unknown, terminal, transient
from runner.reconcile.observe import answer
from runner.serving.gateway_client import GatewayClient, GatewayState
from runner.signals.reading import Snapshot
from runner.spec.environment import Environment

SECONDS = 3.0
"""The longest that one system is waited for."""
LARGEST = 32 * 1024 * 1024
"""Bytes of an answer that are read."""
_FAMILY = re.compile(r"^# TYPE (loop_\w+) ", re.MULTILINE)
_LOST = re.compile(r"^loop_gateway_events_lost_total\{[^}]*\} (\S+)$", re.MULTILINE)
T = TypeVar("T")


def addresses(environment: Environment) -> tuple[str, ...]:
    """Return where the gateways' admin sides are."""
    own = environment.gateway
    return tuple(f"http://{admin}" for admin in (own.admin, *(each.admin for each in own.more)))


async def ask(environment: Environment) -> tuple[Page | Unknown | None, Mapping[str, Gateway | Unknown]]:
    """Return what the monitor and the gateways say, all asked at the same time."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        urls = addresses(environment)
        monitor, *found = await asyncio.gather(
            _monitor(session, environment), *(answer(_gateway(session, url), 2 * SECONDS) for url in urls)
        )
        gateways = [each for each in found if isinstance(each, Gateway | Unknown)]
        return monitor if isinstance(monitor, Page | Unknown) else None, dict(
            zip(urls, gateways, strict=True)
        )


async def _monitor(session: aiohttp.ClientSession, environment: Environment) -> Page | Unknown | None:
    if environment.monitor is None:
        return None
    url = f"http://{environment.monitor.listen}"
    return await answer(_page(session, url), 2 * SECONDS)


async def _page(session: aiohttp.ClientSession, url: str) -> Page:
    text, metrics = await asyncio.gather(
        _get(session, f"{url}/api/snapshot"), _get(session, f"{url}/metrics")
    )
    try:
        value = json.loads(text)
        given = value["snapshot"]
        snapshot = None if given is None else TypeAdapter(Snapshot).validate_python(given)
        return Page(
            url=url,
            environment=str(value["environment"]),
            runner=value["runner"]["pid"],
            at=None if snapshot is None else snapshot.at,
            stale=str(value["stale"]),
            readings=() if snapshot is None else snapshot.readings,
            drift=None if snapshot is None else snapshot.drift,
            weeks=() if snapshot is None else snapshot.weeks,
            exported=frozenset(_FAMILY.findall(metrics)),
        )
    except (KeyError, TypeError, ValueError, ValidationError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise terminal(f"what answers at {url} is no monitor of this version ({first})") from error


async def _gateway(session: aiohttp.ClientSession, url: str) -> Gateway:
    state, metrics = await asyncio.gather(
        GatewayClient(url, session, SECONDS).state(), _get(session, f"{url}/metrics")
    )
    baseline, candidate = _arms(state)
    return Gateway(
        url=url,
        started=state.started_at / 1e6,
        revision=state.table.revision,
        baseline=baseline,
        candidate=candidate,
        written=state.events,
        lost=round(sum(float(each) for each in _LOST.findall(metrics))),
        not_ready=state.not_ready,
    )


def _arms(state: GatewayState) -> tuple[str | None, str | None]:
    route = next(iter(state.table.routes), None)
    if route is None:
        return None, None
    return route.baseline.served, route.split.candidate.served if route.split else None


async def _get(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.get(url) as response:
            body = await response.content.read(LARGEST) if response.status == 200 else b""
            while (
                response.status == 200
                and len(body) < LARGEST
                and (more := await response.content.read(LARGEST))
            ):
                body += more
            if response.status != 200:
                raise transient(f"'GET {url}' was answered by {response.status}")
            return body.decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise transient(f"'GET {url}' was not answered ({type(error).__name__})") from error
