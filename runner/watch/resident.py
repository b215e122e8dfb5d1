"""Measuring all the time: a pass every few seconds, the page and the metrics of it, and export over OTLP.

`loop monitor` runs it in a process of its own, at low priority, so that measuring never holds up a request or a
rollback. A pass that fails is told, shown on the page as old figures, and tried again; nothing here decides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runner.console.monitor import feed as pages
from runner.console.monitor.app import serve
from runner.console.monitor.feed import Decision, Feed, Page
from runner.errors import LoopError
from runner.report import exposition
from runner.report.limits import Limit
from runner.signals.reading import Snapshot

Tell = Callable[[str], None]
Values = Mapping[str, Any]
DECISIONS = 20


class Telemetry(Protocol):
    """Where requests and readings go besides the page."""

    def send(self, snapshot: Snapshot) -> None:
        """Hand over what is new; never waits for a receiver."""

    @property
    def trouble(self) -> str:
        """Why nothing is taken at the moment, in words; "" while all is well."""

    def text(self) -> bytes:
        """Return what else Prometheus scrapes."""

    def close(self) -> None:
        """Send what waits, for a moment, and end."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the runner has written: `loop status --json`, and its journal as `loop log --json` prints it."""

    status: Values
    journal: tuple[Values, ...]


@dataclass(frozen=True, slots=True)
class Ports:
    """What the resident asks: for a snapshot at a time, for the situation, and the time (seconds since 1970)."""

    take: Callable[[float], Snapshot]
    situate: Callable[[], Situation]
    telemetry: Telemetry
    tell: Tell
    now: Callable[[], float] = time.time
    limits: Callable[[], dict[str, tuple[Limit, ...]]] = dict
    """The thresholds of the policy that was measured with."""


@dataclass(slots=True)
class Resident:
    """One environment's monitor. `every` is the longest time between two passes, in seconds."""

    environment: str
    listen: str
    every: float
    ports: Ports
    _changes: list[Decision] = field(default_factory=list)
    _metrics: bytes = b""
    _troubles: dict[str, str] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Measure and serve until `stop`. Raises TerminalError where the address is not to be had."""
        state = Feed(self.environment, lambda: self._metrics + self.ports.telemetry.text())
        opened = asyncio.Event()

        def ready(url: str) -> None:
            self.ports.tell(f"monitor at {url}")
            opened.set()

        tasks = [
            asyncio.create_task(serve(self.listen, state, stop, ready=ready)),
            asyncio.create_task(self._measure_on(state, opened, stop)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stop.set()
            opened.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self.ports.telemetry.close)

    async def _measure_on(self, state: Feed, opened: asyncio.Event, stop: asyncio.Event) -> None:
        """Measure again and again, once the page is there: an address that is taken is told at once."""
        await opened.wait()
        while not stop.is_set():
            begin = self.ports.now()
            await self._pass(state)
            rest = max(0.1, self.every - (self.ports.now() - begin))
            try:
                await asyncio.wait_for(stop.wait(), rest)
            except TimeoutError:
                continue

    async def _pass(self, state: Feed) -> None:
        """Measure once and show it; figures of before stay where that fails."""
        stale = ""
        snapshot = state.page.snapshot
        try:
            snapshot = await asyncio.to_thread(self.ports.take, self.ports.now())
            self._changes = [*pages.verdicts(state.page.snapshot, snapshot), *self._changes][:DECISIONS]
            self._metrics = await asyncio.to_thread(exposition.text, snapshot)
            await asyncio.to_thread(self.ports.telemetry.send, snapshot)
        except Exception as error:  # whatever it is: a monitor that ended would show no figures at all
            stale = _words(error)
        self._say("not measured", stale)
        self._say("not exported", self.ports.telemetry.trouble)
        state.publish(await asyncio.to_thread(self._page, snapshot, stale))

    def _say(self, what: str, trouble: str) -> None:
        """Tell a trouble once, and when it is over."""
        before = self._troubles.get(what, "")
        if trouble and trouble != before:
            self.ports.tell(f"{what}: {trouble}")
        if before and not trouble:
            self.ports.tell(f"{what.removeprefix('not ')} again")
        self._troubles[what] = trouble

    def _page(self, snapshot: Snapshot | None, stale: str) -> Page:
        try:
            situation = self.ports.situate()
            rollout = pages.rollout(situation.status["pass"])
            runner = pages.runner(situation.status)
            journal = pages.decisions(situation.journal, DECISIONS)
        except (LoopError, OSError, KeyError, TypeError, ValueError) as error:
            stale = stale or f"the runner's status cannot be read: {_words(error)}"
            rollout, runner, journal = None, pages.Runner(None, None, ""), ()
        decided = sorted((*journal, *self._changes), key=lambda one: one.at, reverse=True)
        return Page(
            self.environment,
            snapshot,
            rollout,
            tuple(decided[:DECISIONS]),
            runner,
            stale,
            self.ports.limits(),
        )


def _words(error: Exception) -> str:
    """Return one line; what nobody foresaw with its kind, so that it can be looked for."""
    first = next(iter(str(error).splitlines()), "")
    if isinstance(error, LoopError):
        return first.removeprefix("error: ")
    return first if isinstance(error, OSError) and first else f"{type(error).__name__}: {first}".rstrip(": ")
