"""The branch that automation writes to, and the two ways there: a commit on it, or a pull request for it.

Called by the reconciler (rollbacks, stages) and by promotions. It makes the commit again where somebody else was
quicker, and asks by a pull request where the branch takes no push. It decides nothing of what is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from runner.errors import Unknown, terminal, transient
from runner.git import landing
from runner.git.commit import Author, Change, commit
from runner.git.forge import Forge, NoForge
from runner.git.landing import Landed, Moved, Protected, Pushed, RemoteBranch, Unreachable
from runner.git.repository import Repository, Revision

TRIES = 5
"""Somebody else may push in between, each time."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be committed: the files, the message, and a name for its branch if it needs one of its own."""

    changes: tuple[Change, ...]
    message: str
    branch: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """Where a draft is now: a commit, or the address of what waits for a person; `note` is for people."""

    written: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Placed:
    """What became of a draft in Git; `proposed` is it where its branch waits for a pull request."""

    written: str
    note: str = ""
    proposed: Draft | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """The branch that is written to: of `remote`, or where that is None the one that is checked out here."""

    repository: Repository
    remote: str | None
    branch: str
    author: Author
    forge: Forge = field(default_factory=NoForge)

    def tip(self) -> Revision:
        """Return the branch as it is now. Raises TransientError where the remote is silent."""
        if self.remote is None:
            return self.repository.resolve(f"refs/heads/{self.branch}")
        tip = self.repository.fetch(self.remote, self.branch)
        if isinstance(tip, Unknown):
            raise transient("the remote does not answer", tip.reason, changed="nothing was written to Git")
        return tip

    def text(self, tip: Revision, path: str) -> str | None:
        """Return a file of a commit as it is, whatever line ends it has; None where it is not there.

        Raises TerminalError where it is not UTF-8.
        """
        try:
            return self.repository.files_at(tip).read(path).decode("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise terminal(f"{path} of {tip.short} is not UTF-8", str(error)) from error

    async def write(self, draft: Callable[[Revision], Draft | None], *, by_pull_request: bool) -> Written:
        """Put on the branch what `draft` makes of its tip, or ask for it; None means that nothing is missing.

        Raises LoopError.
        """
        found = await asyncio.to_thread(self._commit, draft, by_pull_request)
        if found.proposed is None:
            return Written(found.written, found.note)
        subject, _, body = found.proposed.message.partition("\n")
        pull = await self.forge.open_pull(found.written, self.branch, subject, body.strip())
        return Written(pull.address, "; ".join(filter(None, (found.note, pull.words))))

    def _commit(self, draft: Callable[[Revision], Draft | None], by_pull_request: bool) -> _Placed:
        """Commit what is missing on the newest tip, again where somebody else was quicker."""
        for _ in range(TRIES):
            tip = self.tip()
            wanted = draft(tip)
            if wanted is None:
                return _Placed(tip.sha, "Git said so already")
            made = self._made(tip, wanted)
            found = self._propose(made, wanted) if by_pull_request else self._land(made, tip, wanted)
            if found is not None:
                return found
        raise transient(
            f"others push to '{self.branch}' faster than it can be written to",
            f"{TRIES} tries",
            changed="nothing was written to Git",
        )

    def _made(self, tip: Revision, wanted: Draft) -> Revision:
        return commit(self.repository, tip, wanted.changes, wanted.message, at=wanted.at, author=self.author)

    def _land(self, made: Revision, tip: Revision, wanted: Draft) -> _Placed | None:
        """Put a commit on the branch; None where it has moved. A protected branch is asked by a pull request."""
        outcome: landing.Outcome | Landed = (
            landing.land_locally(self.repository, made, self.branch)
            if self.remote is None
            else landing.push(self.repository, made, RemoteBranch(self.remote, self.branch), tip)
        )
        match outcome:
            case Pushed(revision):
                return _Placed(revision.sha)
            case Landed(revision, note):
                return _Placed(revision.sha, note)
            case Moved():
                return None
            case Protected(message):
                found = self._propose(made, wanted)
                return replace(found, note=f"the branch is protected: {message}")
            case Unreachable(reason):
                raise transient("the remote does not answer", reason, changed="nothing was written to Git")

    def _propose(self, made: Revision, wanted: Draft) -> _Placed:
        """Put a commit on a branch of its own, from which a person merges it."""
        branch = wanted.branch
        if self.remote is None:
            self.repository.git.read("update-ref", f"refs/heads/{branch}", made.sha)
            return _Placed(branch, proposed=wanted)
        held = self.repository.fetch(self.remote, branch)
        if isinstance(held, Revision) and self._tree(held) != self._tree(made):
            # Somebody's, or of an earlier trial: what is asked for must be what was proven.
            branch, held = f"{branch}-{made.short}", Unknown("a name of its own")
        if isinstance(held, Unknown):  # it is not there, or nothing answers: the push tells
            match landing.push(self.repository, made, RemoteBranch(self.remote, branch), None):
                case Unreachable(reason):
                    raise transient("the remote does not answer", reason)
                case Protected(message):
                    raise terminal(f"the remote takes no branch '{branch}'", message)
                case _:
                    pass
        return _Placed(branch, proposed=wanted)

    def _tree(self, revision: Revision) -> bytes:
        return self.repository.git.read("rev-parse", "--verify", f"{revision.sha}^{{tree}}").strip()


def edit(path: str, before: str | None, after: str) -> Change:
    """Return the change of a text file; `before` is None where it is not there yet."""
    return Change(path, before.encode() if before is not None else None, after.encode())
