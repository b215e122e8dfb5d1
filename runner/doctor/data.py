"""DVC: there, its files readable, the bytes that Git points to here, and a remote that has them for others.

Asked by `dvc status --cloud`, which reads and sends nothing. Files are compared by size here and not read, since models
are large.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runner.data.cloud import lacking
from runner.data.tracking import Tracking, read_tracking
from runner.doctor.finding import Finding, Look, aside, failed, ok, warning
from runner.errors import Unknown
from runner.git.command import Git
from runner.reconcile.presence import is_whole
from runner.urls import text_without_secret

AREA = "data"
REMOTE_SECONDS = 60.0
_SHOWN = 3


def looks(root: Path) -> Iterator[Look]:
    """Yield what to look at."""

    async def here() -> Iterable[Finding]:
        return await aside(lambda: tuple(_here(root)))

    async def remote() -> Iterable[Finding]:
        if not (root / ".dvc").is_dir() or importlib.util.find_spec("dvc") is None:
            return ()
        return [judge_remote(await aside(lambda: lacking(root, None, REMOTE_SECONDS)))]

    yield Look(AREA, "tracked bytes", here)
    yield Look(AREA, "DVC remote", remote, seconds=REMOTE_SECONDS + 5)


def _here(root: Path) -> Iterator[Finding]:
    if not (root / ".dvc").is_dir():
        yield failed("DVC", "there is no .dvc here: models and data are not tracked", "`dvc init`")
        return
    if importlib.util.find_spec("dvc") is None:
        yield failed("DVC", "it is not installed", "`bash requirements/install.sh .venv data`")
    tracking = read_tracking(_Listed(root))
    yield judge_here(tracking, lambda path: is_whole(root / path))


def judge_here(tracking: Tracking, whole: Callable[[str], bool]) -> Finding:
    """Judge whether what Git points to is here."""
    what = "tracked bytes"
    if tracking.diagnostics:
        first = tracking.diagnostics[0]
        return failed(what, f"{first.location}: {first.summary}", first.fix or "correct that file")
    missing = [each.path for each in tracking.outputs if not whole(each.path)]
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (
            f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        )
        return warning(what, f"not here: {shown}", "`dvc pull` fetches them")
    return ok(what, f"{len(tracking.outputs)} of {len(tracking.outputs)} paths are here")


def judge_remote(found: tuple[str, ...] | Unknown) -> Finding:
    """Judge whether other machines can have the bytes."""
    what = "DVC remote"
    if isinstance(found, Unknown):
        if "no default remote" in found.reason:
            fix = "`dvc remote add --default store URL`; without it no clone gets models or data"
            return warning(what, "there is none", fix)
        return failed(
            what,
            f"it cannot be asked: {text_without_secret(found.reason)}",
            "look at network and credentials: `dvc status --cloud`",
        )
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return warning(what, f"it lacks {', '.join(found[:_SHOWN])}{more}", "`dvc push`")
    return ok(what, "it has everything that is tracked")


class _Listed:
    """The DVC files of a checkout: those that Git knows or could know, as they lie there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> tuple[str, ...]:
        """Return the paths of all files but ignored ones."""
        listed = Git(self._root).read("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = (name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name)
        return tuple(name for name in names if (self._root / name).is_file())

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises OSError."""
        return (self._root / path).read_bytes()
