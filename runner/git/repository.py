"""The repository that holds the desired state: which revision is current, what it says, what differs from it.

Called by the reconciler (which applies HEAD, never the working tree) and the command line (`plan --against`).
Reads and fetches only. Silence of a remote is Unknown and does not mean "no new commits" (invariant 3).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from runner.errors import Diagnostic, LoopError, TerminalError, Unknown, terminal
from runner.git.command import Git, failure
from runner.git.tree import DigestOf, TreeFiles, read_tree
from runner.spec.files import digest_of_directory

FETCH_SECONDS = 10.0
_FIELDS = "%H%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%s%x1f%b"


@dataclass(frozen=True, slots=True, order=True)
class Revision:
    """A commit, by its full object name (40 or 64 hex digits)."""

    sha: str

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.sha[:12]

    def __str__(self) -> str:
        return self.sha


class Relation(StrEnum):
    """How one revision stands to another."""

    SAME = "same"
    OLDER = "older"
    """It is an ancestor of the other."""
    NEWER = "newer"
    """The other is an ancestor of it."""
    DIVERGED = "diverged"
    """Each has commits that the other lacks."""
    UNKNOWN = "unknown"
    """One of them, or the history between them, is not here."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says about itself; `time` is the author's, with its zone."""

    revision: Revision
    parents: tuple[Revision, ...]
    author: str
    email: str
    time: datetime
    subject: str
    body: str


