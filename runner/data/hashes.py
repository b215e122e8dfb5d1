"""Digests of files in the working tree, remembered as long as a file looks untouched.

The reconciler asks every few seconds whether gigabytes are still what they should be; reading them each
time would cost more than everything else it does. A file is read again when its size, its time of change or
its inode differ. That finds every ordinary edit but no forger who sets times back: before bytes are served
they are digested in full.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

# A file changed as recently as this may change again without its time of change moving on.
_RACY_NS = 1_000_000_000
_Entry = tuple[int, int, int, str]


class HashCache:
    """Hashes by algorithm and path, kept in one JSON file that may be deleted at any time."""

    def __init__(self, file: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Read the cache at `file`; one that is absent or damaged counts as empty."""
        self._file, self._clock_ns = file, clock_ns
        self._entries: dict[str, _Entry] = _read(file)
        self._changed = False

    def of_file(self, path: Path, algorithm: str) -> str:
        """Return the hash of a file by `algorithm` ("md5" or "sha256"), in hex. Raises OSError."""
        about = path.stat()
        facts = (about.st_mtime_ns, about.st_size, about.st_ino)
        key = f"{algorithm}:{path}"
        entry = self._entries.get(key)
        if entry and entry[:3] == facts:
            return entry[3]
        with path.open("rb") as file:
            found = hashlib.file_digest(
                file, lambda: hashlib.new(algorithm, usedforsecurity=False)
            ).hexdigest()
        if self._clock_ns() - about.st_mtime_ns > _RACY_NS:
            self._entries[key] = (*facts, found)
            self._changed = True
        return found

    def dvc_hash(self, path: Path, ignore: Sequence[str] = ()) -> str | None:
        """Return the hash that DVC 3 gives a file or a directory (ending in `.dir`); None where it is absent.

        A directory's is the MD5 of the JSON list of its files' MD5 and relative path, in order of path. Empty
        directories do not count, nor do names that match `ignore` (with `/` at the end: only directories), nor what
        lies at a path of `ignore` (with `/` before: from the top of `path`, without wildcards). Raises OSError.
        """
        if path.is_file():
            return self.of_file(path, "md5")
        if not path.is_dir():
            return None
        found = ((f.relative_to(path).as_posix(), self.of_file(f, "md5")) for f in _files(path, ignore))
        listing = json.dumps(
            [{"md5": md5, "relpath": relpath} for relpath, md5 in sorted(found)], sort_keys=True
        )
        return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"

    def save(self) -> None:
        """Write what was learnt, all or nothing; files that are gone are left out. Raises OSError."""
        if not self._changed:
            return
        kept = {key: entry for key, entry in self._entries.items() if os.path.lexists(key.partition(":")[2])}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(kept))
        fresh.replace(self._file)
        self._changed = False


def _files(directory: Path, ignore: Sequence[str]) -> Iterator[Path]:
    """Yield the files that DVC counts; it follows links and leaves out the folders of version control."""
    patterns = [pattern for pattern in ignore if not pattern.endswith("/")]
    folders = [".git", ".hg", ".dvc", *(pattern.rstrip("/") for pattern in ignore)]
    for folder, inner, names in os.walk(directory, followlinks=True):
        above = PurePosixPath("/", Path(folder).relative_to(directory).as_posix())
        inner[:] = [name for name in inner if not _matches(above / name, folders)]
        yield from (Path(folder, name) for name in names if not _matches(above / name, patterns))


def _matches(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    """Return whether a path, from the top and with `/` before, is left out by its name or as a whole."""
    return any(fnmatchcase(path.name, pattern) or str(path) == pattern for pattern in patterns)


def _read(file: Path) -> dict[str, _Entry]:
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        value: dict[str, Any] = json.loads(file.read_bytes())
        return {str(key): _entry(entry) for key, entry in value.items()}
    return {}


def _entry(value: Any) -> _Entry:
    mtime, size, inode, found = value
    return int(mtime), int(size), int(inode), str(found)
