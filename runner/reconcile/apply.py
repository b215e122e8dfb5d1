"""Walking a plan: each action is journalled as attempted, done, verified, and journalled as done or failed.

Gateways are switched first and at the same time. Then every adapter goes its own way, one replica after the
other, and the adapters beside each other, with one call at a time to each replica: a bad adapter or a silent
replica delays nothing else. Called by `loop`; decides nothing that the plan has not decided.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runner.errors import LoopError, TerminalError
from runner.reconcile.actions import (
    Action,
    LoadAdapter,
    PlaceFiles,
    ProbeAdapter,
    PullData,
    SwitchRoutes,
    place_of,
    subject,
    target,
    to_json,
)
from runner.reconcile.execute import Result, Site, execute
from runner.reconcile.memory import Kind
from runner.reconcile.observed import FailureKind, Observed
from runner.reconcile.plan import Plan
from runner.reconcile.ports import World

STRIKES = 2


class Notes(Protocol):
    """What is needed of a journal."""

    def append(self, kind: Kind, body: Mapping[str, Any]) -> object:
        """Write an entry and return once it is on the disk."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An action that did not succeed, and why."""

    action: Action
    kind: FailureKind
    message: str


@dataclass(slots=True)
class Report:
    """What became of a plan's actions.

    `skipped` has the reason for each; `interrupted`: something newer came.
    """

    done: list[Action] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    skipped: list[tuple[Action, str]] = field(default_factory=list)
    interrupted: bool = False


async def apply(
    plan: Plan, observed: Observed, world: World, journal: Notes, superseded: Callable[[], bool]
) -> Report:
    """Do what the plan says and return what became of it; `superseded` is asked before every action.

    Failures are journalled, not raised. Raises OSError where the journal cannot be written: then nothing more
    is done, because what is not written down must not happen.
    """
    walk = _Walk(plan, Site(world, observed, _next_generation(observed)), journal, superseded)
    switches = [action for action in plan.actions if isinstance(action, SwitchRoutes)]
    await asyncio.gather(*(walk.chain([action]) for action in switches))
    await asyncio.gather(*(walk.chain(chain) for chain in _by_adapter(plan.actions)))
    return walk.report


def _next_generation(observed: Observed) -> int:
    seen = [view.generation for _, view in observed.known_gateways()]
    return max([observed.memory.generation, *seen]) + 1


def _by_adapter(actions: Iterable[Action]) -> list[list[Action]]:
    chains: dict[str, list[Action]] = defaultdict(list)
    for action in actions:
        if not isinstance(action, SwitchRoutes):
            chains[action.served].append(action)
    return list(chains.values())


class _Walk:
    """One application of one plan."""

    def __init__(self, plan: Plan, site: Site, journal: Notes, superseded: Callable[[], bool]) -> None:
        self.report = Report()
        self._plan, self._site, self._journal, self._superseded = plan, site, journal, superseded
        self._turn: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._strikes: dict[str, int] = defaultdict(int)

    async def chain(self, actions: list[Action]) -> None:
        """Do one adapter's actions in order; what rests on a failed one is skipped."""
        broken: dict[str, str] = {}
        for action in actions:
            place = place_of(action)
            async with self._turn[place]:
                if self._superseded():
                    self.report.interrupted = True
                    return
                why = broken.get("") or broken.get(place) or self._given_up(place)
                if why:
                    self.report.skipped.append((action, why))
                    continue
                failed = await self._attempt(action)
            if failed is not None:
                broken[_breaks(failed)] = f"{target(action)} failed before"

    async def _attempt(self, action: Action) -> Failed | None:
        opened = to_json(action)
        if isinstance(action, SwitchRoutes):
            opened["table"]["generation"] = self._site.generation
        about = {"plan": self._plan.digest[:12], "revision": self._plan.revision}
        self._journal.append(Kind.ATTEMPTED, {**opened, "target": target(action), **about})
        try:
            result = await execute(action, self._site)
        except LoopError as error:
            terminal = isinstance(error, TerminalError)
            return self._failed(
                action, FailureKind.TERMINAL if terminal else FailureKind.TRANSIENT, str(error)
            )
        except TimeoutError:
            return self._failed(action, FailureKind.TRANSIENT, "no answer in time")
        except Exception as error:
            # A fault of ours in one adapter's action must not stop the others; it is written down and tried
            # again.
            return self._failed(action, FailureKind.TRANSIENT, f"{type(error).__name__}: {error}")
        self._journal.append(Kind.DONE, {**_brief(action), "result": dict(result)})
        self.report.done.append(action)
        return None

    def _failed(self, action: Action, kind: FailureKind, message: str) -> Failed:
        self._journal.append(Kind.FAILED, {**_brief(action), "failure": kind.value, "message": message})
        failed = Failed(action, kind, message)
        self.report.failed.append(failed)
        on_replica = isinstance(action, LoadAdapter | ProbeAdapter)
        if kind is FailureKind.TRANSIENT and on_replica:
            self._strikes[place_of(action)] += 1
        return failed

    def _given_up(self, place: str) -> str:
        """Return why a place is left alone in this pass: one failure may be the adapter's, two are its own."""
        failed = self._strikes[place]
        return f"{place} failed {failed} times in this pass" if failed >= STRIKES else ""


def _breaks(failed: Failed) -> str:
    """Return what can no longer be done for this adapter: "" for everything, else one replica's part."""
    if isinstance(failed.action, PullData | PlaceFiles):
        return ""
    if isinstance(failed.action, LoadAdapter) and failed.kind is FailureKind.TERMINAL:
        return ""
    return place_of(failed.action)


def _brief(action: Action) -> Result:
    """Return an action without its table: enough to fold it."""
    value = to_json(action)
    value.pop("table", None)
    value.pop("intent", None)
    return {**value, "config": action.config, "target": target(action), "subject": subject(action)}
