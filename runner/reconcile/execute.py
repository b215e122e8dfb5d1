"""Doing one action and proving that it happened. Called by `apply`; decides nothing, writes no journal.

Each returns what it found, for the journal. Raises TerminalError or TransientError.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from runner.errors import terminal, transient
from runner.reconcile.actions import (
    Action,
    AdvanceStage,
    ConcludeRollout,
    DeleteFiles,
    LoadAdapter,
    NoteLanded,
    NotifyRollback,
    Outward,
    PlaceFiles,
    ProbeAdapter,
    PullData,
    RetireFiles,
    SwitchRoutes,
    UnloadAdapter,
    WriteRollback,
)
from runner.reconcile.observed import Observed
from runner.reconcile.ports import Scribe, World
from runner.reconcile.routing import serves

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """Where actions are done: the world, the observation beneath the plan, the generation to write."""

    world: World
    observed: Observed
    generation: int


async def execute(action: Action, site: Site) -> Result:  # noqa: PLR0911 - one return for each kind
    """Do one action, verify it, and return what is worth keeping of it."""
    world = site.world
    match action:
        case SwitchRoutes():
            return await _switch(action, site)
        case PullData():
            await asyncio.to_thread(world.pull, action.source)
            return {}
        case PlaceFiles():
            await asyncio.to_thread(world.store.place, action.served, action.source, action.digest)
            return {}
        case LoadAdapter():
            return await _load(action, site)
        case ProbeAdapter():
            return await _probe(action, site)
        case UnloadAdapter():
            return await _unload(action, site)
        case RetireFiles() | NoteLanded():
            return {}
        case WriteRollback() | AdvanceStage() | ConcludeRollout() | NotifyRollback():
            return await _write(action, world.scribe)
        case DeleteFiles():
            await asyncio.to_thread(world.store.remove, action.served)
            return {}
        case _:
            assert_never(action)


async def _write(action: Outward, scribe: Scribe) -> Result:
    match action:
        case WriteRollback():
            return await scribe.roll_back(action.rollback, action.by_pull_request)
        case AdvanceStage():
            return await scribe.advance(action)
        case ConcludeRollout():
            return await scribe.conclude(action)
        case NotifyRollback():
            return await scribe.notify(action.rollback)


async def _switch(action: SwitchRoutes, site: Site) -> Result:
    gateway = site.world.gateways[action.gateway]
    await gateway.put(replace(action.table, generation=site.generation))
    now = (await gateway.view()).table
    if serves(now) != serves(action.table):
        text = f"generation {now.generation} is in force, {site.generation} was written"
        raise transient(f"gateway {action.gateway} does not obey the table that it took", text)
    return {"generation": now.generation}


async def _load(action: LoadAdapter, site: Site) -> Result:
    if not await asyncio.to_thread(site.world.store.intact, action.served, action.digest):
        await _discard_damaged(action, site)
    engine = site.world.engine(action.replica)
    await engine.load(action.served, action.path)
    roots = [m.root for m in await engine.models() if m.name == action.served]
    if roots != [action.path]:
        text = f"registered: {', '.join(roots) or 'nothing'}"
        raise transient(
            f"{action.replica} took '{action.served}' and does not serve it from {action.path}", text
        )
    return {}


async def _discard_damaged(action: LoadAdapter, site: Site) -> None:
    """Delete a copy whose bytes changed, so that it is placed anew; never while an engine may read it."""
    what = f"the placed copy of '{action.served}' is not what was verified"
    silent = any(True for _ in site.observed.unknowns())
    if silent or any(replica.root_of(action.served) for _, replica in site.observed.known_replicas()):
        raise transient(what, "a replica may still read it, so it stays", fix="find out who changed the file")
    await asyncio.to_thread(site.world.store.remove, action.served)
    raise transient(what, changed="the copy was deleted and will be placed again")


async def _probe(action: ProbeAdapter, site: Site) -> Result:
    proof = await site.world.probe(action.replica, action.served, action.path)
    summary = f"'{action.served}' is not proven on {action.replica}"
    if proof.disproved:
        raise terminal(summary, *proof.evidence, fix="compare the adapter with its training record")
    if not proof.passed:
        raise transient(summary, *proof.evidence)
    if (now := await site.world.engine(action.replica).instance()) != action.instance:
        raise transient(summary, f"the replica restarted meanwhile: process {action.instance}, now {now}")
    return {"base_difference": proof.base_difference, "training_difference": proof.training_difference}


async def _unload(action: UnloadAdapter, site: Site) -> Result:
    engine = site.world.engine(action.replica)
    await engine.unload(action.served)
    if any(m.name == action.served for m in await engine.models()):
        raise transient(f"{action.replica} unloaded '{action.served}' and still serves it")
    return {}
