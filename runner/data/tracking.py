"""What DVC tracks at a revision, and whether the working tree has it.

Called by the reconciler's observation and by the command line. Reads `*.dvc` and `dvc.lock` (and
`dvc.yaml`, which alone says in which folder a stage works and which outputs Git holds instead). Never
imports dvc, never fetches. A file that cannot be read is told and left out; the others count (invariant
14).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from posixpath import basename, dirname, isabs, join, normpath
from typing import Any, Protocol

import yaml

from runner.data.hashes import HashCache
from runner.errors import Diagnostic, Location

# Every scalar stays text: a hash of digits only must not become a number.
_LOADER: type[yaml.BaseLoader] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")
_TEMPLATE = re.compile(r"\$\{[^}]*\}")
_KINDS = ("outs", "metrics", "plots")
_TOP = PurePosixPath()
_GLOB = re.compile(r"[*?\[]")


class State(StrEnum):
    """How the working tree compares with what is tracked."""

    PRESENT = "present"
    MISSING = "missing"
    MODIFIED = "modified"


@dataclass(frozen=True, slots=True, order=True)
class Tracked:
    """A file or directory that DVC keeps: its path from the top, DVC's hash, its size in bytes where known.

    `source` is the file that tracks it; `ignore` are the patterns of what DVC leaves out of it: names, and paths from
    its top, which begin with `/`.
    """

    path: str
    hash: str
    size: int | None
    source: str
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tracking:
    """Everything that DVC tracks, in order of path, and what could not be read."""

    outputs: tuple[Tracked, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class TrackedFiles(Protocol):
    """What is needed of a revision; `runner.git`'s files of a commit are one."""

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises OSError."""
        ...

    def paths(self) -> tuple[str, ...]:
        """Return the paths of all files."""
        ...


@dataclass(frozen=True, slots=True)
class AsTheyStand:
    """The files of a revision, as they are in the working tree at `root` now; those that are gone are left out."""

    files: TrackedFiles
    root: Path

    def paths(self) -> tuple[str, ...]:
        """Return the paths of all files."""
        return tuple(path for path in self.files.paths() if (self.root / path).is_file())

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises OSError."""
        return (self.root / path).read_bytes()


def read_tracking(files: TrackedFiles) -> Tracking:
    """Return what the DVC files among `files` track; what they say wrongly is told in the diagnostics."""
    outputs: list[Tracked] = []
    ignored, diagnostics = _ignored(files)
    for path in files.paths():
        if _below(path, ignored):
            continue
        try:
            match basename(path):
                case "dvc.lock":
                    outputs += list(_locked(files, path))
                case name if name.endswith(".dvc") and name != ".dvc":
                    outputs += list(_pointed(path, _load(files, path)))
        except _Unreadable as error:
            diagnostics.append(error.diagnostic)
    whole = (replace(output, ignore=_governing(output.path, ignored)) for output in outputs)
    return Tracking(tuple(sorted(whole)), tuple(diagnostics))


