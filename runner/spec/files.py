"""The port through which the spec is read, so that a folder and a Git revision look the same.

The loader calls it; the reconciler gives one that reads a revision. Paths are relative to the repository's
root, with `/` between their parts. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from runner import digest


class Files(Protocol):
    """What the spec needs of a repository."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises FileNotFoundError, and OSError where it cannot be read."""
        ...

    def list(self, directory: str) -> tuple[str, ...]:
        """Return the sorted names of the files directly in `directory`; none where it does not exist."""
        ...

    def digest(self, path: str) -> str | None:
        """Return a directory's content digest (`digest.of_directory`); None where there are no bytes."""
        ...


def digest_of_directory(path: Path) -> str | None:
    """Return the content digest of a directory; None where it is absent or holds no file. Raises OSError."""
    return digest.of_directory(path) if any(entry.is_file() for entry in path.rglob("*")) else None


class DirectoryFiles:
    """A working tree, or any folder that holds one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises OSError."""
        return (self.root / path).read_bytes()

    def list(self, directory: str) -> tuple[str, ...]:
        """Return the sorted names of the files directly in `directory`."""
        folder = self.root / directory
        if not folder.is_dir():
            return ()
        # What is named as a spec file and is none (a folder, a broken link) is listed: reading it tells what is wrong.
        found = (entry.name for entry in folder.iterdir() if entry.is_file() or entry.suffix == ".yaml")
        return tuple(sorted(found))

    def digest(self, path: str) -> str | None:
        """Return a directory's content digest; None where it is absent or has no file. Raises OSError."""
        return digest_of_directory(self.root / path)


class MemoryFiles:
    """Files held in memory: what an edit would give, before it is written."""

    def __init__(self, contents: Mapping[str, bytes], digests: Mapping[str, str] | None = None) -> None:
        self.contents = contents
        self.digests = digests or {}

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises FileNotFoundError."""
        try:
            return self.contents[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def list(self, directory: str) -> tuple[str, ...]:
        """Return the sorted names of the files directly in `directory`."""
        prefix = f"{directory}/"
        names = (path.removeprefix(prefix) for path in self.contents if path.startswith(prefix))
        return tuple(sorted(name for name in names if "/" not in name))

    def digest(self, path: str) -> str | None:
        """Return the digest given for a directory."""
        return self.digests.get(path)
