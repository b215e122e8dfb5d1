"""The journal: what the runner did, written down before and after, in a file that only grows.

JSON lines, each with the digest of the one before it, each on the disk (fsync) before `append` returns. One
writer at a time holds the lock; anybody may read. A torn last line (a crash while writing) is cut off and
noted; any other broken line means that the file was changed, and nothing is done until a person has looked.
Every `ROTATE_AT` entries the file is put aside under the number of its first entry, and a new one begins with a
checkpoint of the memory, so that opening stays cheap. Called by `loop`, `apply` and, reading only, by `loop
log`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner import digest
from runner.errors import Diagnostic, Location, TerminalError, terminal
from runner.reconcile.memory import Entry, Kind, fold, to_json
from runner.reconcile.observed import Memory

ROTATE_AT = 5000
GENESIS = "0" * 64


class Journal:
    """The only writer of one journal. `clock` gives seconds since 1970 UTC."""

    def __init__(self, path: Path, clock: Callable[[], float], rotate_at: int = ROTATE_AT) -> None:
        """Open or create the journal, repairing a torn end.

        Raises TerminalError where another runner holds it or where it was changed.
        """
        self.path, self._clock, self._rotate_at = path, clock, rotate_at
        self._pending: list[Entry] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(path.with_suffix(".lock"))
        try:
            entries, whole, size = _scan(path) if path.exists() else ([], 0, 0)
        except BaseException:
            os.close(self._lock)
            raise
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        _sync_directory(path.parent)
        self._lines, self._memory = len(entries), fold(entries)
        self._sequence = entries[-1].sequence if entries else 0
        self._last = entries[-1].digest if entries else GENESIS
        if whole < size:
            os.ftruncate(self._file, whole)
            self.append(Kind.REPAIRED, {"dropped_bytes": size - whole, "line": len(entries) + 1})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file and the lock back."""
        os.close(self._file)
        os.close(self._lock)

    def append(self, kind: Kind, body: Mapping[str, Any]) -> Entry:
        """Write an entry and return once it is on the disk.

        Raises OSError where the disk fails, TerminalError where the journal was taken away while it was open: then
        another runner may hold the new one, and this one must not act.
        """
        self._check_place()
        entry = _sealed(self._sequence + 1, self._clock(), kind, body, self._last)
        size = os.fstat(self._file).st_size
        try:
            _write(self._file, entry)
        except OSError:
            os.ftruncate(self._file, size)  # a part of a line would make every later one unreadable
            raise
        self._sequence, self._last, self._lines = entry.sequence, entry.digest, self._lines + 1
        self._pending.append(entry)
        return entry

    def _check_place(self) -> None:
        lock = self.path.with_suffix(".lock")
        gone = [
            path for file, path in ((self._file, self.path), (self._lock, lock)) if not _is_still(file, path)
        ]
        if gone:
            raise terminal(
                "the journal was removed while the runner was at work",
                *(f"{path} is not the file that was opened" for path in gone),
                fix="stop this runner and start it again: it then observes everything anew",
            )

    def memory(self) -> Memory:
        """Return what all entries so far add up to."""
        if self._pending:
            self._memory = fold(self._pending, self._memory)
            self._pending = []
        return self._memory

    def rotate_if_long(self) -> None:
        """Put a long file aside and begin a new one with a checkpoint.

        Never between "attempted" and "done".
        """
        if self._lines < self._rotate_at:
            return
        memory, first = to_json(self.memory()), self._sequence - self._lines + 1
        entry = _sealed(self._sequence + 1, self._clock(), Kind.CHECKPOINT, memory, self._last)
        fresh = self.path.with_suffix(".next")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        _write(file, entry)
        # Linked before it is replaced: a crash in between leaves the old file under both names, and nothing
        # lost.
        archive = self.path.with_name(f"{self.path.stem}-{first:09d}.jsonl")
        archive.unlink(missing_ok=True)
        os.link(self.path, archive)
        fresh.replace(self.path)
        _sync_directory(self.path.parent)
        os.close(self._file)
        self._file, self._lines = file, 1
        self._sequence, self._last = entry.sequence, entry.digest


