"""`make bench-curate`: a million events to a checked snapshot, by step; the baseline in pandas; agreement and ranking.

Each part runs in a process of its own, so that its peak of memory is its own. Making the log is not counted; it is
kept in `.cache/`. The last line is one JSON object, with null for what could not be measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.curate import events

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "curate.json"
NEEDED = ("loop.yaml", "policies", "datasets", "models")
KEYS = (
    "events",
    "seconds",
    "cpu_seconds",
    "peak_mib",
    "collect_seconds",
    "snapshot_seconds",
    "steps",
    "records",
    "pandas_extract_seconds",
    "pandas_extract_peak_mib",
)
"""What the last line always has, beside the figures of `agreement`."""
GOAL_S, GOAL_MIB = 300.0, 2048.0

Figures = dict[str, Any]


def main() -> int:
    """Run all parts; returns 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="about how many events the log has")
    asked = parser.parse_args()
    figures: Figures = dict.fromkeys(KEYS)
    log = events.write(ROOT / ".cache", asked.events)
    print(f"{log.events:,} events of {events.DAYS} days\n", flush=True)
    parts: dict[str, tuple[Callable[[Any], Figures], Any]] = {
        "curate": (curate, log),
        "pandas": (in_pandas, log.home),
        "agreement": (agreement, None),
    }
    failed = []
    for name, (part, argument) in parts.items():
        found = _apart(part, argument)
        failed += [] if found is not None else [name]
        figures |= found or {}
    figures["events"] = log.events
    _show(figures)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    if failed:
        print(f"error: failed: {', '.join(failed)}; what they measure is null", file=sys.stderr)
    return 1 if failed else 0


def curate(log: events.Log) -> Figures:
    """Collect and make the snapshot, in a copy of the repository without its Git; seconds by step."""
    from runner.cli.data_collect import collect
    from runner.cli.repository import read_spec

    steps = _Steps()
    with tempfile.TemporaryDirectory(prefix="loop-curate-") as home:
        root = _repository(Path(home), log)
        spec = read_spec(root)
        begin, cpu = time.perf_counter(), time.process_time()
        steps.tell("starting")
        summary = collect(root, spec, "production", None, steps.tell, now_us=log.until_us)
        collected = time.perf_counter()
        found: Figures = {"collect_seconds": round(collected - begin, 1), "records": dict(summary.reasons)}
        found |= _snapshot(root, spec, steps)
        steps.tell("")
        seconds = time.perf_counter() - begin
    whole = "snapshot_seconds" in found
    return {
        **found,
        "seconds": round(seconds, 1) if whole else None,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mib": _peak_mib(),
        "steps": {name: round(spent, 1) for name, spent in steps.spent.items()},
    }


def _snapshot(root: Path, spec: Any, steps: _Steps) -> Figures:
    """Make the snapshot; nothing where it cannot be made, and the reason on standard error."""
    from runner.cli.data_snapshot import snapshot

    begin = time.perf_counter()
    steps.tell("snapshot")
    try:
        made = snapshot(root, spec)
    except Exception:
        traceback.print_exc()
        return {}
    return {"snapshot_seconds": round(time.perf_counter() - begin, 1), "verdict": str(made.verdict)}


class _Steps:
    """Adds up the seconds between what is told; figures in a step's name do not make it another."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._name, self._since = "", time.perf_counter()

    def tell(self, text: str) -> None:
        now = time.perf_counter()
        if self._name:
            self.spent[self._name] = self.spent.get(self._name, 0.0) + now - self._since
        self._name, self._since = " ".join(w for w in text.split() if not w[0].isdigit()), now


def _repository(home: Path, log: events.Log) -> Path:
    for name in NEEDED:
        source = ROOT / name
        shutil.copytree(source, home / name) if source.is_dir() else shutil.copy(source, home / name)
    for made in ("collected", "snapshot"):
        shutil.rmtree(home / "datasets" / made, ignore_errors=True)
    state = home / ".loop" / "production"
    state.mkdir(parents=True)
    for name in ("events", "lake"):
        (state / name).symlink_to(log.home.resolve() / name)
    return home


def in_pandas(home: Path) -> Figures:
    """Return time and memory of the extraction in pandas."""
    from benchmarks.curate import frames

    begin = time.perf_counter()
    found = frames.extract(home)
    return {
        "pandas_extract_seconds": round(time.perf_counter() - begin, 1),
        "pandas_extract_peak_mib": _peak_mib(),
        "pandas_found": found,
    }


def agreement(_: None) -> Figures:
    """Return how far agreement and ranking are from what the libraries say directly."""
    from benchmarks.curate import agreement as part

    return part.measure()


def _peak_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _apart(part: Callable[[Any], Figures], argument: Any) -> Figures | None:
    """Run one part in a process of its own and return its figures, None where it failed."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(part, argument, there))
    process.start()
    there.close()
    try:
        found: Figures | None = here.recv()
    except EOFError:
        found = None
    finally:
        process.join()
    return found


def _run(part: Callable[[Any], Figures], argument: Any, answer: Any) -> None:
    try:
        answer.send(part(argument))
    except Exception:
        traceback.print_exc()
    finally:
        answer.close()


def _show(figures: Figures) -> None:
    print(f"{'step':<66} {'seconds':>8}")
    for name, seconds in (figures["steps"] or {}).items():
        print(f"{name:<66} {seconds:>8.1f}")
    print()
    print(f"{'':<42} {'seconds':>8} {'peak MiB':>9}")
    rows = (
        ("events to a checked snapshot", figures["seconds"], figures["peak_mib"]),
        ("  of it collected", figures["collect_seconds"], None),
        ("  of it the snapshot", figures["snapshot_seconds"], None),
        ("goal", GOAL_S, GOAL_MIB),
        (
            "pandas, extraction alone, nothing masked",
            figures["pandas_extract_seconds"],
            figures["pandas_extract_peak_mib"],
        ),
    )
    for name, seconds, peak in rows:
        print(f"{name:<42} {_number(seconds):>8} {_number(peak):>9}")
    print()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
