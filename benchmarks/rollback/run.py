"""`make bench-rollback`: rollbacks under load, with the remote away, and with the engine's admin side away.

Two gateway processes before one engine, a runner that follows a bare repository, and users on both gateways without
a pause. Each candidate answers well for a moment and then fails; the runner finds it out from events alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rollback import cycles
from benchmarks.rollback.cycles import Cycle, Outage
from benchmarks.rollback.place import TooLateError, place
from runner.simulation.replay.plan import Crowd, Material, Rate, ReplayPlan, Target
from runner.simulation.replay.play import Traffic, traffic
from runner.simulation.replay.result import ReplayResult
from runner.simulation.replay.traces import AZURE_HEADER

RESULT = Path("benchmarks/results/rollback.json")
LONGEST_S = 5400.0
USERS = 4000


@dataclass
class Load:
    """What came of all requests, once the load has ended."""

    results: list[ReplayResult] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Requests that were sent."""
        return sum(result.sent for result in self.results)

    @property
    def failed(self) -> int:
        """Requests that were not answered, as their users saw it."""
        return sum(result.failed + result.abandoned for result in self.results)


@contextmanager
def load(home: Path, urls: Sequence[str], rate: float) -> Iterator[Load]:
    """Let users ask every gateway, `rate` requests a second in all, until the block ends."""
    done, up, found = Load(), threading.Event(), dict[str, Any]()
    ready: list[Traffic] = []

    async def play() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        found["stop"] = lambda: loop.call_soon_threadsafe(stop.set)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(until(_plan(home, url, rate / len(urls), seed), stop))
                for seed, url in enumerate(urls)
            ]
        done.results += [task.result() for task in tasks]

    async def until(plan: ReplayPlan, stop: asyncio.Event) -> ReplayResult:
        async with traffic(plan) as going:
            ready.append(going)
            if len(ready) == len(urls):
                up.set()
            await stop.wait()
            return await going.stop()

    thread = threading.Thread(target=lambda: asyncio.run(play()), daemon=True)
    thread.start()
    if not up.wait(120):
        raise TooLateError("no user had begun to ask within 120 s")
    try:
        yield done
    finally:
        found["stop"]()
        thread.join(60)


def _plan(home: Path, url: str, rate: float, seed: int) -> ReplayPlan:
    """Return users who never end. Arrivals come in small bursts, as those of real traces do."""
    rows = [
        f"2026-11-16 18:{n // 240:02d}:{n // 4 % 60:02d}.{n * 37 % 100:02d}00000,100,12" for n in range(2400)
    ]
    trace = home / "trace.csv"
    trace.write_text("\n".join([AZURE_HEADER, *rows]) + "\n")
    asked = home / "asked.csv"
    asked.write_text("text\n" + "".join(f"What does book number {n} cost?\n" for n in range(500)))
    material = Material(str(trace), str(asked), home, duration_s=LONGEST_S)
    return ReplayPlan(material, Rate(rate), Crowd(USERS, seed), Target(url))


def figures(found: Sequence[Cycle], users: Load) -> dict[str, Any]:
    """Return the figures by which this benchmark is judged; None is what could not be measured."""
    calm, no_git, no_engine = (
        [cycle for cycle in found if cycle.outage is outage]
        for outage in (Outage.NONE, Outage.GIT, Outage.ENGINE)
    )
    return {
        "runs": len(calm),
        "zero_traffic_p50_ms": cycles.middle([c.zero_traffic_ms for c in calm]),
        "zero_traffic_p99_ms": cycles.quantile([c.zero_traffic_ms for c in calm], 0.99),
        "commit_p99_ms": cycles.quantile([c.commit_ms for c in calm], 0.99),
        "failed_requests": users.failed,
        "zero_traffic_p99_ms_git_down": cycles.quantile([c.zero_traffic_ms for c in no_git], 0.99),
        "zero_traffic_p99_ms_engine_down": cycles.quantile([c.zero_traffic_ms for c in no_engine], 0.99),
        "switched_p50_ms": cycles.middle([c.switched_ms for c in calm]),
        "switched_p99_ms": cycles.quantile([c.switched_ms for c in calm], 0.99),
        "first_failure_to_switched_p50_ms": cycles.middle([c.detected_ms for c in calm]),
        "first_failure_to_switched_p99_ms": cycles.quantile([c.detected_ms for c in calm], 0.99),
        "switched_p99_ms_git_down": cycles.quantile([c.switched_ms for c in no_git], 0.99),
        "switched_p99_ms_engine_down": cycles.quantile([c.switched_ms for c in no_engine], 0.99),
        "commit_p50_ms": cycles.middle([c.commit_ms for c in calm]),
        "commit_after_git_is_back_p50_ms": cycles.middle([c.commit_ms for c in no_git]),
        "commit_after_git_is_back_max_ms": cycles.quantile([c.commit_ms for c in no_git], 1.0),
        "commit_p99_ms_engine_down": cycles.quantile([c.commit_ms for c in no_engine], 0.99),
        "runs_git_down": len(no_git),
        "runs_engine_down": len(no_engine),
        "requests": users.sent,
    }


def main() -> None:
    """Measure, print a table, write the result, and print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="rollbacks with everything in reach")
    parser.add_argument(
        "--outages", type=int, default=20, help="rollbacks with Git away, and with the engine"
    )
    parser.add_argument(
        "--rate", type=float, default=60.0, help="requests a second on both gateways together"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does
    order = (
        (Outage.NONE, options.runs),
        (Outage.GIT, options.outages),
        (Outage.ENGINE, options.outages),
    )
    found: list[Cycle] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-rollback-") as name,
        place(Path(name)) as here,
        load(Path(name), here.gateways, options.rate) as users,
    ):
        for outage, count in order:
            found += cycles.run(here, count, outage, first=len(found))
    summary = figures(found, users)
    for key, value in summary.items():
        print(f"{key:<34} {'not measured' if value is None else value}")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    detail = {
        "figures": summary,
        "rate": options.rate,
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()},
        "cycles": [asdict(cycle) for cycle in found],
    }
    RESULT.write_text(json.dumps(detail, indent=2) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
