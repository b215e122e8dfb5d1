"""What files say: the runner's last pass, reports, the snapshot and what versions were trained on, placed adapters.

Called by `gather`. Reports come from the revision; what DVC keeps, from wherever its bytes are here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from runner import digest
from runner.checklist.facts import Bytes, Pass, Placed, Snapshot, Sourced
from runner.data.store import inside
from runner.errors import LoopError, Unknown
from runner.evaluation.results import Report
from runner.feedback import collected
from runner.feedback import snapshot as snapshots
from runner.git.tree import TreeFiles
from runner.reconcile.journal import holder
from runner.reconcile.state import StatePaths
from runner.spec.load import Spec
from runner.spec.model import ModelFile

CACHE = ".dvc/cache"


def last_pass(paths: StatePaths) -> Pass | None:
    """Return what the runner's last pass found, None where there was none. Raises OSError, ValueError, KeyError."""
    try:
        value = json.loads(paths.status.read_bytes())
    except FileNotFoundError:
        return None
    adapters = tuple(
        Placed(str(each["served"]), str(each["role"]), len(each["verified"]), int(each["replicas"]))
        for each in value["adapters"]
    )
    return Pass(
        float(value["at"]), str(value["verdict"]), str(value["revision"]), adapters, holder(paths.journal)
    )


def reports(files: TreeFiles, spec: Spec) -> dict[str, Report | Unknown | None]:
    """Return the report of each version; None where there is none of today's form."""
    return {name: _report(files, model) for name, model in spec.models.items()}


def _report(files: TreeFiles, model: ModelFile) -> Report | Unknown | None:
    if model.evaluation is None or model.evaluation.report not in files.paths():
        return None
    try:
        return Report.from_json(json.loads(files.read(model.evaluation.report)), model.evaluation.report)
    except (LoopError, ValueError, RecursionError):
        return None  # an older form, which shows nothing of which bytes were asked
    except OSError as error:
        return Unknown(f"{model.evaluation.report}: {error.strerror}")


def snapshot(root: Path) -> Snapshot | None:
    """Return the snapshot of feedback in the working tree, None where there is none. Raises LoopError, OSError."""
    folder = root / snapshots.FOLDER
    if not (folder / "provenance.json").is_file():
        return None
    account = snapshots.read(folder)
    rows = {name: facts.rows for name, facts in account.files.items() if name in snapshots.files.ROWS}
    return Snapshot(account.id, account.verdict.value, rows)


def sourced(root: Path, spec: Spec) -> tuple[Sourced, ...]:
    """Return for each version that was trained on a snapshot the events behind its data.

    Raises LoopError, OSError, and ValueError where a line is none.
    """
    known = _records(root)
    found = []
    for model in spec.models.values():
        path = spec.datasets[model.training.dataset].path
        if path.startswith(f"{snapshots.FOLDER}/"):
            data = _bytes(root, path, model.training.dataset_hash)
            rows = (
                None
                if data is None
                else tuple(_sources(orjson.loads(row), known) for row in data.splitlines())
            )
            found.append(Sourced(model.name, path, rows))
    return tuple(found)


def _records(root: Path) -> dict[str, tuple[str, ...]]:
    """Return the events that each record was made from, as far as what was collected is still here."""
    path = root / collected.FOLDER / collected.RECORDS
    if not path.is_file():
        return {}
    rows: Iterator[dict[str, Any]] = map(orjson.loads, path.read_bytes().splitlines())
    return {str(row["id"]): tuple(row["sources"]) for row in rows}


def _sources(row: dict[str, Any], known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the ids of the events that a row was made from."""
    named: Iterable[str] = (str(each).partition("/")[0] for each in row.get("sources", ()))
    return tuple(event for name in named for event in known.get(name, (name,)))


def _bytes(root: Path, path: str, md5: str) -> bytes | None:
    """Return the bytes with DVC's hash, from the working tree, its cache or a store in the repository; else None."""
    stores = [CACHE, *([store] if (store := inside(root)) is not None else [])]
    places = [root / path, *(root / each / "files/md5" / md5[:2] / md5[2:] for each in stores)]
    for place in places:
        if place.is_file():
            data = place.read_bytes()
            if hashlib.md5(data, usedforsecurity=False).hexdigest() == md5:
                return data
    return None


def placed(adapters: Path, serves: Iterable[str]) -> tuple[Bytes, ...]:
    """Return the digests of placed adapters, read anew. Raises OSError."""
    return tuple(
        Bytes(name, digest.of_directory(adapters / name) if (adapters / name).is_dir() else None)
        for name in dict.fromkeys(serves)
    )