def _is_still(file: int, path: Path) -> bool:
    """Return whether `path` leads to the open file."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries of a journal without its lock; a last line that is still being written is left out.

    Raises TerminalError where the journal was changed.
    """
    if path.exists():
        yield from _scan(path)[0]


def archives(path: Path) -> tuple[Path, ...]:
    """Return the files put aside, oldest first; what one ends with is the beginning of the next."""
    return tuple(sorted(path.parent.glob(f"{path.stem}-*.jsonl")))


def holder(path: Path) -> int | None:
    """Return the process that holds the journal's lock, or None where nobody does.

    It reads the kernel's table of locks: to try the lock would, for that instant, keep a runner from starting.
    """
    try:
        inode = path.with_suffix(".lock").stat().st_ino
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return None
    return next((int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(f":{inode}")), None)


def _scan(path: Path) -> tuple[list[Entry], int, int]:
    """Return the whole entries, the bytes that they take, and the bytes that there are."""
    data = path.read_bytes()
    entries: list[Entry] = []
    whole = 0
    lines = data.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        entry = _parsed(line, entries[-1] if entries else None)
        if isinstance(entry, str):
            if number < len(lines) or not _is_torn(line, entries[-1] if entries else None):
                raise _broken(path, number, entry)
            break
        entries.append(entry)
        whole += len(line)
    return entries, whole, len(data)


def _is_torn(line: bytes, before: Entry | None) -> bool:
    """Return whether a crash can have left this last line: without its end, or with zeros that were never written.

    A whole entry with more behind it is two lines that were made one, by somebody.
    """
    if not line.endswith(b"\n"):
        return True
    start, hole, _ = line.partition(b"\0")
    return bool(hole) and isinstance(_parsed(start + b"\n", before), str)


def _parsed(line: bytes, before: Entry | None) -> Entry | str:
    """Return the entry of a line, or what is wrong with it."""
    if not line.endswith(b"\n"):
        return "it does not end"
    try:
        value = json.loads(line)
        entry = Entry(
            value["sequence"],
            value["at"],
            Kind(value["kind"]),
            value["body"],
            value["previous"],
            value["digest"],
        )
    except (ValueError, KeyError, TypeError) as error:
        return f"it is not an entry ({type(error).__name__}: {error})"
    if _digest(entry) != entry.digest:
        return "its digest is not that of its content"
    if before and entry.previous != before.digest:
        return f"it follows another entry than number {before.sequence}"
    return entry


def _broken(path: Path, line: int, why: str) -> TerminalError:
    return TerminalError(
        Diagnostic(
            "the journal was changed: this line is not what was written",
            Location(str(path), line),
            (why, "what was applied since cannot be known from it"),
            fix="restore it from a backup, or move it away: the runner then removes nothing that it finds",
        )
    )


def _sealed(sequence: int, at: float, kind: Kind, body: Mapping[str, Any], previous: str) -> Entry:
    unsealed = Entry(sequence, at, kind, body, previous, "")
    return Entry(sequence, at, kind, body, previous, _digest(unsealed))


def _digest(entry: Entry) -> str:
    return digest.of_value([entry.sequence, entry.at, entry.kind, entry.body, entry.previous])


def _write(file: int, entry: Entry) -> None:
    value = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    written = os.write(file, line)
    if written != len(line):
        raise OSError(f"only {written} of {len(line)} bytes of a journal entry were written")
    os.fsync(file)


def _lock(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(file, 32).decode(errors="replace").strip()
        os.close(file)
        raise terminal(
            "another runner works on this environment",
            f"process {holder or 'unknown'} holds {path}",
            fix="stop it first, or ask it: `loop status`",
        ) from error
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())
    return file


def _sync_directory(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
