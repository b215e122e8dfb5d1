"""Fetches tracked data by DVC's own command, in a process of its own.

Called by the reconciler where data is missing. It overwrites nothing that was changed by hand: DVC refuses
that, and so does this. What DVC says goes line by line to `progress`; why it failed becomes an error that a
user can act on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.data.command import dvc
from runner.errors import LoopError, terminal, transient

PULL_SECONDS = 3600.0
_CHANGED = "some files may have been fetched; nothing that was there was overwritten"
_KEPT_LINES = 20

# What DVC says, and what that means for the user; anything else may pass by itself.
_PERMANENT = (
    ("without confirmation", "it was changed by hand", "commit it with `dvc commit`, or delete it"),
    ("no default remote", "no DVC remote is configured", "name one: `dvc remote add --default NAME URL`"),
    ("config file error", "DVC's configuration is not valid", "correct .dvc/config"),
    ("does not exist as an output", "DVC does not track it", "check the path, or `dvc add` it"),
    ("is invalid", "a DVC file is not valid", "restore it from Git"),
    ("you are not inside of a dvc repository", "this is no DVC repository", "run `dvc init`"),
    ("no module named dvc", "DVC is not installed", "run `make setup`"),
)


def pull(
    root: Path,
    paths: Sequence[str],
    progress: Callable[[str], None],
    seconds: float = PULL_SECONDS,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Fetch `paths` (at least one; relative to `root`) into the working tree.

    Raises TerminalError where trying again cannot help (changed by hand, not tracked, no remote), and
    TransientError otherwise, also where it does not end within `seconds`.
    """
    if not paths:
        raise ValueError("no paths to fetch")
    ended = dvc(root, ["pull", "--", *paths], progress, seconds, environ)
    if ended.expired:
        raise transient(f"`dvc pull` did not end within {seconds:g} s", *_shown(paths), changed=_CHANGED)
    if ended.status:
        raise _failure(paths, ended.said)


def _failure(paths: Sequence[str], said: Sequence[str]) -> LoopError:
    whole = "\n".join(said).lower()
    words = [line for line in said if line.startswith(("ERROR", "WARNING"))][:_KEPT_LINES] or list(said[-3:])
    what = _shown(paths)[0]
    for sign, cause, fix in _PERMANENT:
        if sign in whole:
            return terminal(f"cannot fetch {what}: {cause}", *words, fix=fix, changed=_CHANGED)
    if "missing cache files" in whole:
        # DVC says so too of a remote that it cannot reach: unknown is not the same as absent.
        cause = f"cannot fetch {what}: the remote lacks it or cannot be reached"
        fix = "if it can be reached: `dvc push` where the data was made"
        return transient(cause, *words, fix=fix, changed=_CHANGED)
    return transient(f"cannot fetch {what}: `dvc pull` failed", *words, changed=_CHANGED)


def _shown(paths: Sequence[str]) -> tuple[str]:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return (f"'{paths[0]}'{more}",)
