"""How the data sets that Git declares compare with what is here: missing, other bytes, out of date, small, failed.

Called by `loop plan`, `loop data check` and training. `look` reads files and lock; `compare` decides and is pure. A
data set is out of date where the stage of `dvc.yaml` that makes it would run again: another input, or another value
of a parameter, than `dvc.lock` has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from runner.data.hashes import HashCache
from runner.data.tracking import ignoring
from runner.errors import LoopError
from runner.feedback import snapshot
from runner.feedback.preferences.findings import Verdict
from runner.feedback.snapshot.files import PREFERENCES
from runner.spec.dataset import DatasetFile

Checks = Callable[[DatasetFile, str], tuple[str, ...] | None]
"""A data set and its file's MD5 -> the expectations that those bytes do not meet; None where they were not checked."""

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class State(StrEnum):
    """What is wrong with a data set."""

    MISSING = "missing"
    OTHER = "other bytes than declared"
    STALE = "out of date"
    TOO_SMALL = "too small"
    FAILED = "expectation failed"
    UNCHECKED = "not checked"
    REFUSED = "refused by the snapshot's own checks"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one data set here: the file's MD5, its size, why its stage would run again, its checks.

    `failed` are the expectations that are not met; None where these bytes were not checked. `refused` are the checks
    of the pairs as a set that failed, where the file is one of a snapshot.
    """

    hash: str | None
    rows: int = 0
    categories: Mapping[str, int] | None = None
    changed: tuple[str, ...] = ()
    failed: tuple[str, ...] | None = None
    refused: tuple[str, ...] = ()
    written: str | None = None
    """The hash that the data set's file in the working tree declares."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a data set, with what to do about it."""

    name: str
    state: State
    evidence: str
    fix: str


def compare(datasets: Mapping[str, DatasetFile], facts: Mapping[str, Facts]) -> tuple[Finding, ...]:
    """Return everything that is wrong, by data set; nothing for one that is as declared and passed its checks."""
    return tuple(
        finding
        for name in sorted(datasets)
        if name in facts
        for finding in _of_one(datasets[name], facts[name])
    )


_COMMIT = "its file has the hash already: `git commit`"


def _of_one(dataset: DatasetFile, facts: Facts) -> Iterator[Finding]:
    name, make = dataset.name, _making(dataset)
    if facts.hash is None:
        if dataset.hash is None:
            yield Finding(name, State.MISSING, "none was made yet", make)
        else:
            yield Finding(
                name, State.MISSING, f"declared {dataset.hash[:12]}", f"`dvc pull {dataset.path}`, or {make}"
            )
        return
    if dataset.hash is None:
        fix = f"write `hash: {facts.hash}` into its file"
        evidence = f"here {facts.hash[:12]}, declared none"
        yield Finding(name, State.OTHER, evidence, _COMMIT if facts.written == facts.hash else fix)
    elif dataset.hash != facts.hash:
        evidence = f"declared {dataset.hash[:12]}, here {facts.hash[:12]}"
        fix = "`dvc checkout`, or declare what is here by its hash"
        yield Finding(name, State.OTHER, evidence, _COMMIT if facts.written == facts.hash else fix)
    if facts.changed:
        yield Finding(name, State.STALE, f"changed since it was made: {_named(facts.changed)}", make)
    yield from _size(dataset, facts, make)
    if facts.failed is None:
        yield Finding(name, State.UNCHECKED, "these bytes, for these expectations", "`loop data check`")
    elif facts.failed:
        yield Finding(name, State.FAILED, _named(facts.failed), f"`loop data check {name}` shows the rows")
    if facts.refused:
        yield Finding(
            name, State.REFUSED, _named(facts.refused), "`loop data curate` shows each check with its figures"
        )


def _size(dataset: DatasetFile, facts: Facts, make: str) -> Iterator[Finding]:
    least = dataset.minimum
    if facts.rows < least.rows:
        yield Finding(dataset.name, State.TOO_SMALL, f"{facts.rows} rows of {least.rows}", make)
    counts = facts.categories or {}
    thin = [
        f"{category} {counts.get(category, 0)}"
        for category in dataset.categories
        if counts.get(category, 0) < least.per_category
    ]
    if thin:
        evidence = f"{_named(thin)} of {least.per_category} rows a category"
        yield Finding(dataset.name, State.TOO_SMALL, evidence, make)


