"""A repository's beginning: an empty one, and the first commit of everything that lies in its folder.

Called by `loop init` for a folder that is nobody's repository yet. It runs no hook and asks no remote.
"""

from __future__ import annotations

from pathlib import Path

from runner.git.command import Git, failure

BRANCH = "main"
_NOBODY = ("-c", "user.name=loop", "-c", "user.email=loop@localhost")
"""Who commits where Git knows no name of the person; `git commit --amend --reset-author` corrects it."""


def begin(folder: Path, remote: str | None) -> None:
    """Make the folder a repository without commits; `remote` becomes `origin`. Raises LoopError with Git's words."""
    git = Git(folder)
    git.read("init", "--quiet", f"--initial-branch={BRANCH}")
    if remote is not None:
        git.read("remote", "add", "origin", remote)


def first_commit(folder: Path, message: str) -> str:
    """Commit everything that is not ignored and return the commit. Raises LoopError with Git's words."""
    git = Git(folder)
    git.read("add", "--all")
    who = () if git.run("var", "GIT_COMMITTER_IDENT").status == 0 else _NOBODY
    ended = git.run(*who, "-c", "commit.gpgSign=false", "commit", "--quiet", "--message", message)
    if ended.status:
        raise failure("commit", ended)
    return git.read("rev-parse", "HEAD").decode().strip()
