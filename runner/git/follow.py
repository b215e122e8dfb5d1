"""Follows a branch of a remote: what its tip is now, and a checkout that goes along where that loses nothing.

Called by the reconciler at every poll. The desired state is the tip that `fetch` returns; the checkout is for
people (and DVC's files), so where it cannot follow that is told and nothing else depends on it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum

from runner.errors import LoopError, Unknown
from runner.git.command import Finished
from runner.git.repository import FETCH_SECONDS, Relation, Repository, Revision


class Standing(StrEnum):
    """What became of the checkout."""

    THERE = "it stood at the tip"
    FORWARDED = "it went forward to the tip"
    REWOUND = "it went over to the tip of a history that was rewritten"
    LEFT = "it stays where it is"


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the checkout stands after it was asked to follow; `reason` says why it was left."""

    standing: Standing
    revision: Revision
    reason: str = ""


class Follower:
    """One branch of one remote, and the checkout that goes along with it."""

    def __init__(self, repository: Repository, remote: str, branch: str) -> None:
        self._repository, self._remote, self._branch = repository, remote, branch
        self._followed = self._tracked()

    def fetch(self, seconds: float = FETCH_SECONDS) -> Revision | Unknown:
        """Return the tip of the branch, or Unknown where the remote does not answer within `seconds`."""
        return self._repository.fetch(self._remote, self._branch, seconds)

    def relation(self, one: Revision, other: Revision) -> Relation:
        """Return how `one` stands to `other`."""
        return self._repository.relation(one, other)

    def advance_checkout(self, tip: Revision) -> Checkout:
        """Bring the checkout to `tip` where no commit and no uncommitted edit of a person is lost by that.

        It is left where another branch is checked out, where it has commits that the tip lacks (other than
        those that the remote itself had, and rewrote), or where edited or new files are in the way.
        """
        head = self._repository.head()
        try:
            found = self._advance(head, tip)
        except LoopError as error:
            return Checkout(Standing.LEFT, head, error.diagnostics[0].summary)
        if found.standing is not Standing.LEFT:
            self._followed = tip
        return found

    def _advance(self, head: Revision, tip: Revision) -> Checkout:
        branch = self._repository.branch()
        if branch != self._branch:
            where = f"'{branch}' is checked out" if branch else "no branch is checked out"
            return Checkout(Standing.LEFT, head, f"{where}, not '{self._branch}'")
        match self._repository.relation(head, tip):
            case Relation.SAME:
                return Checkout(Standing.THERE, head)
            case Relation.OLDER:
                return self._go(head, tip, Standing.FORWARDED)
            case _ if self._was_followed(head):
                return self._go(head, tip, Standing.REWOUND)
            case Relation.NEWER:
                why = f"it has commits that {self._remote} does not have"
            case Relation.DIVERGED:
                why = f"it has commits that {self._remote} does not have, and lacks some that it has"
            case Relation.UNKNOWN:
                why = "how it stands to the tip cannot be told in this clone"
        return Checkout(Standing.LEFT, head, why)

    def _was_followed(self, head: Revision) -> bool:
        """Whether all of HEAD came from the remote, so that nothing of a person's is lost with it."""
        return self._followed == head

    def _go(self, head: Revision, tip: Revision, standing: Standing) -> Checkout:
        in_the_way = self._new_files_in_the_way(head, tip)
        if in_the_way:
            return Checkout(Standing.LEFT, head, f"files that Git does not have are in the way: {in_the_way}")
        git = self._repository.git
        if standing is Standing.FORWARDED:
            done = git.run("merge", "--ff-only", "--no-overwrite-ignore", "--quiet", tip.sha)
        else:
            done = git.run("reset", "--keep", "--quiet", tip.sha)
        if done.status:
            return Checkout(Standing.LEFT, self._repository.head(), _why(done))
        return Checkout(standing, tip)

    def _new_files_in_the_way(self, head: Revision, tip: Revision) -> str:
        """Name paths that the tip adds and that are there already: ignored ones Git would write over."""
        said = self._repository.git.read(
            "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A", head.sha, tip.sha
        )
        added = (os.fsdecode(path) for path in said.split(b"\0") if path)
        return ", ".join(path for path in added if os.path.lexists(self._repository.root / path))

    def _tracked(self) -> Revision | None:
        """Return the tip as it was last fetched, perhaps by a runner before this one."""
        ref = f"refs/remotes/{self._remote}/{self._branch}"
        found = self._repository.git.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        return Revision(found.stdout.decode().strip()) if found.status == 0 else None


def _why(done: Finished) -> str:
    """Return git's refusal on one line: its first line, and the paths that it lists under it."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    paths = [line.strip() for line in done.stderr.splitlines() if line.startswith("\t")]
    first = next((line for line in lines if line.startswith(("error:", "fatal:"))), "git said nothing")
    return f"{first} {', '.join(paths)}".strip()
