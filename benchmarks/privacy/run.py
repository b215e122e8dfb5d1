"""`make bench-privacy`: masking of personal data beside Presidio without a model and the gateway's expressions alone.

Each part is a module with `measure`; it prints its tables and returns its figures. The last line is one JSON object;
without the labelled texts the figures that need them are null.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "privacy.json"
PARTS = ("synth", "korean", "twice", "damage")
KEYS = (
    "pii_token_f1",
    "recall_structured",
    "recall_names",
    "recall_places",
    "precision",
    "texts_per_s",
    "presidio_token_f1",
    "pii_token_f1_twice",
    "recall_names_twice",
    "recall_places_twice",
    "damage_twice",
)
"""What the last line always has."""


def data() -> Path | None:
    """Return where the labelled texts are: LOOP_REAL_DATA, or beside the checkout; None where there are none."""
    path = Path(os.environ.get("LOOP_REAL_DATA") or ROOT.parent / "shared" / "data")
    return path if (path / "presidio_synth").is_dir() else None


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, help="run these parts alone; nothing is kept")
    asked = parser.parse_args()
    figures: dict[str, Any] = dict.fromkeys(KEYS)
    for part in asked.only or PARTS:
        if part == "synth" and data() is None:
            print("synth: skipped, the labelled texts are not here (LOOP_REAL_DATA)", file=sys.stderr)
            continue
        begin = time.perf_counter()
        figures |= importlib.import_module(f"benchmarks.privacy.{part}").measure(data())
        print(f"({part}: {time.perf_counter() - begin:.0f} s)\n", file=sys.stderr, flush=True)
    figures = {name: value if value is None else round(value, 4) for name, value in figures.items()}
    if asked.only is None:
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
