"""`datasets/collected/`: what was taken from the log, as lines of JSON, and the manifest that says from what.

`loop data collect` writes it, and everything after it reads it: labels, checks, data sets, lineage. The folder changes
as a whole (`folders.swap`), the manifest is written last, and lines are in order of time, so that the same events give
the same bytes. `synthetic.jsonl`, which augmentation makes, is kept when the rest is written anew, but for pairs
whose parents are not there any more: they say what somebody said who may have asked to be forgotten.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
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
TAKEN_OUT: Final = "taken_out"
"""The manifest's fact: file -> lines that were taken out of it since, or of the folder before it."""

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
    """Replace the folder; of `synthetic` that is None, what is there is kept but for `orphans`.

    A crash leaves the old folder, or the new one. Raises TransientError where somebody else writes beside it, OSError.
    """
    _swap(folder, lambda: collected)


def edit(folder: Path, change: Callable[[Collected], Collected]) -> None:
    """Replace the folder by what `change` makes of its content, while nobody else can write beside it.

    `synthetic` is None in what it is given, and kept as by `write`. Raises as `read` and `write` do.
    """
    _swap(folder, lambda: change(_content(folder)))


def orphans(folder: Path, collected: Collected) -> int:
    """Return how many synthetic pairs of the folder were made from something that is not in `collected`.

    A line that does not say from what it was made is one of them. Raises OSError.
    """
    path = folder / SYNTHETIC
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return len(lines) - len(_parented(lines, collected))


def noting(collected: Collected, lost: Mapping[str, int]) -> Collected:
    """Return the content whose manifest says that so many lines more (by file) were taken out."""
    before = Counter(collected.facts.get(TAKEN_OUT, {}))
    counts = dict(sorted((before + Counter(lost)).items()))
    return replace(collected, facts={**collected.facts, TAKEN_OUT: counts} if counts else collected.facts)


def is_there(folder: Path) -> bool:
    """Return whether something was collected, or pulled. Raises TransientError, OSError."""
    folders.settle(folder)
    return (folder / MANIFEST).is_file()


def read(folder: Path) -> Collected:
    """Return the folder's content; a folder that a crash left between two names is brought to its own first.

    Raises TerminalError where there is none, or where a file is not what was written; TransientError, OSError.
    """
    folders.settle(folder)
    synthetic = folder / SYNTHETIC
    lines = _read(synthetic, {}, dict) if synthetic.is_file() else None
    return replace(_content(folder), synthetic=lines)


def manifest(folder: Path) -> Mapping[str, Any]:
    """Return the manifest alone. Raises as `read` does."""
    folders.settle(folder)
    return _read_manifest(folder)


def _swap(folder: Path, make: Callable[[], Collected]) -> None:
    def build(fresh: Path) -> None:
        content = make()
        files = {
            RECORDS: _lines(map(to_json, content.records)),
            VOTES: _lines(map(to_json, content.ballots)),
            LABELS: _lines(map(to_json, content.labels)),
        }
        if content.synthetic is not None:
            files[SYNTHETIC] = _lines(content.synthetic)
        elif (folder / SYNTHETIC).is_file():
            made = (folder / SYNTHETIC).read_bytes().splitlines()
            files[SYNTHETIC] = b"".join(line + b"\n" for line in _parented(made, content))
        for name, lines in files.items():
            (fresh / name).write_bytes(lines)
        (fresh / MANIFEST).write_bytes(_manifest(content.facts, files))

    folders.swap(folder, build)


def _content(folder: Path) -> Collected:
    """Return what lies under the folder's name, without synthetic pairs."""
    said = _read_manifest(folder)
    return Collected(
        _read(folder / RECORDS, said, record_from_json),
        _read(folder / VOTES, said, ballot_from_json),
        _read(folder / LABELS, said, label_from_json),
        facts={name: value for name, value in said.items() if name not in ("schema", "files")},
    )


def _parented(lines: Iterable[bytes], collected: Collected) -> list[bytes]:
    """Return the lines of synthetic pairs of which everything that they were made from was collected."""
    parents = {each.id for each in collected.records} | {each.id for each in collected.ballots}
    return [line for line in lines if _is_made_from(line, parents)]


def _is_made_from(line: bytes, parents: Set[str]) -> bool:
    try:
        sources = orjson.loads(line)["sources"]
        return parents >= {source.partition("/")[0] for source in sources}  # `ITEM/TASK` is a reviewer's
    except (ValueError, KeyError, TypeError, AttributeError):
        return False  # nobody can say whose it is


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
