"""The files of a version that its pull request brings along, where the base branch does not have them yet.

Called by `loop promote`. They are taken from the working tree: the version's file, DVC's pointer, the reports. Weights
stay with DVC; only where its store is a folder of this repository are its objects files of Git, and come along too.
Reads only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.data.store import inside
from runner.data.tracking import Tracked, read_tracking
from runner.errors import terminal
from runner.git.commit import Change
from runner.git.repository import Repository, Revision
from runner.git.tree import TreeFiles
from runner.spec.source import read

_INSIDE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


@dataclass(frozen=True)
class Overlaid:
    """The files of a commit with changes upon them: what a merge would give, before anything is written."""

    files: TreeFiles
    changes: Sequence[Change]
    _after: dict[str, bytes | None] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_after", {change.path: change.after for change in self.changes})

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises FileNotFoundError."""
        if path not in self._after:
            return self.files.read(path)
        content = self._after[path]
        if content is None:
            raise FileNotFoundError(path)
        return content

    def list(self, directory: str) -> tuple[str, ...]:
        """Return the sorted names of the files directly in `directory`."""
        prefix = f"{directory}/"
        names = set(self.files.list(directory))
        for path, content in self._after.items():
            name = path.removeprefix(prefix)
            if path.startswith(prefix) and "/" not in name:
                names = names - {name} if content is None else names | {name}
        return tuple(sorted(names))

    def digest(self, path: str) -> str | None:
        """Return the content digest of a directory of the working tree; None where its bytes are absent."""
        return self.files.digest(path)

    def paths(self) -> tuple[str, ...]:
        """Return the paths of all files."""
        gone = {path for path, content in self._after.items() if content is None}
        return tuple(sorted({*self.files.paths(), *self._after} - gone))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a version's files are: the working tree at `root`, and the commits that it is compared with.

    `base` are the files of the branch that is merged into, `head` those that are checked out here, `models` is the
    folder of versions.
    """

    root: Path
    base: TreeFiles
    head: TreeFiles
    models: str

    @classmethod
    def of(cls, repository: Repository, tip: Revision, models: str) -> Source:
        """Return the source where the base branch stands at `tip`."""
        return cls(repository.root, repository.files_at(tip), repository.files_at(repository.head()), models)

    def carried(self, name: str) -> tuple[Change, ...]:
        """Return what the base branch lacks of a version. Raises TerminalError where it has something else there."""
        root, models = self.root, self.models
        paths = [f"{models}/{name}.yaml", f"{models}/{name}.dvc", *_files(root, f"{models}/reports/{name}")]
        report = self._report(name)
        if report is not None and report not in paths:
            paths.append(report)
        changes = [change for path in paths if (change := self._missing(path)) is not None]
        if any(change.path == f"{models}/{name}.dvc" for change in changes):
            changes += self._ignored(name)
        return (*changes, *self._stored(changes, name))

    def _missing(self, path: str) -> Change | None:
        """Return the change that brings a file of the working tree to the base; None where nothing is to be brought."""
        here, base = _bytes(self.root / path), _held(self.base, path)
        if here is None or here == base:
            return None
        head = _held(self.head, path)
        if base != head and here == head:
            return None  # the base has gone on, and nothing was done to it here
        if base not in (None, head):
            raise terminal(
                f"{path} was changed on the base branch since the commit that is checked out here",
                fix="bring this checkout up to it first: `git pull`",
                changed="nothing was written to Git",
            )
        return Change(path, base, here)

    def _ignored(self, name: str) -> Iterator[Change]:
        """Have Git ignore the weights, as `dvc add` had it here; other versions' lines stay theirs."""
        path, line = f"{self.models}/.gitignore", f"/{name}"
        before = _held(self.base, path)
        text = (before or b"").decode(errors="surrogateescape")
        if line not in text.splitlines():
            start = text if not text or text.endswith("\n") else f"{text}\n"
            yield Change(path, before, f"{start}{line}\n".encode(errors="surrogateescape"))

    def _stored(self, changes: Sequence[Change], name: str) -> Iterator[Change]:
        """Yield the objects of the weights that a store in this repository has, and the base does not."""
        store = inside(self.root)
        if store is None:
            return
        files = Overlaid(self.base, changes)
        pointer = tracked(files, f"{self.models}/{name}")
        for path in () if pointer is None else _objects(self.root, store, pointer.hash):
            change = self._missing(path)
            if change is not None:
                yield change

    def _report(self, name: str) -> str | None:
        """Return where the version's file says that its report is; what it says wrongly is told when it is loaded."""
        path = f"{self.models}/{name}.yaml"
        document, _ = read(path, _bytes(self.root / path) or b"")
        evaluation = document.value.get("evaluation") if document is not None else None
        report = evaluation.get("report") if isinstance(evaluation, dict) else None
        return report if isinstance(report, str) and _INSIDE.fullmatch(report) else None


def tracked(files: Overlaid, path: str) -> Tracked | None:
    """Return what DVC tracks at a path, None where it does not."""
    return next((each for each in read_tracking(files).outputs if each.path == path), None)


def _held(files: TreeFiles, path: str) -> bytes | None:
    try:
        return files.read(path)
    except FileNotFoundError:
        return None


def _files(root: Path, folder: str) -> list[str]:
    """Return the regular files below a folder, relative to `root`, sorted; links lead elsewhere and are left out."""
    found = (path for path in (root / folder).rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path.relative_to(root).as_posix() for path in found)


def _objects(root: Path, store: str, hash_: str) -> Iterator[str]:
    """Yield the paths of an object in a store: itself, and of a directory what it lists."""
    path = f"{store}/files/md5/{hash_[:2]}/{hash_[2:]}"
    yield path
    listed = _bytes(root / path) if hash_.endswith(".dir") else None
    for entry in json.loads(listed) if listed is not None else ():
        yield from _objects(root, store, str(entry["md5"]))


def _bytes(path: Path) -> bytes | None:
    """Return a file's bytes; None where it is absent, or is a link or a folder. Raises OSError."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None
