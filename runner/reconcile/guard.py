"""The way back, at once: users leave a candidate before anything else is done or asked.

It needs the gateways' admin side and nothing more: no engine, no Git, no pass of the reconciler (invariants 5 and
6). The record is written ahead, so that a crash in between is continued by the next runner; where the disk takes
no record, the routes are switched all the same. Called by `loop` when the evidence or a person says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from runner.errors import LoopError, TerminalError
from runner.reconcile.intent import Mark, mark_of
from runner.reconcile.memory import Kind
from runner.reconcile.observed import Memory, Rollback
from runner.reconcile.ports import Gateway
from runner.reconcile.pruning import mentioned
from runner.reconcile.routing import serves
from runner.serving.routes import Route, RouteTable

TRIES = 5
"""Of one gateway: another runner may write a table in between, each time."""
SECONDS = 5.0
SWITCHED = "switched"


class Journal(Protocol):
    """What is needed of the journal."""

    def append(self, kind: Kind, body: Mapping[str, Any]) -> object:
        """Write an entry and return once it is on the disk."""

    def memory(self) -> Memory:
        """Return what all entries add up to."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The event after which it was decided: its id and when it happened, microseconds since 1970; "" by hand."""

    event: str = ""
    time_us: int = 0


@dataclass(slots=True)
class Guard:
    """Rolls back, and remembers what the disk would not take."""

    journal: Journal
    unwritten: dict[str, tuple[Rollback, Cause]] = field(default_factory=dict)

    def memory(self) -> Memory:
        """Return the journal's memory with the rollbacks that it does not hold yet."""
        memory = self.journal.memory()
        if not self.unwritten:
            return memory
        extra = {served: rollback for served, (rollback, _) in self.unwritten.items()}
        return replace(memory, rollbacks={**extra, **memory.rollbacks})

    async def roll_back(
        self, rollback: Rollback, cause: Cause, gateways: Mapping[str, Gateway]
    ) -> dict[str, str]:
        """Take a candidate off every gateway; return what became of each: "switched", or why not (yet)."""
        begun = time.monotonic()
        self._write_ahead(rollback, cause)
        urls = list(gateways)
        found = await asyncio.gather(*(self._switch(gateways[url], rollback) for url in urls))
        results = dict(zip(urls, found, strict=True))
        if rollback.served not in self.unwritten:
            result = {"gateways": results, "seconds": round(time.monotonic() - begun, 6)}
            self._note(Kind.DONE, {**_name(rollback), "config": "", "result": result})
        return results

    def write_late(self) -> None:
        """Try again to write what the disk would not take."""
        for rollback, cause in list(self.unwritten.values()):
            self._write_ahead(rollback, cause)

    def _write_ahead(self, rollback: Rollback, cause: Cause) -> None:
        body = {**_name(rollback), "rollback": asdict(rollback), "cause": asdict(cause)}
        if self._note(Kind.ATTEMPTED, body):
            self.unwritten.pop(rollback.served, None)
        else:
            self.unwritten[rollback.served] = (rollback, cause)

    def _note(self, kind: Kind, body: Mapping[str, Any]) -> bool:
        try:
            self.journal.append(kind, body)
        except (OSError, LoopError):
            return False
        return True

    async def _switch(self, gateway: Gateway, rollback: Rollback) -> str:
        try:
            async with asyncio.timeout(SECONDS):
                return await _take_off(gateway, rollback, self.journal.memory().generation)
        except TimeoutError:
            return f"no answer within {SECONDS:g} s"
        except (LoopError, OSError) as error:
            return str(error)


async def _take_off(gateway: Gateway, rollback: Rollback, floor: int) -> str:
    refused: TerminalError | None = None
    for _ in range(TRIES):
        table = (await gateway.view()).table
        wanted = without(table, mark_of(rollback))
        if serves(wanted) == serves(table):
            return SWITCHED
        try:
            await gateway.put(replace(wanted, generation=max(table.generation, floor) + 1))
        except TerminalError as error:  # somebody was quicker: look at what is in force now
            refused = error
            continue
        return SWITCHED
    assert refused is not None, "only a refusal ends the tries"  # noqa: S101
    raise refused


def without(table: RouteTable, mark: Mark) -> RouteTable:
    """Return a table in which nobody is led to a candidate, and which says so to other runners."""
    taken = replace(
        table,
        routes=tuple(_route_without(route, mark.served) for route in table.routes),
        pinned=tuple(version for version in table.pinned if version.served != mark.served),
        replicas={},
        quarantined=tuple(sorted({*table.quarantined, str(mark)})),
    )
    named = mentioned(taken)
    return replace(taken, replicas={name: urls for name, urls in table.replicas.items() if name in named})


def _route_without(route: Route, served: str) -> Route:
    split = route.split if route.split and route.split.candidate.served != served else None
    kept = tuple(
        each for each in route.experiments if all(version.served != served for version in each.versions)
    )
    return replace(route, split=split, experiments=kept)


def _name(rollback: Rollback) -> dict[str, str]:
    target = f"roll_back {rollback.served}"
    return {"action": "roll_back", "served": rollback.served, "target": target, "subject": target}
