"""Asking every system at the same time what it is, with a limit on each. Called by `loop` at every pass.

Whatever does not answer in time becomes `Unknown(reason)`; one slow system delays nothing but itself, and the
whole observation takes no longer than the limit. It changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from runner.errors import LoopError, Unknown
from runner.reconcile.observed import GatewayView, Memory, Observed, Replica, ServedModel
from runner.reconcile.ports import Engine, World

T = TypeVar("T")
SECONDS = 2.0
DISCOVERY = "discovery"
"""Stands for all replicas while their addresses cannot be found."""


async def observe(world: World, memory: Memory, now: float, seconds: float = SECONDS) -> Observed:
    """Return one observation; no system is waited for longer than `seconds`."""
    replicas, gateways, placed, data, holding = await asyncio.gather(
        _replicas(world, seconds),
        _gateways(world, seconds),
        answer(asyncio.to_thread(world.store.placed), seconds),
        answer(asyncio.to_thread(world.data), seconds),
        answer(asyncio.to_thread(world.signals, now), seconds),
    )
    if DISCOVERY in replicas:
        replicas |= _last_known(replicas, gateways, memory)
    # Signals may stop and never start anything: where they cannot be read, they say nothing.
    waits = () if isinstance(holding, Unknown) else holding
    return Observed(now, world.store.path, replicas, gateways, placed, data, memory, holding=waits)


async def answer(question: Awaitable[T], seconds: float) -> T | Unknown:
    """Return the answer, or Unknown with the reason where it fails or does not come within `seconds`."""
    try:
        return await asyncio.wait_for(question, seconds)
    except TimeoutError:
        return Unknown(f"no answer within {seconds:g} s")
    except LoopError as error:
        return Unknown(error.diagnostics[0].summary)
    except OSError as error:
        return Unknown(f"{type(error).__name__}: {error}")


async def _replicas(world: World, seconds: float) -> dict[str, Replica | Unknown]:
    urls = await answer(world.discover(), seconds)
    if isinstance(urls, Unknown):
        return {DISCOVERY: urls}
    found = await asyncio.gather(*(answer(_replica(world.engine(url)), seconds) for url in urls))
    return dict(zip(urls, found, strict=True))


async def _replica(engine: Engine) -> Replica | Unknown:
    models, version, instance, _ = await asyncio.gather(
        engine.models(), engine.version(), engine.instance(), engine.health()
    )
    if instance is None:
        # Without it a restart could not be seen, and what was verified on the old process would be trusted.
        return Unknown("it does not say which process it is (no process_start_time_seconds in /metrics)")
    return Replica(instance, tuple(ServedModel(m.name, m.root, m.parent) for m in models), version)


async def _gateways(world: World, seconds: float) -> dict[str, GatewayView | Unknown]:
    urls = list(world.gateways)
    views = await asyncio.gather(*(answer(world.gateways[url].view(), seconds) for url in urls))
    return dict(zip(urls, views, strict=True))


def _last_known(
    replicas: dict[str, Replica | Unknown], gateways: dict[str, GatewayView | Unknown], memory: Memory
) -> dict[str, Replica | Unknown]:
    """Return the replicas known before: that they cannot be looked up does not mean that they are gone."""
    views = [view for view in gateways.values() if isinstance(view, GatewayView)]
    routed = {url for view in views for urls in view.table.replicas.values() for url in urls}
    return dict.fromkeys(sorted(routed | {url for url, _ in memory.verified}), replicas[DISCOVERY])
