"""Where the desired state is read from: the commit checked out, or for trying things the working tree.

Called by `loop`. Reads Git and files; never writes, never fetches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runner import digest
from runner.errors import Unknown, transient
from runner.git import messages
from runner.git.changes import LOOP_FILE
from runner.git.follow import Follower
from runner.git.history import introduced, since
from runner.git.repository import Relation, Repository, Revision
from runner.reconcile.distil import Background, BaselineSince, Declared, Measured, distil
from runner.reconcile.observed import BASELINE, Standing
from runner.reconcile.presence import digest_if_whole
from runner.spec.files import DirectoryFiles, Files
from runner.spec.load import Spec, load_or_raise
from runner.spec.source import read

_PART_OF = (Relation.SAME, Relation.OLDER)
_SHA = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")


class Stationary:
    """What a source says of history where nothing but the person at this checkout moves it."""

    def refresh(self) -> None:
        """Return at once: what is here is all there is."""

    def standing(self, revision: str, ours: str) -> Standing:  # noqa: ARG002 - nobody is ahead of this checkout
        """Return that whatever a gateway obeys may be replaced."""
        return Standing.CURRENT

    def contains(self, commit: str, ours: str) -> bool:  # noqa: ARG002 - no history is looked at
        """Return that no commit is known to be part of it."""
        return False

    def lacks(self, commit: str, ours: str) -> bool:  # noqa: ARG002 - as above
        """Return that nothing is known to be missing."""
        return False


class CommitSource(Stationary):
    """The tree of HEAD: what was not committed is not desired (invariant 1)."""

    def __init__(self, repository: Repository, environment: str) -> None:
        self._repository, self._environment = repository, environment

    def revision(self) -> str:
        """Return the commit that is checked out. Raises TerminalError in a repository without commits."""
        return self._repository.head().sha

    def declared(self, revision: str) -> Declared:
        """Return what a commit says. Raises TerminalError with everything that is wrong in it."""
        return _distilled(self._repository, self.spec(revision), self._environment, revision)

    def spec(self, revision: str) -> Spec:
        """Return the whole spec of a commit. Raises TerminalError with everything that is wrong in it."""
        return load_or_raise(self._repository.files_at(Revision(revision), digest_if_whole))


class RemoteSource:
    """The tip of a branch of a remote, which `refresh` fetches; the checkout follows where nothing is in its way.

    What a silent remote said last stays in force (invariant 3).
    """

    def __init__(
        self,
        repository: Repository,
        follower: Follower,
        environment: str,
        clock: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        """Read through `repository` what `follower` fetches; `clock` gives monotonic seconds.

        `tell` hears, once for each reason, why the checkout does not follow.
        """
        self._repository, self._follower, self._environment = repository, follower, environment
        self._clock, self._tell, self._left = clock, tell, ""
        self._tip = ""
        self._fetched_from = float("-inf")
        self._doubts: dict[tuple[str, str], float] = {}
        self._ancestors: dict[tuple[str, str], bool] = {}

    def refresh(self) -> None:
        """Fetch the branch and let the checkout follow. Raises TransientError where the remote is silent."""
        begun = self._clock()
        tip = self._follower.fetch()
        if isinstance(tip, Unknown):
            raise transient(
                "the remote does not answer", tip.reason, changed="the last known tip stays in force"
            )
        self._tip, self._fetched_from = tip.sha, begun
        left = self._follower.advance_checkout(tip).reason
        if left and left != self._left:
            self._tell(f"the checkout stays where it is, {tip.short} is applied all the same: {left}")
        self._left = left

    def revision(self) -> str:
        """Return the newest tip that was fetched, at first the commit that is checked out. Raises TerminalError."""
        return self._tip or self._repository.head().sha

    def declared(self, revision: str) -> Declared:
        """Return what a commit says. Raises TerminalError with everything that is wrong in it."""
        return _distilled(self._repository, self.spec(revision), self._environment, revision)

    def spec(self, revision: str) -> Spec:
        """Return the whole spec of a commit. Raises TerminalError with everything that is wrong in it."""
        return load_or_raise(self._repository.files_at(Revision(revision), digest_if_whole))

    def standing(self, revision: str, ours: str) -> Standing:
        """Return whether a revision comes after ours, as far as a fetch that began after it was seen can tell."""
        if revision == ours or not _SHA.fullmatch(revision) or self.contains(revision, ours):
            return Standing.CURRENT
        seen = self._doubts.setdefault((revision, ours), self._clock())
        return Standing.CURRENT if self._fetched_from > seen else Standing.NEWER

    def contains(self, commit: str, ours: str) -> bool:
        """Return whether a commit is part of our revision's history."""
        key = (commit, ours)
        if key not in self._ancestors:
            known = (
                self._repository.relation(Revision(commit), Revision(ours)) in _PART_OF
                if _SHA.fullmatch(commit)
                else False
            )
            if not known:
                return False  # a fetch may bring it
            self._ancestors[key] = known
        return self._ancestors[key]

    def lacks(self, commit: str, ours: str) -> bool:
        """Return whether a commit that was in force is not part of our revision's history: it went back in time."""
        return bool(_SHA.fullmatch(commit)) and not self.contains(commit, ours)


