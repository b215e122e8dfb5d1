"""Git tags in the style of GTO (https://github.com/iterative/gto): which version is which commit, and what a stage has.

`chat@v1.1.0` registers a version at a commit, `chat#production#3` gives that commit to a stage, for the third time
that the stage gets one; `!` takes either back. So a registry can be read from Git alone, by GTO's own tools too.
Called by `loop models`. Pure: names and commits in, names and facts out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.errors import terminal
from runner.registry import naming

_ARTIFACT = r"[a-z0-9](?:[a-z0-9/-]*[a-z0-9])?"
_NUMBER = r"(?:0|[1-9]\d*)"
_TAG = re.compile(
    rf"(?P<artifact>{_ARTIFACT})"
    rf"(?:@(?P<version>v{_NUMBER}\.{_NUMBER}\.{_NUMBER})|#(?P<stage>{_ARTIFACT}))"
    r"(?P<taken_back>!?)(?:#(?P<counter>\d+))?"
)


@dataclass(frozen=True, slots=True, order=True)
class VersionTag:
    """A commit registers a version of an artifact, or with `taken_back` does so no more."""

    artifact: str
    version: str
    """Such as `v1.1.0`."""
    taken_back: bool = False
    counter: int | None = None

    def __str__(self) -> str:
        return f"{self.artifact}@{self.version}{_end(self.taken_back, self.counter)}"


@dataclass(frozen=True, slots=True, order=True)
class StageTag:
    """A stage gets the version of a commit, or with `taken_back` loses it; the highest counter is what holds."""

    artifact: str
    stage: str
    counter: int
    taken_back: bool = False

    def __str__(self) -> str:
        return f"{self.artifact}#{self.stage}{_end(self.taken_back, self.counter)}"


Tag = VersionTag | StageTag


def parse(text: str) -> Tag | None:
    """Return what a tag says, None for a tag of another kind. A stage without counter is none of ours."""
    found = _TAG.fullmatch(text)
    if found is None:
        return None
    back, counter = bool(found["taken_back"]), None if found["counter"] is None else int(found["counter"])
    if found["version"] is not None:
        return VersionTag(found["artifact"], found["version"], back, counter)
    return None if counter is None else StageTag(found["artifact"], found["stage"], counter, back)


def version_tag(name: str) -> VersionTag:
    """Return the tag of a version such as `chat-v1.1`. Raises TerminalError where the name has no such form."""
    found = naming.parse(name)
    if found is None or re.fullmatch(_ARTIFACT, found.artifact) is None:
        raise terminal(
            f"'{name}' cannot be written as a tag",
            "a tag such as 'chat@v1.1.0' is made of ARTIFACT-vMAJOR.MINOR",
            "an artifact's name has small letters, digits, '-' and '/' only",
        )
    return VersionTag(found.artifact, found.semver)


def stage_tag(name: str, stage: str, tags: Iterable[str]) -> StageTag:
    """Return the next tag that gives `stage` the version `name`, where these tags are there already.

    Raises TerminalError where the name of version or stage cannot be written as a tag.
    """
    artifact = version_tag(name).artifact
    if re.fullmatch(_ARTIFACT, stage) is None:
        raise terminal(f"stage '{stage}' cannot be written as a tag", "it has small letters, digits and '-'")
    counters = (tag.counter for tag in _of_stage(tags, artifact, stage))
    return StageTag(artifact, stage, max(counters, default=0) + 1)


def newest(stage: str, artifact: str, tags: Iterable[str]) -> StageTag | None:
    """Return the tag that says what a stage has now, None where it never had anything."""
    return max(_of_stage(tags, artifact, stage), key=lambda tag: tag.counter, default=None)


def has_now(stage: str, artifact: str, commits: Mapping[str, str]) -> VersionTag | None:
    """Return the version that a stage has, where `commits` says to which commit each tag points.

    None where it has none: nothing was ever given, it was taken back, or its commit registers no version.
    """
    holds = newest(stage, artifact, commits)
    if holds is None or holds.taken_back:
        return None
    here = {parse(text) for text, commit in commits.items() if commit == commits[str(holds)]}
    taken_back = {
        (each.artifact, each.version) for each in here if isinstance(each, VersionTag) and each.taken_back
    }
    registered = [
        each
        for each in here
        if isinstance(each, VersionTag)
        and each.artifact == artifact
        and (artifact, each.version) not in taken_back
    ]
    return max(registered, key=lambda tag: _numbers(tag.version), default=None)


def _of_stage(tags: Iterable[str], artifact: str, stage: str) -> list[StageTag]:
    found = (parse(text) for text in tags)
    return [
        tag for tag in found if isinstance(tag, StageTag) and (tag.artifact, tag.stage) == (artifact, stage)
    ]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


def _end(taken_back: bool, counter: int | None) -> str:
    return f"{'!' if taken_back else ''}{'' if counter is None else f'#{counter}'}"
