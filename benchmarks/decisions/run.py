"""`make bench-decisions`: two tables for people, `benchmarks/results/decisions.{json,svg}`, one line of JSON last.

Rows run in two processes, each from a seed of its own, so that the figures depend neither on their order nor on
the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.decisions import cases, plot, show, timing
from benchmarks.decisions.cases import Bad, Healthy, Kind
from benchmarks.decisions.trials import Alarms, Delays, Extent, Progress, alarms, delays

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
SEED = 20261121
LOOKS, NAIVE_LOOKS = 1_000_000, 50_000
REPLICATES, DELAYED = 300, 4_000
LONGEST = 60_000
TELL_EVERY_S = 20.0
NAIVE_KEY, FLAGGER_KEY = "should_rollback, n >= 50", "Flagger: should_rollback"
LATE_KEY = "change at 20,000 to 5%"
GOAL_FROM = 100
"""Delays are judged where the bound is so large: below it a request more or less weighs too much."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is simulated."""

    looks: int
    naive_looks: int
    replicates: int
    delayed: int
    seed: int

    def healthy(self) -> list[Healthy]:
        """Return the rows of false rollbacks."""
        return cases.healthy(self.looks, self.replicates, self.naive_looks)


@dataclass(frozen=True, slots=True)
class Row:
    """Which row of which table; plain numbers, for another process."""

    false_alarms: bool
    number: int
    effort: Effort


def simulate(row: Row) -> tuple[Row, Alarms | Delays, float]:
    """Run one row and return it with what was found and the seconds it took."""
    begin = time.perf_counter()
    rng = np.random.default_rng([row.effort.seed, int(row.false_alarms), row.number])
    if row.false_alarms:
        healthy = row.effort.healthy()[row.number]
        tell = _teller(healthy.key, healthy.phases[-1].until)
        found: Alarms | Delays = alarms(healthy.world, healthy.make(), healthy.phases, rng, tell)
    else:
        bad = cases.bad()[row.number]
        many = row.effort.delayed if bad.goal else max(1, row.effort.delayed // 4)
        extent = Extent(many, bad.change + LONGEST, bad.change)
        found = delays(bad.world, bad.make(), extent, rng, _teller(bad.key, extent.longest))
    return row, found, time.perf_counter() - begin


def _teller(key: str, last: int) -> Progress:
    told = time.perf_counter()

    def tell(look: int) -> None:
        nonlocal told
        if time.perf_counter() - told > TELL_EVERY_S:
            told = time.perf_counter()
            say(f"  {key}: {look:,} of {last:,} looks")

    return tell


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def results(rows: Sequence[Row], processes: int) -> Iterator[tuple[Row, Alarms | Delays, float]]:
    """Simulate every row; Ctrl-C ends the processes with this one."""
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, _leave_interrupts_to_the_parent) as pool:
        yield from pool.imap_unordered(simulate, rows)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def collect(effort: Effort, processes: int) -> tuple[list[Alarms], list[Delays]]:
    """Return what every row of both tables gave, in the tables' order."""
    healthy, bad = effort.healthy(), cases.bad()
    rows = [Row(True, i, effort) for i in range(len(healthy))] + [
        Row(False, i, effort) for i in range(len(bad))
    ]
    false: dict[int, Alarms] = {}
    delayed: dict[int, Delays] = {}
    for done, (row, found, seconds) in enumerate(results(rows, processes), 1):
        if isinstance(found, Alarms):
            false[row.number] = found
            key, value = healthy[row.number].key, f"{found.probability:.4f}"
        else:
            delayed[row.number] = found
            key, value = bad[row.number].key, f"median {found.median}"
        say(f"{done}/{len(rows)} {key}: {value} ({seconds:.0f} s)")
    return [false[i] for i in range(len(healthy))], [delayed[i] for i in range(len(bad))]


