"""Write the data files of the small world: `python -m runner.simulation.bookshop datasets/bookshop`.

The data stage of `dvc.yaml`. Writes one JSONL file for each split, `demonstrations.jsonl` for the first version and
`statements.jsonl` for the base; the same code writes the same bytes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runner.simulation.bookshop.questions import Split, to_json
from runner.simulation.bookshop.suites import demonstrations, shipped, statements


def write(folder: Path) -> dict[str, int]:
    """Write every file into `folder` and return the number of lines of each. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {
        split.value: _lines(folder / f"{split.value}.jsonl", map(to_json, shipped(split))) for split in Split
    }
    said = ({"fact": fact, "language": language.value, "text": text} for fact, language, text in statements())
    counts["demonstrations"] = _lines(folder / "demonstrations.jsonl", map(to_json, demonstrations()))
    return {**counts, "statements": _lines(folder / "statements.jsonl", said)}


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)


if __name__ == "__main__":
    for name, count in write(Path(sys.argv[1])).items():
        print(f"{name:12} {count:6} lines")
