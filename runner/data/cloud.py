"""Whether DVC's remote has the bytes of what is tracked, so that other machines can fetch them.

Called before a version is promoted: a pointer whose bytes are nowhere else would be merged in vain. It asks by DVC's
own command, in a process of its own, and changes nothing.
"""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Mapping
from pathlib import Path

from runner.data.command import Ended, dvc
from runner.errors import Unknown

SECONDS = 120.0
_NOWHERE = "neither here nor there"
_LACKING = {"new": "only here", "missing": _NOWHERE}
"""What DVC says of a file, where the remote does not have it."""
_WARNING = "Missing cache files"
"""DVC calls it in sync, with this warning, where neither side has even the list of a folder's files."""


def lacking(
    root: Path, path: str | None, seconds: float = SECONDS, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...] | Unknown:
    """Return the files below `path` (tracked, relative to `root`) that the default remote lacks, and where they are.

    Without a path everything that is tracked is asked about.
    Unknown where there is no remote, or it cannot be asked within `seconds`.
    """
    if not _named(root) and _says_nothing(dvc(root, ["config", "core.remote"], _unheard, seconds, environ)):
        return Unknown("DVC has no default remote")  # `dvc status` would call everything in sync
    asked = ["status", "--cloud", "--json", *([] if path is None else ["--", path])]
    ended = dvc(root, asked, _unheard, seconds, environ)
    if ended.expired:
        return Unknown(f"`dvc status --cloud` did not end within {seconds:g} s")
    found = next((line for line in ended.said if line.startswith("{")), None)
    if ended.status or found is None:
        words = [line for line in ended.said if line.startswith(("ERROR", "WARNING"))] or list(ended.said)
        return Unknown("; ".join(words[:3]) or f"`dvc status --cloud` ended with status {ended.status}")
    if any(_WARNING in line for line in ended.said):
        return (f"{path or 'something that is tracked'}: {_NOWHERE}",)
    states: Mapping[str, str] = json.loads(found)
    return tuple(f"{name}: {_LACKING[state]}" for name, state in sorted(states.items()) if state in _LACKING)


def _named(root: Path) -> bool:
    """Return whether the repository's own settings name a default remote; those of a user or machine may, too."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        settings.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return False
    return settings.has_option("core", "remote")


def _says_nothing(ended: Ended) -> bool:
    return ended.status != 0 or not ended.said


def _unheard(line: str) -> None:
    """DVC's progress is nobody's concern here."""
    del line
