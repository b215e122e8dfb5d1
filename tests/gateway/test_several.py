"""Several gateways over one state directory: the same arms for the same users, and one log that none of them harms."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.events.compact import Compactor
from runner.events.lake import Lake
from runner.events.reader import EventReader
from runner.events.schema import Kind
from runner.serving.gateway.callers import read_secret
from runner.serving.gateway_client import GatewayClient
from runner.serving.routes import Experiment, Shadow
from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import (
    BASELINE,
    CANDIDATE,
    OTHER,
    QUESTION,
    RunningGateway,
    gateway_processes,
    table,
)
from tests.gateway.test_log import load
from tests.waiting import PATIENCE_S, until

TONE = Experiment("id-of-tone", "tone", (BASELINE, OTHER), (0.5, 0.5), 0.5)
MANY = 300
USERS = [f"user-{number}" for number in range(30)]


def test_whoever_is_first_makes_the_secret_and_everybody_reads_the_same(tmp_path: Path) -> None:
    at_once = threading.Barrier(16)

    def read(_: int) -> bytes:
        at_once.wait(PATIENCE_S)
        return read_secret(tmp_path / "made" / "user-hash.key")

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(read, range(16)))) == 1
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["user-hash.key"]


def _arm(running: RunningGateway, user: str) -> tuple[str, str]:
    headers = running.ask(user=user).headers
    return headers["x-loop-arm"], headers["x-loop-version"]


def test_two_gateways_give_a_user_the_same_arm_and_the_same_name_in_the_log(
    engine: RunningStub, tmp_path: Path
) -> None:
    with gateway_processes(tmp_path) as both:
        for each in both:
            assert each.put(table(engine.url, weight=0.4, experiments=(TONE,))).status_code == 200
        got = [[_arm(each, user) for user in USERS] for each in both]
        events = both[0].events()
    assert got[0] == got[1]
    assert {arm for arm, _ in got[0]} == {"experiment", "candidate", "baseline"}
    assert Counter(Counter(e["loop.user"] for e in events).values()) == {2: len(USERS)}
    assert len({e["loop.user"] for e in events}) == len(USERS)


def test_each_keeps_the_routes_that_it_was_given_across_its_restart(
    engine: RunningStub, tmp_path: Path
) -> None:
    with gateway_processes(tmp_path) as both:
        for number, each in enumerate(both):
            each.put(table(engine.url, generation=5 + number))
    with gateway_processes(tmp_path) as again:
        assert [each.state()["generation"] for each in again] == [5, 6]


def test_a_switch_reaches_each_gateway_by_its_own_put_only(engine: RunningStub, tmp_path: Path) -> None:
    with gateway_processes(tmp_path) as (first, second):
        for each in (first, second):
            each.put(table(engine.url, weight=1.0))
        first.put(table(engine.url, generation=2))
        assert first.ask().headers["x-loop-arm"] == "baseline"
        assert second.ask().headers["x-loop-arm"] == "candidate"
        second.put(table(engine.url, generation=2))
        assert second.ask().headers["x-loop-arm"] == "baseline"


class Following:
    """What a runner does beside the gateways: it follows the log, and compacts it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._reader = EventReader(home / "events", Kind.REQUEST)
        self._end = threading.Event()
        self.seen: list[str] = []
        self.compacted = 0

    def compact(self, grace_us: int) -> None:
        now = Compactor(
            self._home / "events", self._home / "lake", lambda: time.time_ns() // 1000, grace_us=grace_us
        )
        self.compacted += now.run().events

    def read(self) -> None:
        self.seen += [event["loop.request.id"] for event in self._reader.read().events]

    def run(self) -> None:
        while not self._end.wait(0.05):
            self.read()
            self.compact(60_000_000)

    @contextmanager
    def beside(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()


async def load_on(
    both: list[RunningGateway], received: list[str], victim: subprocess.Popen[str] | None
) -> None:
    """Ask both until each has answered many; kill the second's process, the victim, in the middle of it."""

    def answered(number: int) -> int:
        return sum(name.startswith(f"at-{number}-") for name in received)

    def enough_of_the_second() -> bool:
        if victim and answered(1) >= 15:
            victim.send_signal(signal.SIGKILL)
            return False  # its load ends because nobody answers
        return answered(1) >= MANY

    enough = (lambda: answered(0) >= MANY, enough_of_the_second)
    urls = [f"{each.url}/v1/chat/completions" for each in both]
    await asyncio.gather(*(load(url, received, enough[n], f"at-{n}") for n, url in enumerate(urls)))


@pytest.mark.parametrize("killed", [False, True])
def test_invariant_10_two_gateways_and_a_compaction_beside_them_lose_and_repeat_nothing(
    engine: RunningStub, tmp_path: Path, killed: bool
) -> None:
    received: list[str] = []
    rotation: dict[str, Any] = {"segment_bytes": 30_000, "segment_age_s": 0.3}
    following = Following(tmp_path)
    with gateway_processes(tmp_path, **rotation) as both:
        for each in both:
            each.put(table(engine.url, weight=0.5, shadow=Shadow(OTHER, 0.1)))
        with following.beside():
            asyncio.run(load_on(both, received, both[1].process if killed else None))
        until(lambda: both[0].state()["in_flight"] == {}, "all requests have ended")
        following.read()
        following.compact(0)
    following.compact(0)
    following.compact(0)
    assert list((tmp_path / "events").glob("*.jsonl")) == [], (
        "all was compacted, also what the killed one left"
    )
    with Lake(tmp_path / "lake", tmp_path / "events") as lake:
        logged = Counter(lake.requests().to_pyarrow()["loop.request.id"].to_pylist())
        copies = lake.shadows().to_pyarrow()["loop.request.id"].to_pylist()
    assert {name[:5] for name in received} == {"at-0-", "at-1-"}
    assert [name for name in received if logged[name] != 1] == []
    assert max(logged.values()) == 1 and following.compacted > len(received)
    assert Counter(following.seen) == logged, "whoever follows the log saw each event once"
    assert len(copies) == len(set(copies)) > 0


async def _switch(gateways: list[RunningGateway], replica: str, times: int, load: list[str]) -> list[str]:
    """Switch routes to and fro while requests come; return those that were asked after a switch and missed it."""

    in_force = 1
    asked: dict[str, int] = {}
    async with aiohttp.ClientSession() as session:

        async def user(number: int) -> None:
            url = gateways[number % len(gateways)].url + "/v1/chat/completions"
            count = 0
            while True:
                count += 1
                name = f"user-{number}-{count}"
                asked[name] = in_force
                async with session.post(url, json=QUESTION, headers={"x-request-id": name}) as answer:
                    await answer.read()
                    assert answer.status == 200
                    load.append(name)

        users = [asyncio.create_task(user(number)) for number in range(8)]
        clients = [GatewayClient(each.admin, session) for each in gateways]
        for generation in range(2, times + 2):
            wanted = table(replica, generation=generation, weight=float(generation % 2))
            await asyncio.gather(*(client.put(wanted) for client in clients))
            in_force = generation
            await asyncio.sleep(0.02)
        for task in users:
            task.cancel()
        ended = await asyncio.gather(*users, return_exceptions=True)
    assert [end for end in ended if not isinstance(end, asyncio.CancelledError)] == []
    obeyed = {event["loop.request.id"]: event for event in gateways[0].events()}
    for event in obeyed.values():
        wanted_arm = "candidate" if event["loop.generation"] % 2 else "baseline"
        assert event["loop.generation"] == 1 or event["loop.arm"] == wanted_arm
    return [name for name in load if obeyed[name]["loop.generation"] < asked[name]]


def test_a_switch_holds_for_every_request_that_comes_after_it_was_acknowledged(
    engine: RunningStub, tmp_path: Path
) -> None:
    load: list[str] = []
    with gateway_processes(tmp_path) as both:
        for each in both:
            each.put(table(engine.url))
        assert asyncio.run(_switch(both, engine.url, 30, load)) == []
    assert len(load) > 50
    assert CANDIDATE.served in engine.generations() and BASELINE.served in engine.generations()