class Repository:
    """A Git working tree, read through the `git` command; safe to use from several threads."""

    def __init__(self, root: Path, environ: Mapping[str, str] = os.environ) -> None:
        """Open the repository whose working tree has its top at `root`.

        Raises TerminalError where `root` is no repository or only a directory inside one, or git is missing.
        """
        self.root = root.resolve()
        self._git = Git(self.root, dict(environ))
        _check_top(self._git)

    @property
    def git(self) -> Git:
        """The command in this working tree, for the parts of this package that write."""
        return self._git

    def head(self) -> Revision:
        """Return the commit that is checked out. Raises TerminalError in a repository without commits."""
        found = self._git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if found.status:
            raise terminal(
                f"{self.root}: this repository has no commits yet",
                fix="commit the desired state first: `git add . && git commit`",
            )
        return Revision(found.stdout.decode().strip())

    def branch(self) -> str | None:
        """Return the name of the branch that is checked out, or None where HEAD is detached."""
        found = self._git.run("symbolic-ref", "--quiet", "--short", "HEAD")
        return found.stdout.decode().strip() if found.status == 0 else None

    def resolve(self, ref: str) -> Revision:
        """Return the commit that a branch, tag, abbreviation or expression such as `HEAD^` names.

        Raises TerminalError, with a suggestion where a name is close, for what names no commit here.
        """
        found = self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        if found.status or not ref:
            raise TerminalError(self._unknown(ref))
        return Revision(found.stdout.decode().strip())

    def merge_base(self, one: Revision, other: Revision) -> Revision | None:
        """Return the commit at which two histories parted, or None where they have none in common."""
        found = self._git.run("merge-base", one.sha, other.sha)
        if found.status > 1:
            raise failure("merge-base", found)
        return Revision(found.stdout.decode().strip()) if found.status == 0 else None

    def relation(self, one: Revision, other: Revision) -> Relation:
        """Return how `one` stands to `other`: OLDER where `one` is an ancestor of it."""
        if one == other:
            return Relation.SAME
        forward, backward = self._is_ancestor(one, other), self._is_ancestor(other, one)
        if forward is None or backward is None:
            return Relation.UNKNOWN
        if forward or backward:
            return Relation.OLDER if forward else Relation.NEWER
        return Relation.UNKNOWN if self._shallow() else Relation.DIVERGED

    def dirty(self) -> tuple[str, ...]:
        """Return the paths that differ from HEAD, untracked ones included, ignored ones not; in order."""
        said = self._git.read("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
        return tuple(sorted(os.fsdecode(entry[3:]) for entry in said.split(b"\0") if entry))

    def changed(self, since: Revision, until: Revision) -> tuple[str, ...]:
        """Return the paths whose content differs between two commits, in order."""
        said = self._git.read("diff-tree", "-r", "-z", "--name-only", "--no-renames", since.sha, until.sha)
        return tuple(sorted(os.fsdecode(path) for path in said.split(b"\0") if path))

    def log(self, until: Revision, since: Revision | None = None, limit: int = 100) -> tuple[Commit, ...]:
        """Return commits reachable from `until` and not from `since`, newest first, at most `limit`."""
        span = until.sha if since is None else f"{since.sha}..{until.sha}"
        said = self._git.read("log", "-z", f"--max-count={limit}", f"--format={_FIELDS}", span, "--")
        return tuple(_commit(entry) for entry in said.decode(errors="replace").split("\0") if entry)

    def files_at(self, revision: Revision, digest_of: DigestOf = digest_of_directory) -> TreeFiles:
        """Return the files of a commit; digests of directories come from the working tree.

        `digest_of` digests a directory of the working tree, so that a caller can hand in a cached one.
        """
        return TreeFiles(self._git, self.root, read_tree(self._git, revision.sha), digest_of)

    def remotes(self) -> tuple[str, ...]:
        """Return the names of the remotes, in order."""
        return tuple(sorted(self._git.read("remote").decode().split()))

    def fetch(self, remote: str, branch: str, seconds: float = FETCH_SECONDS) -> Revision | Unknown:
        """Fetch one branch and return its tip, or Unknown where the remote fails or is silent for `seconds`.

        Updates `refs/remotes/REMOTE/BRANCH` and nothing else.
        """
        tracking = f"refs/remotes/{remote}/{branch}"
        order = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        try:
            done = self._git.run(
                *order, "--end-of-options", remote, f"+refs/heads/{branch}:{tracking}", seconds=seconds
            )
            if done.status:
                return Unknown(f"{remote}/{branch}: {_reason(done.stderr)}")
            return self.resolve(tracking)
        except LoopError as error:
            return Unknown(f"{remote}/{branch}: {error.diagnostics[0].summary}")

    def _is_ancestor(self, old: Revision, new: Revision) -> bool | None:
        found = self._git.run("merge-base", "--is-ancestor", old.sha, new.sha)
        return found.status == 0 if found.status in (0, 1) else None

    def _shallow(self) -> bool:
        return self._git.read("rev-parse", "--is-shallow-repository").strip() == b"true"

    def _unknown(self, ref: str) -> Diagnostic:
        names = self._git.read("for-each-ref", "--format=%(refname:short)").decode().split()
        near = difflib.get_close_matches(ref, names, n=1)
        shallow = self._shallow()
        evidence = ("this clone is shallow: older commits are not here",) if shallow else ()
        fix = f"did you mean '{near[0]}'?" if near else "fetch it first" if shallow else None
        return Diagnostic(f"unknown revision '{ref}'", evidence=evidence, fix=fix)


def _check_top(git: Git) -> None:
    if not git.directory.is_dir():
        raise terminal(f"{git.directory}: no such directory")
    found = git.run("rev-parse", "--show-toplevel")
    if found.status and "not a git repository" not in found.stderr:
        raise failure("rev-parse", found)
    if found.status:
        raise terminal(
            f"{git.directory}: not a Git repository", fix="run it where loop.yaml is, or `git init`"
        )
    top = Path(os.fsdecode(found.stdout.removesuffix(b"\n")))
    if top.resolve() != git.directory:
        raise terminal(
            f"{git.directory}: not the top of a Git repository",
            f"the top is {top}",
            fix="loop.yaml stands at the top of its own repository: run it there, or `git init` here",
        )


def _commit(entry: str) -> Commit:
    sha, parents, author, email, time, subject, body = entry.strip("\n").split("\x1f", 6)
    return Commit(
        revision=Revision(sha),
        parents=tuple(map(Revision, parents.split())),
        author=author,
        email=email,
        time=datetime.fromisoformat(time),
        subject=subject,
        body=body.strip(),
    )


def _reason(said: str) -> str:
    """Return what git died of; the advice that follows it is the same for every cause."""
    lines = [line for line in said.splitlines() if line.strip()]
    return next(
        (line for line in lines if line.startswith(("fatal:", "ssh:"))), (lines or ["it said nothing"])[-1]
    )
