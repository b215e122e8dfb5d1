"""Plays a schedule in an open loop: a call leaves at its time however slow the answers are, as users do.

`replay` is called by benchmarks and load tests that have an event loop, `run` by `loop replay`: it ends on
Ctrl-C with what was measured so far. Both only speak to the gateway's public address and read the event
log.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

import aiohttp

from runner.simulation.replay import questions
from runner.simulation.replay.audit import Audit
from runner.simulation.replay.client import Client
from runner.simulation.replay.plan import ReplayPlan, check
from runner.simulation.replay.result import LogCount, Play, Progress, ReplayResult, Sent, summarise
from runner.simulation.replay.schedule import Call, schedule
from runner.simulation.replay.traces import read_trace

TICK_S = 1.0
LOG_WAIT_S = 10.0
"""How long events may lag behind the last answer before they count as missing."""


def calls_of(plan: ReplayPlan) -> tuple[Call, ...]:
    """Return the schedule of a plan. Raises TerminalError for a plan that cannot be played."""
    check(plan)
    material, crowd = plan.material, plan.crowd
    trace = read_trace(material.trace, material.data)
    asked = questions.draw(material.questions, material.data, crowd.seed)
    return schedule(trace, material.limit, plan.pace, crowd, asked)


async def replay(
    plan: ReplayPlan, on_progress: Callable[[Progress], None], stop: asyncio.Event | None = None
) -> ReplayResult:
    """Play a plan and return what was measured; `on_progress` is called about once a second.

    Where `stop` is set no further call is made and answers under way are given up. Raises TerminalError for
    a plan that cannot be played, OSError where the event log cannot be read.
    """
    calls, run_id = calls_of(plan), f"replay-{uuid4().hex[:12]}"
    audit = Audit(plan.target.events) if plan.target.events else None
    connections = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connections) as http:
        client = Client(http, plan.target, time.perf_counter, run_id)
        players = Players(calls, client, plan.target.in_flight)
        watching = asyncio.create_task(_watch(players, audit, on_progress))
        try:
            play = await players.play(stop or asyncio.Event())
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    on_progress(players.progress())
    log = await _count(audit, client, play) if audit else None
    return summarise(plan, run_id, calls, play, log)


def run(plan: ReplayPlan, on_progress: Callable[[Progress], None]) -> ReplayResult:
    """Play a plan; Ctrl-C or SIGTERM ends it early with what was measured so far. Raises as `replay` does."""

    async def until_stopped() -> ReplayResult:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        return await replay(plan, on_progress, stop)

    return asyncio.run(until_stopped())


@dataclass(slots=True)
class Players:
    """The users at play: sends every call at its time, keeps what came of it."""

    calls: tuple[Call, ...]
    client: Client
    cap: int | None
    sent: list[Sent] = field(default_factory=list)
    peak: int = 0
    _in_flight: int = 0
    _began: float = 0.0

    async def play(self, stop: asyncio.Event) -> Play:
        """Play all calls, or until `stop` is set."""
        self._began = self.client.clock()
        everything = asyncio.create_task(self._play_all())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({everything, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            elapsed_s = self._now()
            stopping.cancel()
            everything.cancel()
        await asyncio.wait({everything, stopping})
        if not everything.cancelled():
            everything.result()
        return Play(tuple(self.sent), elapsed_s, self.peak)

    def progress(self) -> Progress:
        """Return where the play stands."""
        replies = [each.reply for each in self.sent if each.reply]
        failed = sum(reply.failure is not None for reply in replies)
        left = sum(each.left_s is not None for each in self.sent)
        return Progress(
            elapsed_s=self._now(),
            planned=len(self.calls),
            sent=left,
            answered=len(replies) - failed,
            failed=failed,
            in_flight=self._in_flight,
            waiting=len(self.sent) - left,
        )

    async def _play_all(self) -> None:
        turn = asyncio.Semaphore(self.cap or len(self.calls))
        async with asyncio.TaskGroup() as group:
            for place, call in enumerate(self.calls):
                await asyncio.sleep(max(0.0, call.at_s - self._now()))
                self.sent.append(Sent(call, self._now()))
                group.create_task(self._play_one(place, call, turn))

    async def _play_one(self, place: int, call: Call, turn: asyncio.Semaphore) -> None:
        had_to_wait = turn.locked()
        async with turn:
            self.sent[place] = replace(self.sent[place], left_s=self._now(), had_to_wait=had_to_wait)
            self._in_flight += 1
            self.peak = max(self.peak, self._in_flight)
            try:
                reply = await self.client.ask(call)
            finally:
                self._in_flight -= 1
            self.sent[place] = replace(self.sent[place], reply=reply)

    def _now(self) -> float:
        return self.client.clock() - self._began


async def _watch(players: Players, audit: Audit | None, on_progress: Callable[[Progress], None]) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        on_progress(players.progress())
        if audit:
            await asyncio.to_thread(audit.collect)


async def _count(audit: Audit, client: Client, play: Play) -> LogCount:
    """Count events once all have come, or once they had time enough to come."""
    left = [each for each in play.sent if each.left_s is not None]
    acknowledged = [each.reply.request_id for each in left if each.reply and each.reply.acknowledged]
    unacknowledged = [client.request_id(e.call) for e in left if not (e.reply and e.reply.acknowledged)]
    deadline = time.monotonic() + LOG_WAIT_S
    await asyncio.to_thread(audit.collect)
    while audit.misses(acknowledged) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(audit.collect)
    return audit.count(acknowledged, unacknowledged)
