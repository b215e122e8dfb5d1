"""A folder of files that belong together is replaced as a whole: readers find the old one or the new one, never a mix.

`datasets/collected/` and `datasets/snapshot/` are written by this. The new folder is made beside the old one, brought
to the disk, and takes its name; the old one steps aside first, since a rename cannot replace a folder that holds
files. A crash leaves one of four states, and `settle` knows each by the names that it finds:

    NAME                       nothing is left to do
    NAME, .NAME.new            the new one may be unfinished: it goes
          .NAME.new, .NAME.old the new one is whole, since the old one stepped aside: it takes the name
    NAME,            .NAME.old the old one goes

Whoever reads such a folder calls `settle` first.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import transient
from runner.events.disk import OS_DISK


def swap(folder: Path, build: Callable[[Path], None]) -> None:
    """Replace `folder` by what `build` puts into the empty folder that it is given; as it was where `build` raises.

    Everything is on the disk when this returns. Raises TransientError where somebody else is writing beside it,
    OSError, and what `build` raises.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _settle(folder)
        fresh = _fresh(folder)
        fresh.mkdir()
        try:
            build(fresh)
            _sync(fresh)
        except BaseException:
            shutil.rmtree(fresh)
            raise
        if folder.exists():
            folder.rename(_old(folder))
        _finish(folder)


def settle(folder: Path) -> None:
    """Bring a folder that a crash left between two names to its name; do nothing where there is nothing to settle.

    Raises TransientError where somebody is writing it at this moment, OSError.
    """
    if _fresh(folder).exists() or _old(folder).exists():
        with _alone(folder):
            _settle(folder)


def _settle(folder: Path) -> None:
    fresh, old = _fresh(folder), _old(folder)
    if fresh.exists() and old.exists() and not folder.exists():
        _finish(folder)
    if fresh.exists():
        shutil.rmtree(fresh)
    if old.exists():
        shutil.rmtree(old)


def _finish(folder: Path) -> None:
    """Give the new folder its name; only then is the old one of no use."""
    _fresh(folder).rename(folder)
    OS_DISK.sync_directory(folder.parent)
    if _old(folder).exists():
        shutil.rmtree(_old(folder))


def _sync(folder: Path) -> None:
    """Wait until the disk has every file below a folder, and their names."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            with Path(place, name).open("rb") as file:
                os.fsync(file.fileno())
        OS_DISK.sync_directory(Path(place))


def _fresh(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.new")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder above, which needs no file of its own and ends with its process."""
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise transient(
                f"somebody else is writing in '{folder.parent.name}/' at this moment",
                fix=f"wait for it to end, then write '{folder.name}' again",
            ) from None
        yield
    finally:
        os.close(descriptor)