def _making(dataset: DatasetFile) -> str:
    stage = dataset.provenance.stage
    if stage == "snapshot":
        return "collect more: `loop data progress`, then `loop data curate`"
    return f"`dvc repro {stage}`" if stage else f"write {dataset.path}, then `dvc add {dataset.path}`"


def _named(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def look(
    root: Path,
    datasets: Mapping[str, DatasetFile],
    cache: HashCache,
    checks: Checks,
) -> dict[str, Facts]:
    """Return what is known of every data set below `root`.

    A lock file that cannot be read makes nothing out of date: it is told elsewhere. Raises OSError.
    """
    stages = _stages(root)
    return {name: _facts(root, dataset, cache, checks, stages) for name, dataset in datasets.items()}


def _facts(
    root: Path,
    dataset: DatasetFile,
    cache: HashCache,
    checks: Checks,
    stages: Mapping[str, Any],
) -> Facts:
    path = root / dataset.path
    if not path.is_file():
        return Facts(None)
    rows, categories = _counted(path)
    found = cache.of_file(path, "md5")
    return Facts(
        found,
        rows,
        categories,
        tuple(_changed(root, _maker(dataset.path, stages), cache)),
        checks(dataset, found),
        _refused(root, dataset),
        _value(root / "datasets" / f"{dataset.name}.yaml", "hash"),
    )


def _refused(root: Path, dataset: DatasetFile) -> tuple[str, ...]:
    """Return the failed checks of the snapshot whose pairs these are; an account that cannot be read refuses nothing.

    The checks are of the pairs as a set, so no other file of the snapshot is held to them.
    """
    if dataset.path != f"{snapshot.FOLDER}/{PREFERENCES}":
        return ()
    try:
        account = snapshot.read(root / snapshot.FOLDER)
    except (LoopError, OSError):
        return ()
    return tuple(each.check.value for each in account.checks if each.verdict is Verdict.FAIL)


def _counted(path: Path) -> tuple[int, dict[str, int]]:
    """Return the rows of a file of JSON lines and the rows of each category; broken lines are no rows."""
    rows, categories = 0, dict[str, int]()
    with path.open("rb") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            rows += 1
            category = row.get("category") if isinstance(row, dict) else None
            if isinstance(category, str):
                categories[category] = categories.get(category, 0) + 1
    return rows, categories


def _stages(root: Path) -> Mapping[str, Any]:
    try:
        lock = yaml.load((root / "dvc.lock").read_bytes(), Loader=_LOADER)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    stages = lock.get("stages") if isinstance(lock, dict) else None
    return stages if isinstance(stages, dict) else {}


def _maker(path: str, stages: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the locked stage whose outputs hold a path, empty where none does."""
    for stage in stages.values():
        for output in _entries(stage, "outs"):
            if PurePosixPath(path).is_relative_to(str(output.get("path", "?"))):
                found: Mapping[str, Any] = stage
                return found
    return {}


def _changed(root: Path, stage: Mapping[str, Any], cache: HashCache) -> Iterator[str]:
    """Yield the inputs and parameters of a stage that are not what it was run with."""
    for dep in _entries(stage, "deps"):
        path = str(dep.get("path", ""))
        if cache.dvc_hash(root / path, ignoring(root, path)) != dep.get("md5"):
            yield path
    params = stage.get("params")
    for file, values in params.items() if isinstance(params, dict) else ():
        yield from (
            f"{file}: {key}" for key, value in values.items() if _value(root / str(file), str(key)) != value
        )


def _entries(stage: Any, key: str) -> list[Mapping[str, Any]]:
    found = stage.get(key) if isinstance(stage, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _value(file: Path, key: str) -> Any:
    """Return the value of a dotted key of a YAML file, None where there is none."""
    try:
        value = yaml.load(file.read_bytes(), Loader=_LOADER)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return None
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
