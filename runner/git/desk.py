"""The branch that automation writes to, and the two ways there: a commit on it, or a pull request for it.

Called by the reconciler (rollbacks, stages) and by promotions. It makes the commit again where somebody else was
quicker, and asks by a pull request where the branch takes no push. It decides nothing of what is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from runner.errors import Unknown, terminal, transient
from runner.git import landing, messages
from runner.git.commit import Author, Change, commit
from runner.git.forge import Forge, NoForge, Pull
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


class Outcome(StrEnum):
    """What became of the branch of a request."""

    MADE = "made"
    REPLACED = "replaced"
    """It held an older form of the same request, or stood on an older tip."""
    KEPT = "kept"
    """It held just this already."""


@dataclass(frozen=True, slots=True)
class Request:
    """A draft that a person is asked to merge, in the words of its pull request.

    `own` is the trailer, key and value, by which commits of the same request are known on its branch.
    """

    draft: Draft
    title: str
    body: str
    own: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Proposed:
    """Where a request waits: the commit on its branch, and the pull request."""

    revision: Revision
    branch: str
    change: Outcome
    pull: Pull


@dataclass(frozen=True, slots=True)
class _Placed:
    """What became of a draft in Git; `proposed` is it where its branch waits for a pull request."""

    written: str
    note: str = ""
    proposed: Draft | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """The branch that is written to: of `remote`, or where that is None the one that is checked out here.

    `run` is the run of a workflow that writes, for the messages; "" where none does.
    """

    repository: Repository
    remote: str | None
    branch: str
    author: Author
    forge: Forge = field(default_factory=NoForge)
    run: str = ""

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

    async def propose(self, make: Callable[[Revision], Request | None]) -> Proposed | None:
        """Bring what `make` asks for on the tip to a branch of its own, as one commit, and ask a person to merge it.

        Where the same was asked for before, its branch and pull request are brought up to date. None where `make`
        finds nothing to ask for. Raises TerminalError where somebody else has committed to that branch.
        """
        placed = await asyncio.to_thread(self._place, make)
        if placed is None:
            return None
        request, revision, change = placed
        branch = request.draft.branch
        pull = await self.forge.present(branch, self.branch, request.title, request.body)
        return Proposed(revision, branch, change, pull)

    def _place(self, make: Callable[[Revision], Request | None]) -> tuple[Request, Revision, Outcome] | None:
        for _ in range(TRIES):
            tip = self.tip()
            request = make(tip)
            if request is None:
                return None
            made, held = self._made(tip, request.draft), self.held(request.draft.branch)
            if held is not None and self._is_same(held, made):
                return request, held, Outcome.KEPT
            if held is not None:
                self._refuse_others(tip, held, request)
            if self._replaced(request.draft.branch, held, made):
                return request, made, Outcome.MADE if held is None else Outcome.REPLACED
        raise transient("others push faster than it can be written to", f"{TRIES} tries")

    def _refuse_others(self, tip: Revision, held: Revision, request: Request) -> None:
        key, value = request.own
        foreign = [
            commit
            for commit in self.repository.log(held, since=tip)
            if messages.trailers(commit.body).get(key) != value
        ]
        if foreign:
            raise terminal(
                f"branch '{request.draft.branch}' holds commits of somebody else, and stays as it is",
                *(f"{each.revision.short} {each.author}: {each.subject}" for each in foreign[:5]),
                fix="merge it as it is; or delete it, and this makes it anew",
            )

    def _replaced(self, branch: str, held: Revision | None, made: Revision) -> bool:
        """Put `made` on a branch that stands at `held`; return False where it has moved meanwhile."""
        if self.remote is None:
            landing.replace_locally(self.repository, made, branch, held)
            return True
        match landing.replace(self.repository, made, RemoteBranch(self.remote, branch), held):
            case Pushed():
                return True
            case Moved():
                return False
            case Protected(message):
                raise terminal(f"the remote takes no branch '{branch}'", message)
            case Unreachable(reason):
                raise transient("the remote does not answer", reason)

    def held(self, branch: str) -> Revision | None:
        """Return where a branch beside this one stands, None where it is not there. Raises TransientError."""
        if self.remote is None:
            found = self.repository.git.run(
                "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}"
            )
            return Revision(found.stdout.decode().strip()) if found.status == 0 else None
        held = self.repository.fetch(self.remote, branch)
        if isinstance(held, Revision):
            return held
        if "couldn't find remote ref" in held.reason:
            return None
        raise transient("the remote does not answer", held.reason, changed="nothing was written to Git")

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
        message = messages.with_run(wanted.message, self.run)
        return commit(self.repository, tip, wanted.changes, message, at=wanted.at, author=self.author)

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

    def _is_same(self, held: Revision, made: Revision) -> bool:
        """Return whether a commit has the same files on the same parent."""
        parents = [self.repository.log(each, limit=1)[0].parents for each in (held, made)]
        return parents[0] == parents[1] and self._tree(held) == self._tree(made)

    def _tree(self, revision: Revision) -> bytes:
        return self.repository.git.read("rev-parse", "--verify", f"{revision.sha}^{{tree}}").strip()


def edit(path: str, before: str | None, after: str) -> Change:
    """Return the change of a text file; `before` is None where it is not there yet."""
    return Change(path, before.encode() if before is not None else None, after.encode())
