"""`datasets/snapshot/`: the data sets, what was rejected, and the account of all, replaced as a whole.

Called by `loop data snapshot`, which DVC runs as the stage `snapshot`, and by everybody who reads a snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from runner.feedback import folders
from runner.feedback.preferences.pairs import Dropped
from runner.feedback.snapshot import provenance
from runner.feedback.snapshot.build import Snapshot
from runner.feedback.snapshot.provenance import Origins, Provenance

FOLDER: Final = "datasets/snapshot"
"""Where it lies in the repository."""
PREFERENCES, CORRECTIONS, THUMBS = "preferences.jsonl", "corrections.jsonl", "thumbs.jsonl"
CASES, REJECTED, PROVENANCE = "cases.jsonl", "rejected.jsonl", "provenance.json"
ROWS: Final = (PREFERENCES, CORRECTIONS, THUMBS, CASES)
"""The files whose rows have an id."""


def write(snapshot: Snapshot, folder: Path, origins: Origins) -> Provenance:
    """Replace the folder and return the account that is in it.

    Raises TransientError where somebody else writes beside it, OSError; then the folder is as it was.
    """
    files = {
        PREFERENCES: _lines(snapshot.preferences),
        CORRECTIONS: _lines(snapshot.corrections),
        THUMBS: _lines(snapshot.thumbs),
        CASES: _lines(snapshot.cases),
        REJECTED: _lines(map(_rejected, snapshot.rejected)),
    }
    account = provenance.describe(snapshot, files, origins)
    text = json.dumps(provenance.to_json(account), indent=1, ensure_ascii=False)
    folders.swap(folder, _builder({**files, PROVENANCE: f"{text}\n".encode()}))
    return account


def read(folder: Path) -> Provenance:
    """Return the account of a folder's snapshot. Raises TerminalError where there is none, TransientError, OSError."""
    folders.settle(folder)
    return provenance.read(folder / PROVENANCE)


def rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file of the snapshot, nothing where it is not there. Raises OSError, ValueError."""
    path = folder / name
    if path.is_file():
        with path.open("rb") as lines:
            yield from map(orjson.loads, lines)


def _builder(files: Mapping[str, bytes]) -> Callable[[Path], None]:
    def build(fresh: Path) -> None:
        for name, content in files.items():
            (fresh / name).write_bytes(content)

    return build


def _lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)


def _rejected(each: Dropped) -> dict[str, Any]:
    return {
        "id": each.item,
        "use": each.use.value,
        "reasons": [why.value for why in each.reasons],
        "detail": each.detail,
        "category": each.category,
        "language": each.language,
    }