class WorkingTreeSource(Stationary):
    """The files as they are now, for trying a change before it is committed; its revisions are digests."""

    def __init__(self, root: Path, environment: str) -> None:
        self._root, self._environment = root, environment

    def revision(self) -> str:
        """Return a name for the bytes that the YAML files have now. Raises OSError."""
        # One walk of the few folders that the spec may live in; weights and data are none of them.
        folders = [p for p in self._root.iterdir() if p.is_dir() and p.name[0] not in "._"]
        files = list(self._root.glob("*.yaml"))
        for folder in folders:
            files += folder.glob("*.yaml")
        content = [[str(p.relative_to(self._root)), digest.of_file(p)] for p in sorted(files)]
        return f"working-tree-{digest.short(digest.of_value(content))}"

    def declared(self, revision: str) -> Declared:
        """Return what the files say now. Raises TerminalError with everything that is wrong in them."""
        background = Background(measured=measured_in(DirectoryFiles(self._root)))
        return distil(self.spec(revision), self._environment, revision, background)

    def spec(self, revision: str) -> Spec:  # noqa: ARG002 - there is one revision only: what is there now
        """Return the whole spec as it is now. Raises TerminalError with everything that is wrong in it."""
        return load_or_raise(DirectoryFiles(self._root))


def baseline_since(repository: Repository, revision: Revision) -> BaselineSince:
    """Return the question since when, by the history of a commit, a version has been an environment's baseline."""

    def answer(environment: str, version: str) -> float | None:
        def is_baseline(loop_yaml: Mapping[str, Any]) -> bool:
            declared = (loop_yaml.get("environments") or {}).get(environment) or {}
            return isinstance(declared, dict) and declared.get("baseline") == version

        found = since(repository, revision, is_baseline)
        return None if found is None else found.timestamp()

    return answer


def _distilled(repository: Repository, spec: Spec, environment: str, revision: str) -> Declared:
    at = Revision(revision)

    def taken(name: str) -> frozenset[str]:
        return stages_taken(repository, at, name)

    measured = measured_in(repository.files_at(at))
    return distil(spec, environment, revision, Background(baseline_since(repository, at), taken, measured))


def measured_in(files: Files) -> Measured:
    """Return the question of which bytes an evaluation's report is, by the report as these files have it."""

    def answer(report: str) -> str:
        try:
            value = json.loads(files.read(report))
        except (OSError, ValueError):
            return ""
        found = value.get("digest") if isinstance(value, dict) else None
        return found if isinstance(found, str) else ""

    return answer


def stages_taken(repository: Repository, revision: Revision, environment: str) -> frozenset[str]:
    """Return the stages that commits of automation brought the present trial to, reverted since or not.

    BASELINE is among them where the candidate was the baseline right before it came on trial: somebody went back.
    """
    origin = introduced(repository, revision, environment)
    if origin is None:
        return frozenset()
    steps = [messages.trailers(commit.body).get(messages.ADVANCE, "") for commit in origin.commits]
    taken = {step.rpartition(" -> ")[2] for step in steps if " -> " in step}
    before, entered = _declared(origin.before, environment), _declared(origin.text, environment)
    candidate = (entered.get("rollout") or {}).get("candidate")
    went_back = candidate is not None and before.get("baseline") == candidate
    return frozenset(taken | ({BASELINE} if went_back else set()))


def _declared(text: str | None, environment: str) -> Mapping[str, Any]:
    """Return what a text of loop.yaml, as Git had it once, says of an environment; empty where it says nothing."""
    document, _ = read(LOOP_FILE, text.encode()) if text is not None else (None, ())
    value: Any = document.value if document else None
    for key in ("environments", environment):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
