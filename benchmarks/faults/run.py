"""`make bench-faults`: every fault that a rollback may meet, what was lost by it, and how long until all agreed.

The stories are those of the tests, with the same assertions; here each is told several times, and a runner is killed
at every journal entry of a rollback besides. Systems are real but for the engines, which are stubs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.reconcile.rollout_faults import FAULTS, Told, crash
from tests.reconcile.rollout_world import World, trial

RESULT = Path("benchmarks/results/faults.json")
MOST_ENTRIES = 40


@dataclass(frozen=True, slots=True)
class Row:
    """A fault as it was met: `agreed_s` of every time it ended well, `lost` of every time, nothing left out."""

    fault: str
    runs: int
    lost: tuple[str, ...]
    agreed_s: tuple[float, ...]
    switched_s: tuple[float, ...]


def meet(here: World, fault: str, times: int) -> Row:
    """Tell a story several times; what does not hold counts as lost."""
    told, lost = [], []
    for _ in range(times):
        try:
            here.back()
            told.append(FAULTS[fault](here))
        except AssertionError as error:
            lost.append(str(error))
    return _row(fault, times, told, lost)


def killed(here: World) -> Row:
    """Kill a runner before and after every entry of a rollback, and let another go on."""
    told, lost, runs = [], [], 0
    for how, at in _points():
        try:
            found = crash(here, at, how)
        except AssertionError as error:
            runs += 1
            lost.append(f"{how} entry {at}: {error}")
            continue
        if found is None and how == "after":
            break  # a rollback has no further entry
        if found is not None:
            runs += 1
            told.append(found)
    return _row("runner killed at each entry", runs, told, lost)


def _points() -> Iterator[tuple[str, int]]:
    for at in range(1, MOST_ENTRIES + 1):
        yield "before", at
        yield "after", at


def _row(fault: str, runs: int, told: list[Told], lost: list[str]) -> Row:
    gone = [each for one in told for each in one.lost]
    switched = tuple(one.switched_s for one in told if one.switched_s is not None)
    return Row(fault, runs, tuple(lost + gone), tuple(one.agreed_s for one in told), switched)


def show(rows: list[Row]) -> None:
    """Print the table."""
    print(
        f"{'fault':<28} {'runs':>4}  {'lost':<10} {'agreed after: median':>20} {'worst':>8}  users off (worst)"
    )
    for row in rows:
        lost = "nothing" if not row.lost else f"{len(row.lost)} runs"
        times = row.agreed_s or (float("nan"),)
        off = f"{max(row.switched_s):.2f} s" if row.switched_s else "-"
        print(
            f"{row.fault:<28} {row.runs:>4}  {lost:<10} {statistics.median(times):>18.2f} s {max(times):>6.2f} s  {off}"
        )
        for each in row.lost:
            print(f"    lost: {each}")


def main() -> None:
    """Meet every fault, print a table, write the result, and print its sum as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each fault is met")
    times = parser.parse_args().times
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-faults-") as name:
        for number, fault in enumerate(FAULTS):
            # A world of its own for each: what one fault leaves behind must not make another look good or bad.
            with trial(Path(name) / str(number), engines=2, extra_engine=True) as here:
                rows.append(meet(here, fault, times))
        with trial(Path(name) / "killed") as here:
            rows.append(killed(here))
    show(rows)
    summary = {
        "faults": len(rows),
        "lost": sum(bool(row.lost) for row in rows),
        "converged": sum(not row.lost and len(row.agreed_s) == row.runs for row in rows),
        "runs": sum(row.runs for row in rows),
        "worst_agreed_s": round(max((max(row.agreed_s, default=0.0) for row in rows), default=0.0), 3),
    }
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    detail = {"figures": summary, "machine": machine, "rows": [asdict(row) for row in rows]}
    RESULT.write_text(json.dumps(detail, indent=2) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
