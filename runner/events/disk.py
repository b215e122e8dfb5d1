"""How a segment reaches a disk: the outermost port of the event log, and the real disk.

Used by `writer` and by the gateway's log; tests put faulty disks in its place.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """The calls by which a segment reaches a disk. All raise OSError."""

    def create(self, path: Path) -> int:
        """Create a file that must not exist, for appending, locked while it is open; return its descriptor."""

    def write(self, descriptor: int, data: bytes) -> int:
        """Append; return how many bytes were taken."""

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""

    def sync(self, descriptor: int) -> None:
        """Return when the bytes are on the disk."""

    def complete(self, descriptor: int, path: Path, final: Path) -> None:
        """Give the file its final name and close it."""

    def abandon(self, descriptor: int) -> None:
        """Close the file, whatever has become of it."""

    def is_lost(self, descriptor: int, path: Path) -> bool:
        """Say whether the path no longer leads to the file."""

    def sync_directory(self, directory: Path) -> None:
        """Return when the directory's names are on the disk."""


class OsDisk:
    """The real disk."""

    def create(self, path: Path) -> int:
        """Create a file that must not exist, for appending, locked while it is open.

        The lock says that its writer lives, to everyone on this machine, whatever pid namespace he is in.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        """Append; return how many bytes were taken."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Return when the bytes are on the disk."""
        os.fsync(descriptor)

    def complete(self, descriptor: int, path: Path, final: Path) -> None:
        """Give the file its final name and close it."""
        path.rename(final)
        os.close(descriptor)

    def abandon(self, descriptor: int) -> None:
        """Close the file, whatever has become of it."""
        os.close(descriptor)

    def is_lost(self, descriptor: int, path: Path) -> bool:
        """Say whether the path no longer leads to the file."""
        try:
            named = path.stat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(named, os.fstat(descriptor))

    def sync_directory(self, directory: Path) -> None:
        """Return when the directory's names are on the disk."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


OS_DISK = OsDisk()


def is_held(path: Path) -> bool:
    """Say whether a living writer has a segment open, by the lock that `create` took. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
