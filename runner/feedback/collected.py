"""`datasets/collected/`: what was taken from the log, as lines of JSON, and the manifest that says from what.

`loop data collect` writes it, and everything after it reads it: labels, checks, data sets, lineage. The folder changes
as a whole (`folders.swap`), the manifest is written last, and lines are in order of time, so that the same events give
the same bytes. `synthetic.jsonl`, which augmentation makes, is kept when the rest is written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from runner import digest
from runner.errors import Diagnostic, Location, TerminalError, terminal
from runner.feedback import folders
from runner.feedback.records import (
    Ballot,
    Label,
    Record,
    ballot_from_json,
    label_from_json,
    record_from_json,
    to_json,
)

FOLDER: Final = "datasets/collected"
"""Where it lies in the repository."""
SCHEMA: Final = 1
"""Raised whenever lines of an older manifest are to be read otherwise."""
RECORDS, VOTES, LABELS, SYNTHETIC = "records.jsonl", "votes.jsonl", "labels.jsonl", "synthetic.jsonl"
MANIFEST: Final = "manifest.json"

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class Collected:
    """The folder's content; `facts` are what the manifest says of where it comes from, digests of files apart.

    `synthetic` are the lines of augmentation as they stand, None where nobody made any.
    """

    records: tuple[Record, ...] = ()
    ballots: tuple[Ballot, ...] = ()
    labels: tuple[Label, ...] = ()
    synthetic: tuple[Mapping[str, Any], ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def write(folder: Path, collected: Collected) -> None:
    """Replace the folder; of `synthetic` that is None, what is there is kept.

    A crash leaves the old folder, or the new one. Raises TransientError where somebody else writes beside it, OSError.
    """
    lines = {
        RECORDS: _lines(map(to_json, collected.records)),
        VOTES: _lines(map(to_json, collected.ballots)),
        LABELS: _lines(map(to_json, collected.labels)),
    }
    if collected.synthetic is not None:
        lines[SYNTHETIC] = _lines(collected.synthetic)

    def build(fresh: Path) -> None:
        files = dict(lines)
        if SYNTHETIC not in files and (folder / SYNTHETIC).is_file():
            files[SYNTHETIC] = (folder / SYNTHETIC).read_bytes()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        (fresh / MANIFEST).write_bytes(_manifest(collected.facts, files))

    folders.swap(folder, build)


def read(folder: Path) -> Collected:
    """Return the folder's content; a folder that a crash left between two names is brought to its own first.

    Raises TerminalError where there is none, or where a file is not what was written; TransientError, OSError.
    """
    folders.settle(folder)
    said = _read_manifest(folder)
    synthetic = folder / SYNTHETIC
    return Collected(
        _read(folder / RECORDS, said, record_from_json),
        _read(folder / VOTES, said, ballot_from_json),
        _read(folder / LABELS, said, label_from_json),
        _read(synthetic, {}, dict) if synthetic.is_file() else None,
        {name: value for name, value in said.items() if name not in ("schema", "files")},
    )


def manifest(folder: Path) -> Mapping[str, Any]:
    """Return the manifest alone. Raises as `read` does."""
    folders.settle(folder)
    return _read_manifest(folder)


def _lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(_clean(value), option=orjson.OPT_APPEND_NEWLINE) for value in values)


def _clean(value: Any) -> Any:
    """Return a value whose texts can be written: half a surrogate pair, which a model may say, becomes a mark."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case Mapping():
            return {_clean(name): _clean(each) for name, each in value.items()}
        case list() | tuple():
            return [_clean(each) for each in value]
        case _:
            return value


def _manifest(facts: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    digests = {
        name: {"lines": content.count(b"\n"), "sha256": digest.of_bytes(content)}
        for name, content in files.items()
    }
    value = {"schema": SCHEMA, **facts, "files": digests}
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        value = json.loads(path.read_bytes())
        if value["schema"] != SCHEMA or not isinstance(value["files"], dict):
            raise ValueError(f"schema {value['schema']!r} is not {SCHEMA}")
    except FileNotFoundError:
        raise terminal(
            "nothing has been collected yet", f"{path} is not there", fix="collect it: `loop data collect`"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    return dict(value)


def _read(path: Path, manifest: Mapping[str, Any], parse: Callable[[Any], Line]) -> tuple[Line, ...]:
    """Return the lines of a file, checked against its digest where the manifest has one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _damaged(path, "the manifest names it, and it is not there") from None
    expected = manifest.get("files", {}).get(path.name, {}).get("sha256")
    if manifest and digest.of_bytes(content) != expected:
        raise _damaged(path, "its bytes are not those that were written")
    found = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            found.append(parse(orjson.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(path, f"{type(error).__name__}: {error}", number) from error
    return tuple(found)


def _damaged(path: Path, why: str, line: int = 0) -> TerminalError:
    return TerminalError(
        Diagnostic(
            "what was collected is damaged",
            Location(str(path), line),
            (why,),
            "collect it again: `loop data collect`, or fetch it: `dvc pull`",
        )
    )
