"""Makes commits out of objects alone: no working tree, no index, no branch of anybody is touched.

The reconciler gives what this returns to `landing`. A commit that never lands is an unreachable object that
Git's own housekeeping removes, so making one again after a crash costs nothing; the same facts even give
the same commit.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runner.errors import terminal, transient
from runner.git.command import Git
from runner.git.repository import Repository, Revision

_FILE = "100644"


@dataclass(frozen=True, slots=True)
class Change:
    """One file: what it must hold in the parent, and what it holds then; None is a file that is not there."""

    path: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits."""

    name: str = "loop"
    email: str = "loop@localhost"

    def __str__(self) -> str:
        name, email = (re.sub(r"[<>\s]+", " ", text).strip() for text in (self.name, self.email))
        return f"{name} <{email}>"


def commit(  # noqa: PLR0913 - what a commit consists of
    repository: Repository,
    parent: Revision,
    changes: Sequence[Change],
    message: str,
    *,
    at: datetime,
    author: Author = Author(),
) -> Revision:
    """Make a commit on `parent`, and return it; nothing points to it yet.

    File modes stay; a new file is a plain one. `at` (with its zone) is both of its times, so the same
    arguments give the same commit. Raises TerminalError where a file of the parent is not what `before`
    says or nothing would change, TransientError where the disk is full or locked.
    """
    git = repository.git
    entries = [_entry(git, parent, change) for change in changes if change.before != change.after]
    if not entries:
        raise terminal(f"there is nothing to commit on {parent.short}")
    stamp = f"{author} {int(at.timestamp())} {at.strftime('%z') or '+0000'}"
    tree = _tree(git, parent, entries)
    text = f"tree {tree}\nparent {parent.sha}\nauthor {stamp}\ncommitter {stamp}\n\n{message}"
    named = git.read("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
    return Revision(named.decode().strip())


def _entry(git: Git, parent: Revision, change: Change) -> bytes:
    """Return the line of `update-index --index-info` for one file, its content written as an object."""
    path = os.fsencode(change.path)
    found = git.read("ls-tree", "-z", "--full-tree", parent.sha, "--", f":(literal,top){change.path}")
    about = found.partition(b"\t")[0].decode().split()
    mode = about[0] if about else _FILE
    if not mode.startswith("100"):
        raise terminal(f"{change.path} is no regular file in {parent.short}")
    held = git.read("cat-file", "blob", about[2]) if about else None
    if held != change.before:
        raise terminal(
            f"{change.path} is not in {parent.short} what the edit began with",
            fix="make the edit again from that commit",
        )
    if change.after is None:
        return b"0 " + b"0" * len(parent.sha) + b"\t" + path
    blob = git.read("hash-object", "-w", "--stdin", "--no-filters", stdin=change.after).strip()
    return mode.encode() + b" " + blob + b"\t" + path


def _tree(git: Git, parent: Revision, entries: Sequence[bytes]) -> str:
    """Write the parent's tree with these entries, through an index that nobody else knows."""
    try:
        with tempfile.TemporaryDirectory(prefix="loop-index-") as folder:
            extra = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            git.read("read-tree", parent.sha, extra=extra)
            git.read("update-index", "-z", "--index-info", stdin=b"\0".join((*entries, b"")), extra=extra)
            return git.read("write-tree", extra=extra).decode().strip()
    except OSError as error:
        raise transient(f"no place for a temporary index: {error}") from error
