"""Where a new repository goes, and putting it there as a whole: made beside its place, moved in at the end.

Whatever fails or is interrupted before, the place is as it was. Nothing that is there already is ever written to.
Called by `loop init`.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from runner.errors import terminal

_MARK = ".loop-init-"
_LAST = "loop.yaml"
"""With this file a folder is a repository of Loop; everything else is there by then."""


class Place(StrEnum):
    """What is at the place: nothing, a folder, or the top of a Git repository."""

    NEW = "new"
    FOLDER = "folder"
    REPOSITORY = "repository"


def look(target: Path) -> Place:
    """Return what is there. Raises TerminalError where no repository can be: in a file, or below the top of another."""
    top = _repository_of(target)
    if top is not None and top != target:
        raise terminal(
            f"'{target}' lies inside another repository, and loop.yaml has to stand at the top of its own",
            f"the top is {top}",
            fix="name that folder, or one outside of it",
        )
    if top is not None:
        return Place.REPOSITORY
    if target.is_dir():
        return Place.FOLDER
    if target.exists() or target.is_symlink():
        raise terminal(f"'{target}' is no folder", fix="name a folder, or one that is not there yet")
    if not target.parent.is_dir():
        raise terminal(f"there is no folder '{target.parent}'", fix=f"make it: `mkdir -p '{target.parent}'`")
    return Place.NEW


def _repository_of(target: Path) -> Path | None:
    return next((folder for folder in (target, *target.parents) if (folder / ".git").exists()), None)


def in_the_way(target: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return which of the paths of a new repository, or of the folders above them, something else takes."""
    found: dict[str, None] = {}
    for path in sorted(paths):
        for above in reversed(Path(path).parents[:-1]):
            if _is_there(target / above) and (not (target / above).is_dir() or (target / above).is_symlink()):
                found[above.as_posix()] = None
                break
        else:
            if _is_there(target / path):
                found[path] = None
    return tuple(found)


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


@contextmanager
def beside(target: Path, place: Place) -> Iterator[Path]:
    """Give an empty folder on the disk of the target, and take away what is left of it.

    Raises TerminalError where nobody may write there, OSError where the folder cannot be worked in.
    """
    parent = target.parent if place is Place.NEW else target
    try:
        folder = Path(tempfile.mkdtemp(prefix=_MARK, dir=parent))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise terminal(f"'{target}' cannot be made", why, fix="name a folder where you may write") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_in(made: Path, target: Path, place: Place) -> None:
    """Put what was made where it belongs. Raises OSError, LoopError, and then nothing of it is there.

    A folder that was there stays the same folder: somebody's shell may stand in it. A repository keeps its own `.git`.
    """
    if place is Place.NEW:
        made.chmod(0o755)  # the temporary folder was for its owner alone
        made.rename(target)
        return
    if place is Place.REPOSITORY:
        shutil.rmtree(made / ".git")
    moved: list[tuple[Path, Path]] = []
    try:
        for source, there in _moves(made, target):
            if _is_there(there):  # a rename would replace it
                raise terminal(f"'{there}' is in the way", fix="move it away, or begin in an empty folder")
            moved.append((source, there))
            source.rename(there)
    except BaseException:
        for source, there in reversed(moved):
            with contextlib.suppress(OSError):
                there.rename(source)
        raise


def _moves(made: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Yield what to move where: whole folders where there is none of that name, single files elsewhere."""
    for source in sorted(made.iterdir(), key=lambda path: (path.name == _LAST, path.name)):
        there = target / source.name
        if source.is_dir() and not source.is_symlink() and there.is_dir():
            yield from _moves(source, there)
        else:
            yield source, there
