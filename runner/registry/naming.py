"""How versions are named: ARTIFACT-vMAJOR.MINOR, such as `chat-v1.1`.

Training names what it makes by `next_name`; tags and the list of versions take names apart by `parse`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.errors import terminal

LONGEST = 64
"""Letters of the longest name: it becomes part of file names, branches, tags and the engine's names."""
_NAME = re.compile(
    r"(?P<artifact>[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*)-v(?P<major>0|[1-9][0-9]*)\.(?P<minor>0|[1-9][0-9]*)"
)
"""No two dots side by side: Git has no branch or tag of that name."""


@dataclass(frozen=True, slots=True, order=True)
class VersionName:
    """The parts of a version's name; names of one artifact sort by age."""

    artifact: str
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.artifact}-v{self.major}.{self.minor}"

    @property
    def semver(self) -> str:
        """The version as Git tags have it: with a patch number, which is always 0 here."""
        return f"v{self.major}.{self.minor}.0"


def parse(name: str) -> VersionName | None:
    """Return the parts of a name, None where it has another form or more than `LONGEST` letters."""
    found = _NAME.fullmatch(name) if len(name) <= LONGEST else None
    return None if found is None else VersionName(found["artifact"], int(found["major"]), int(found["minor"]))


def next_name(names: Iterable[str]) -> str:
    """Return the name that follows the newest of `names`: the same artifact, the next minor number.

    Names of another form do not count. Raises TerminalError where there is none to follow, or where they are of
    several artifacts: then a person names the version.
    """
    known = [found for name in names if (found := parse(name)) is not None]
    artifacts = sorted({each.artifact for each in known})
    if len(artifacts) != 1:
        raise terminal(
            "there is no one artifact whose next version this could be",
            f"artifacts: {', '.join(artifacts) or 'none'}",
            fix="name the version: `--name ARTIFACT-vMAJOR.MINOR`",
        )
    newest = max(known)
    return str(VersionName(newest.artifact, newest.major, newest.minor + 1))


def by_age(names: Iterable[str]) -> list[str]:
    """Return names in order of artifact and version, oldest first; those of another form come last, by name."""
    return sorted(names, key=lambda name: (parse(name) is None, parse(name) or VersionName("", 0, 0), name))