def figures(
    false: Sequence[tuple[Healthy, Alarms]], delayed: Sequence[tuple[Bad, Delays]], look: timing.Look
) -> dict[str, Any]:
    """Return the figures by which this benchmark is judged; None is what could not be measured."""
    ours = [(case, found) for case, found in false if case.kind is Kind.OURS]
    by_key = {case.key: found.probability for case, found in false}
    judged = [
        show.ratio(case, found.mean)
        for case, found in delayed
        if case.goal and case.bound is not None and case.bound >= GOAL_FROM
    ]
    late = next((show.ratio(case, found.median) for case, found in delayed if case.key == LATE_KEY), None)
    known = [value for value in judged if value is not None]
    return {
        "looks": max(found.looks for _, found in ours),
        "false_rollback_max": round(max(found.probability for _, found in ours), 5),
        "delay_ratio_max": round(max(known), 3) if len(known) == len(judged) else None,
        "late_change_ratio": None if late is None else round(late, 3),
        "look_us": max(look.absolute_us, look.relative_us),
        "naive_false_rollback": round(by_key[NAIVE_KEY], 4),
        "flagger_false_rollback": round(by_key[FLAGGER_KEY], 4),
    }


def document(
    effort: Effort,
    false: Sequence[tuple[Healthy, Alarms]],
    delayed: Sequence[tuple[Bad, Delays]],
    look: timing.Look,
) -> dict[str, Any]:
    """Return everything that was measured."""
    return {
        "figures": figures(false, delayed, look),
        "seed": effort.seed,
        "look_us": {"absolute": look.absolute_us, "relative": look.relative_us},
        "false_rollbacks": [
            {
                "rule": case.kind.value,
                "world": case.key,
                "probability": round(found.probability, 5),
                "standard_error": round(found.error, 5),
                "design": case.design,
                "looks": found.looks,
                "replicates": found.started,
                "rolled_back": found.fired,
            }
            for case, found in false
        ],
        "delays": [
            {
                "world": case.key,
                "bound": case.bound and round(case.bound, 1),
                "median": found.median,
                "p95": found.late,
                "mean": found.mean and round(found.mean, 1),
                "design": case.design,
                "replicates": found.requests.size + found.missed + found.early,
                "missed": found.missed,
                "before_the_change": found.early,
            }
            for case, found in delayed
        ],
    }


def picture(false: Sequence[tuple[Healthy, Alarms]], delayed: Sequence[tuple[Bad, Delays]]) -> str:
    """Return both tables as SVG."""
    alarm = [
        plot.Bar(c.key, a.probability, c.design, plot.OURS if c.kind is Kind.OURS else plot.OTHERS)
        for c, a in false
    ]
    delay = [
        plot.Bar(c.key, show.ratio(c, d.mean), show.ratio(c, c.design[2]), plot.OURS)
        for c, d in delayed
        if c.bound is not None and not c.change
    ]
    return plot.svg(
        [
            plot.Panel("Healthy candidates rolled back", alarm, 0.01, 1.0, root=True),
            plot.Panel("Mean requests to a rollback / bound", delay, 1.3, 2.0),
        ]
    )


def main() -> None:
    """Simulate, print both tables, write the results, and print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=LOOKS, help="looks at a healthy candidate")
    parser.add_argument("--naive-looks", type=int, default=NAIVE_LOOKS, help="the same under the other rules")
    parser.add_argument(
        "--replicates", type=int, default=REPLICATES, help="that look to the end; 40 times more begin"
    )
    parser.add_argument("--delayed", type=int, default=DELAYED, help="replicates of each delay")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    effort = Effort(options.looks, options.naive_looks, options.replicates, options.delayed, options.seed)
    print(f"seed {effort.seed}", flush=True)
    look = timing.measure()  # first, while no other process of this one is at work
    try:
        found_alarms, found_delays = collect(effort, options.processes)
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was written")
    false = list(zip(effort.healthy(), found_alarms, strict=True))
    delayed = list(zip(cases.bad(), found_delays, strict=True))
    print(show.false_rollbacks(false), end="\n\n")
    print(show.detection(delayed), end="\n\n")
    print(
        f"one update of one signal: P1 {look.absolute_us} us, P2 {look.relative_us} us (medians; goal below 50)"
    )
    whole = document(effort, false, delayed, look)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "decisions.json").write_text(json.dumps(whole, indent=2) + "\n")
    (RESULTS / "decisions.svg").write_text(picture(false, delayed))
    print(json.dumps(whole["figures"]))


if __name__ == "__main__":
    main()