def ignoring(root: Path, path: str) -> tuple[str, ...]:
    """Return the patterns of what DVC leaves out of a folder of the working tree: its own, and those above it.

    A `.dvcignore` that cannot be understood leaves nothing out; `read_tracking` tells of it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for folder in (PurePosixPath(path), *PurePosixPath(path).parents):
        file = root / folder / ".dvcignore"
        with contextlib.suppress(OSError, _Unreadable):
            found["" if folder == _TOP else str(folder)] = _patterns(str(file), file.read_bytes())
    return _governing(path, found)


def state_of(tracked: Tracked, root: Path, cache: HashCache) -> State:
    """Return how the working tree at `root` compares with one tracked path. Raises OSError."""
    found = cache.dvc_hash(root / tracked.path, tracked.ignore)
    if found is None:
        return State.MISSING
    return State.PRESENT if found == tracked.hash else State.MODIFIED


def survey(tracking: Tracking, root: Path, cache: HashCache) -> dict[str, State]:
    """Return the state of every tracked path, and save what the cache learnt. Raises OSError."""
    states = {tracked.path: state_of(tracked, root, cache) for tracked in tracking.outputs}
    cache.save()
    return states


class _Unreadable(Exception):
    """A DVC file that says something that cannot be relied on."""

    def __init__(self, path: str, summary: str, fix: str | None = None) -> None:
        super().__init__(summary)
        self.diagnostic = Diagnostic(summary, Location(path), fix=fix)


def _pointed(path: str, value: Mapping[str, Any]) -> Iterator[Tracked]:
    """Yield the outputs of a `NAME.dvc` file, which are relative to its folder."""
    folder = join(dirname(path), str(value.get("wdir", ".")))
    for output in _list(path, value.get("outs")):
        if isinstance(output, dict) and output.get("cache") == "false":
            continue
        yield _tracked(path, folder, output)


def _locked(files: TrackedFiles, path: str) -> Iterator[Tracked]:
    """Yield the outputs of every stage in a `dvc.lock`, less those that Git holds (`cache: false`)."""
    lock, pipeline = _load(files, path), join(dirname(path), "dvc.yaml")
    declared = _mapping(pipeline, _load(files, pipeline).get("stages"))
    for name, stage in _mapping(path, lock.get("stages")).items():
        folder, held = _declaration(pipeline, name, declared)
        for output in _list(path, _mapping(path, stage).get("outs")):
            told = _mapping(path, output).get("path", "")
            if not any(pattern.fullmatch(told) for pattern in held):
                yield _tracked(path, folder, output)


def _declaration(path: str, stage: str, declared: Mapping[str, Any]) -> tuple[str, list[re.Pattern[str]]]:
    """Return the folder a stage works in, and patterns of its outputs that Git holds instead of DVC.

    Stages that a template makes are named `NAME@KEY` in the lock file and declared under `NAME`.
    """
    found = declared.get(stage, declared.get(stage.rpartition("@")[0]))
    if found is None:
        raise _Unreadable(path, f"stage '{stage}' is in dvc.lock and not declared", fix="run `dvc repro`")
    body = _mapping(path, found)
    body = _mapping(path, body.get("do", body))
    wdir = str(body.get("wdir", "."))
    if _TEMPLATE.search(wdir):
        raise _Unreadable(
            path, f"stage '{stage}': a template in wdir is not supported", fix="write the folder out"
        )
    entries = [entry for kind in _KINDS for entry in _list(path, body.get(kind))]
    held = [
        _pattern(name)
        for entry in entries
        if isinstance(entry, dict)
        for name, options in entry.items()
        if isinstance(options, dict) and options.get("cache") == "false"
    ]
    return join(dirname(path), wdir), held


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, _TEMPLATE.split(name))))


def _tracked(path: str, folder: str, output: Any) -> Tracked:
    about = _mapping(path, output)
    place, found, size = about.get("path"), about.get("md5"), about.get("size", "")
    if not isinstance(place, str) or "://" in place or isabs(place):
        raise _Unreadable(path, f"output '{place}' is not a path in this repository")
    inside = normpath(join(folder, place))
    if inside.startswith(".."):
        raise _Unreadable(path, f"output '{place}' is outside this repository")
    if not isinstance(found, str) or not _HASH.fullmatch(found):
        raise _Unreadable(path, f"output '{place}' has no MD5", fix="run `dvc commit`")
    if about.get("hash") != "md5":
        raise _Unreadable(
            path, f"output '{place}' was hashed by DVC 2", fix="run `dvc cache migrate --dvc-files`"
        )
    return Tracked(inside, found, int(size) if str(size).isdecimal() else None, path)


def _ignored(files: TrackedFiles) -> tuple[dict[str, tuple[str, ...]], list[Diagnostic]]:
    """Return the patterns of every .dvcignore by its folder, and what cannot be understood."""
    ignored: dict[str, tuple[str, ...]] = {}
    diagnostics: list[Diagnostic] = []
    for path in files.paths():
        if basename(path) == ".dvcignore":
            try:
                ignored[dirname(path)] = _patterns(path, files.read(path))
            except _Unreadable as error:
                diagnostics.append(error.diagnostic)
    return ignored, diagnostics


def _patterns(path: str, content: bytes) -> tuple[str, ...]:
    """Return the patterns of a .dvcignore: of names, and paths from its folder without wildcards, with `/` before."""
    lines = (line.strip() for line in content.decode(errors="replace").splitlines())
    patterns = tuple(line for line in lines if line and not line.startswith("#"))
    for pattern in patterns:
        if pattern.startswith("!") or "\\" in pattern or (_is_path(pattern) and _GLOB.search(pattern)):
            fix = "name a file or folder, as `*.tmp`, or write the path out, as `/folder/`"
            raise _Unreadable(path, f"pattern '{pattern}' is not supported", fix=fix)
    return tuple(f"/{pattern.lstrip('/')}" if _is_path(pattern) else pattern for pattern in patterns)


def _is_path(pattern: str) -> bool:
    """Return whether a pattern is of a path: as in a .gitignore, a `/` before or within ties it to its folder."""
    return "/" in pattern.rstrip("/")


def _below(path: str, ignored: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether a file lies in a folder that is left out by its path."""
    return any(
        path.startswith(join(folder, pattern.strip("/")) + "/")
        for folder, found in ignored.items()
        for pattern in found
        if _is_path(pattern)
    )


def _governing(path: str, ignored: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the patterns that count for an output: those of its folder and of every folder above.

    Paths are those inside it, from its top.
    """
    found: list[str] = []
    for folder, patterns in ignored.items():
        if folder in ("", path) or path.startswith(f"{folder}/"):
            names = (pattern for pattern in patterns if not _is_path(pattern))
            paths = (f"/{join(folder, pattern[1:])}" for pattern in patterns if _is_path(pattern))
            found += [
                *names,
                *(each.removeprefix(f"/{path}") for each in paths if each.startswith(f"/{path}/")),
            ]
    return tuple(found)


def _load(files: TrackedFiles, path: str) -> Mapping[str, Any]:
    try:
        return _mapping(path, yaml.load(files.read(path), Loader=_LOADER))
    except OSError as error:
        raise _Unreadable(path, f"cannot be read: {error.strerror or 'there is no such file'}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None) or "unreadable"
        raise _Unreadable(path, f"not YAML: {problem}", fix="restore it: `git checkout -- FILE`") from error


def _mapping(path: str, value: Any) -> Mapping[str, Any]:
    if value in (None, ""):
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _Unreadable(path, "keys and values are expected here, as DVC writes them")
    return value


def _list(path: str, value: Any) -> list[Any]:
    if value in (None, ""):
        return []
    if not isinstance(value, list):
        raise _Unreadable(path, "a list is expected here, as DVC writes it")
    return value
