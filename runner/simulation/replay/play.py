"""Plays a schedule in an open loop: a call leaves at its time however slow the answers are, as users do.

`replay` plays a plan to its end and is called by benchmarks and load tests that have an event loop; `traffic` plays
one beside other work until it is told to stop, for tests that watch a rollout; `run` serves `loop replay` and ends on
Ctrl-C with what was measured so far. All only speak to the gateway's public address and read the event log.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

import aiohttp

from runner.simulation.replay import questions
from runner.simulation.replay.audit import Audit
from runner.simulation.replay.client import Client
from runner.simulation.replay.feedback import Critics
from runner.simulation.replay.plan import BOOKSHOP, ReplayPlan, check
from runner.simulation.replay.result import LogCount, Play, Progress, ReplayResult, Said, Sent, summarise
from runner.simulation.replay.schedule import Call, repeated, schedule
from runner.simulation.replay.traces import read_trace

TICK_S = 1.0
LOG_WAIT_S = 10.0
"""How long events may lag behind the last answer before they count as missing."""


def calls_of(plan: ReplayPlan, critics: Critics | None = None) -> tuple[Call, ...]:
    """Return the schedule of a plan; `critics` take note of what right answers would be.

    Raises TerminalError for a plan that cannot be played.
    """
    check(plan)
    material, crowd = plan.material, plan.crowd
    trace = read_trace(material.trace, material.data)
    if critics and material.questions == BOOKSHOP:
        asked = critics.remember(questions.bookshop(crowd.seed))
    else:
        asked = questions.draw(material.questions, material.data, crowd.seed)
    if material.duration_s is None:
        return schedule(trace, material.limit, plan.pace, crowd, asked)
    longer = repeated(trace[: material.limit], plan.pace, material.duration_s)
    return schedule(longer, None, plan.pace, crowd, asked)


async def replay(
    plan: ReplayPlan, on_progress: Callable[[Progress], None], stop: asyncio.Event | None = None
) -> ReplayResult:
    """Play a plan and return what was measured; `on_progress` is called about once a second.

    Where `stop` is set no further call is made and answers under way are given up. Raises TerminalError for
    a plan that cannot be played, OSError where the event log cannot be read.
    """
    async with _players(plan) as players:
        return await _played(plan, players, on_progress, stop or asyncio.Event())


@asynccontextmanager
async def traffic(plan: ReplayPlan) -> AsyncIterator[Traffic]:
    """Play a plan in the background until the block ends, or until `Traffic.stop`. Raises as `replay` does."""
    async with _players(plan) as players:
        playing = asyncio.create_task(_played(plan, players, lambda _: None, asyncio.Event()))
        going = Traffic(players, playing)
        try:
            yield going
        finally:
            await going.stop()


@dataclass(frozen=True, slots=True)
class Traffic:
    """Users who are at play while something else goes on."""

    players: Players
    playing: asyncio.Task[ReplayResult]

    def progress(self) -> Progress:
        """Return where the play stands now: sent, answered, failed."""
        return self.players.progress()

    def sent(self) -> tuple[Sent, ...]:
        """Return every call that was made so far, with its answer where it has come."""
        return tuple(self.players.sent)

    async def stop(self) -> ReplayResult:
        """Send nothing more, wait for the answers under way, and return what was measured; twice is once."""
        self.players.closing.set()
        return await self.playing


@asynccontextmanager
async def _players(plan: ReplayPlan) -> AsyncIterator[Players]:
    critics = Critics(plan.crowd.feedback_share, plan.crowd.seed) if plan.crowd.feedback_share else None
    calls, run_id = calls_of(plan, critics), f"replay-{uuid4().hex[:12]}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(http, plan.target, time.perf_counter, run_id)
        yield Players(calls, client, plan.target.in_flight, critics)


async def _played(
    plan: ReplayPlan, players: Players, on_progress: Callable[[Progress], None], stop: asyncio.Event
) -> ReplayResult:
    audit = Audit(plan.target.events) if plan.target.events else None
    watching = asyncio.create_task(_watch(players, audit, on_progress))
    try:
        play = await players.play(stop)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    on_progress(players.progress())
    log = await _count(audit, players.client, play) if audit else None
    return summarise(plan, players.client.run, players.calls, play, log)


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
    """The users at play: sends every call at its time, keeps what came of it, says what is thought of it."""

    calls: tuple[Call, ...]
    client: Client
    cap: int | None
    critics: Critics | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it, and no further call is made; answers under way are waited for."""
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
            feedback=sum(each.said is not None for each in self.sent),
        )

    async def _play_all(self) -> None:
        turn = asyncio.Semaphore(self.cap or len(self.calls))
        async with asyncio.TaskGroup() as group:
            for place, call in enumerate(self.calls):
                if await self._closed_before(call.at_s):
                    break
                self.sent.append(Sent(call, self._now()))
                group.create_task(self._play_one(place, call, turn))

    async def _closed_before(self, at_s: float) -> bool:
        """Wait for a call's time; True where the play was closed by then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, at_s - self._now())):
                await self.closing.wait()
        return self.closing.is_set()

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
        if self.critics and reply.failure is None:
            await self._tell(place, self.critics)

    async def _tell(self, place: int, critics: Critics) -> None:
        """Say what the user thinks of an answer, where he says anything."""
        call, reply = self.sent[place].call, self.sent[place].reply
        assert reply is not None, "there is an answer"  # noqa: S101
        opinion = critics.opinion(call.number, call.question, reply.answer)
        if opinion is not None:
            failure = await self.client.say(call, reply, opinion.said)
            self.sent[place] = replace(self.sent[place], said=Said(opinion.pleased, failure))

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
