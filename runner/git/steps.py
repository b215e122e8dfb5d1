"""What the commits of a time did to the rollouts of loop.yaml: who was put on trial, moved on, taken back, trusted.

The weekly report and the demo read it: Git is the record of rollouts, whoever wrote the commit. Along the first
parents, as `history` walks. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from runner.errors import terminal
from runner.git import messages
from runner.git.changes import LOOP_FILE
from runner.git.history import LIMIT, versions
from runner.git.repository import Commit, Repository, Revision


class Happened(StrEnum):
    """What became of a version."""

    TRIAL = "put on trial"
    STAGE = "moved to another stage"
    BACK = "taken back"
    """Off trial without having become the baseline, or the baseline before it is the baseline again."""
    BASELINE = "made the baseline"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that two versions of the file differ in; `before` and `after` are stages, of a baseline versions."""

    environment: str
    happened: Happened
    version: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """A change and the commit that wrote it: of a merge, what was merged."""

    change: Change
    landed: datetime
    """When it came to the branch: the time of the commit, or of its merge."""
    commit: Commit

    @property
    def trailers(self) -> Mapping[str, str]:
        """What the runner says of its own commits; empty for those of people."""
        return messages.trailers(self.commit.body)


def steps(
    repository: Repository, revision: Revision, since: datetime, path: str = LOOP_FILE
) -> tuple[Step, ...]:
    """Return what commits since a moment, up to `revision`, did to rollouts, oldest first.

    The first version of the file is where things begin, and no step. One that cannot be read is passed over. Raises
    TerminalError where a shallow clone ends before that moment: what it does not have may hold steps.
    """
    found: list[Step] = []
    newer = None
    for version in versions(repository, revision, path, LIMIT):
        if version.value is None:
            continue
        if newer is not None:
            commit = _written(repository, Revision(newer.sha))
            made = [Step(each, newer.committed, commit) for each in changes(version.value, newer.value)]
            found += reversed(made)
        if version.committed < since:
            break
        newer = version
    else:
        _demand_whole(repository)
    return tuple(reversed(found))


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Change]:
    """Yield what changed between two contents of loop.yaml, by environment: first what ended, then what began."""
    old, new = _environments(before), _environments(after)
    for name in old.keys() & new.keys():
        yield from _changed(name, _State.of(old[name]), _State.of(new[name]))


@dataclass(frozen=True, slots=True)
class _State:
    """What an environment says of versions; "" where it says nothing."""

    baseline: str
    standby: str
    candidate: str
    stage: str

    @classmethod
    def of(cls, environment: object) -> _State:
        value: Any = environment if isinstance(environment, dict) else {}
        rollout = value.get("rollout")
        trial: Any = rollout if isinstance(rollout, dict) else {}
        said = (value.get("baseline"), value.get("standby"), trial.get("candidate"), trial.get("stage"))
        return cls(*(str(each or "") for each in said))


def _changed(name: str, old: _State, new: _State) -> Iterator[Change]:
    if new.baseline != old.baseline:
        if old.baseline and new.baseline == old.standby:
            yield Change(name, Happened.BACK, old.baseline, "baseline", "")
        yield Change(name, Happened.BASELINE, new.baseline, old.baseline, new.baseline)
    if old.candidate and old.candidate not in (new.candidate, new.baseline):
        yield Change(name, Happened.BACK, old.candidate, old.stage, "")
    if new.candidate and new.candidate != old.candidate:
        yield Change(name, Happened.TRIAL, new.candidate, "", new.stage)
    elif new.candidate and new.stage != old.stage:
        yield Change(name, Happened.STAGE, new.candidate, old.stage, new.stage)


def _environments(value: Mapping[str, Any] | None) -> dict[str, object]:
    found = value.get("environments") if value is not None else None
    return found if isinstance(found, dict) else {}


def _demand_whole(repository: Repository) -> None:
    if repository.git.read("rev-parse", "--is-shallow-repository").strip() == b"true":
        raise terminal(
            "this clone is shallow: commits of this time are not here",
            fix="fetch them: `git fetch --unshallow`",
        )


def _written(repository: Repository, revision: Revision) -> Commit:
    """Return the commit that says why: of a merge, what was merged."""
    commit = repository.log(revision, limit=1)[0]
    return repository.log(commit.parents[1], limit=1)[0] if len(commit.parents) > 1 else commit
