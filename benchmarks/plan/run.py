"""`make bench-plan`: a table for people, `benchmarks/results/plan.json`, and one line of JSON at the end."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

from benchmarks.plan import recovery, scale
from runner.reconcile.journal import ROTATE_AT, Journal, read
from runner.reconcile.memory import Kind
from runner.reconcile.state import write_json

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / "benchmarks" / "results" / "plan.json"
RUNS = 7
ENTRIES, SYNCED = 100_000, 2_000


def main() -> None:
    """Measure everything and tell."""
    with tempfile.TemporaryDirectory(prefix="loop-bench-") as name:
        directory = Path(name)
        say("observing and planning 100 adapters on 10 replicas")
        large = asyncio.run(scale.measure(directory / "scale"))
        say(f"a journal of {ENTRIES} entries")
        append_us, open_s, whole_s = journal_figures(directory / "journal" / "journal.jsonl")
        say("kill -9 of the real engine")
        healed = asyncio.run(recovery.measure(directory / "recovery"))
    say("the command line")
    figures = {
        "plan_ms_100x10": round(large.plan_ms, 1),
        "in_sync_cpu_ms": round(large.in_sync_cpu_ms, 1),
        "recover_s": round(healed.recover_s, 1) if healed else None,
        "engine_start_s": round(healed.engine_start_s, 1) if healed else None,
        "cli_help_s": command_seconds("--help"),
        "cli_validate_s": command_seconds("validate"),
        "pure_plan_ms_100x10": round(large.pure_plan_ms, 1),
        "bring_up_1000_s": round(large.bring_up_s, 1),
        "journal_append_us": round(append_us),
        "journal_open_s": round(open_s, 3),
        "journal_read_100k_s": round(whole_s, 2),
    }
    for key, value in figures.items():
        print(f"{key:<24} {'not measured' if value is None else value}")
    write_json(RESULTS, figures)
    print(json.dumps(figures))


def say(text: str) -> None:
    """Tell what is being measured."""
    print(f"measuring: {text}", file=sys.stderr, flush=True)


def journal_figures(path: Path) -> tuple[float, float, float]:
    """Return microseconds for an append, seconds to open a journal just before it is put aside, and to read all.

    Only the first entries wait for the disk, as every entry does in use; the rest only has to be there.
    """
    with Journal(path, time.time) as journal:
        begin = time.perf_counter()
        append(journal, range(SYNCED))
        each = (time.perf_counter() - begin) / SYNCED
        with mock.patch("runner.reconcile.journal.os.fsync"):
            append(journal, range(SYNCED, ENTRIES))
    longest = path.parent / "longest" / path.name
    with Journal(longest, time.time) as journal, mock.patch("runner.reconcile.journal.os.fsync"):
        append(journal, range(ROTATE_AT - 1))
    begin = time.perf_counter()
    with Journal(longest, time.time) as journal:
        journal.memory()
    opened = time.perf_counter() - begin
    begin = time.perf_counter()
    count = sum(1 for part in path.parent.glob("*.jsonl") for _ in read(part))
    if count < ENTRIES:
        raise RuntimeError(f"{count} entries were read, {ENTRIES} were written")
    return 1e6 * each, opened, time.perf_counter() - begin


def append(journal: Journal, numbers: Iterable[int]) -> None:
    """Write an entry for each number."""
    fields = {"action": "probe_adapter", "replica": "http://127.0.0.1:8100", "config": "", "result": {}}
    for number in numbers:
        served = f"v{number % 100}--0123456789ab"
        body = {**fields, "served": served, "instance": str(number), "target": served, "subject": served}
        journal.append(Kind.DONE, body)
        journal.rotate_if_long()


def command_seconds(*arguments: str) -> float | None:
    """Return the median wall time of a command in seconds, or None where it fails."""
    command = [str(Path(sys.executable).parent / "loop"), *arguments]
    taken = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, env=os.environ | {"NO_COLOR": "1"}, check=False
        )
        taken.append(time.perf_counter() - begin)
        if done.returncode != 0:
            say(f"`loop {' '.join(arguments)}` failed: {done.stderr.decode(errors='replace').strip()[:300]}")
            return None
    return round(statistics.median(taken), 3)


if __name__ == "__main__":
    main()
