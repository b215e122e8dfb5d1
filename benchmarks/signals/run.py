"""`make bench-signals`: every detector on labelled data beside its baseline, and the speed of a pass.

Each part is a module with `measure`; it prints its own table and returns its figures. Parts run one after the other in
processes of their own, so that the memory of one is not the next one's. The last line is one JSON object; without the
real data the figures that need it are null.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "signals.json"
DATA = ("refusal", "reask", "wikibio", "novelty", "drift", "guards", "agreement")
"""Parts that read labelled data; `speed` makes its own events."""
KEYS = (
    "refusal_f1",
    "refusal_f1_fitted",
    "refusal_f1_fitted_light",
    "keyword_f1",
    "reask_auc_ko",
    "reask_auc_disfl",
    "wikibio_aucpr",
    "wikibio_aucpr_k5",
    "ood_auroc",
    "drift_false_alarms",
    "drift_questions_to_detect",
    "bing_first_alarm",
    "events_per_s",
    "pandas_events_per_s",
    "peak_mib",
    "spark_equal",
)
"""What the last line always has."""


def data() -> Path | None:
    """Return where the labelled data are: LOOP_REAL_DATA, or beside the checkout; None where there are none."""
    path = Path(os.environ.get("LOOP_REAL_DATA") or ROOT.parent / "shared" / "data")
    return path if path.is_dir() else None


def main() -> int:
    """Run what was asked for; returns 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="events of the speed part")
    parser.add_argument("--only", nargs="*", choices=[*DATA, "speed"], help="run these parts alone")
    asked = parser.parse_args()
    figures: dict[str, Any] = dict.fromkeys(KEYS)
    failed = []
    for part in asked.only or [*DATA, "speed"]:
        argument = asked.events if part == "speed" else data()
        if argument is None:
            print(f"{part}: skipped, the labelled data are not here (LOOP_REAL_DATA)", file=sys.stderr)
            continue
        begin = time.perf_counter()
        found = _apart(part, argument)
        print(f"({part}: {time.perf_counter() - begin:.0f} s)\n", file=sys.stderr, flush=True)
        failed += [] if found is not None else [part]
        figures |= found or {}
    _keep(figures, asked.only is None)
    print(json.dumps(figures))
    if failed:
        print(f"error: failed: {', '.join(failed)}; what they measure is null", file=sys.stderr)
    return 1 if failed else 0


def _keep(figures: dict[str, Any], whole: bool) -> None:
    """Write the figures; those of single parts into what earlier runs left."""
    earlier = {} if whole or not RESULTS.exists() else json.loads(RESULTS.read_text(encoding="utf-8"))
    measured = figures if whole else {name: value for name, value in figures.items() if value is not None}
    RESULTS.write_text(json.dumps(earlier | measured, indent=1) + "\n", encoding="utf-8")


def _apart(part: str, argument: Path | int) -> dict[str, Any] | None:
    """Run one part in a process of its own and return its figures, None where it failed."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(part, argument, there))
    process.start()
    there.close()
    try:
        found: dict[str, Any] | None = here.recv()
    except EOFError:
        found = None
    finally:
        process.join()
    return found


def _run(part: str, argument: Path | int, answer: Any) -> None:
    module = importlib.import_module(f"benchmarks.signals.{part}")
    try:
        answer.send(module.measure(argument))
    except Exception:
        traceback.print_exc()
    finally:
        answer.close()


if __name__ == "__main__":
    sys.exit(main())
