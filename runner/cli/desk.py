"""The branch that commands of a person or of a workflow write to, and ask at: that of loop.yaml, else the one here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.errors import terminal

if TYPE_CHECKING:
    import aiohttp

    from runner.git.desk import Desk
    from runner.git.repository import Repository


def desk_of(repository: Repository, session: aiohttp.ClientSession) -> Desk:
    """Return the branch that `git:` of loop.yaml names, else the one that is checked out. Raises TerminalError."""
    from runner.cli.repository import read_spec
    from runner.git.commit import Author
    from runner.git.desk import Desk
    from runner.git.forge import connect

    settings, run = read_spec(repository.root).loop.git, run_of(os.environ)
    if settings is not None:
        author, forge = Author(settings.author, settings.email), connect(settings, session, os.environ)
        return Desk(repository, settings.remote, settings.branch, author, forge, run)
    branch = repository.branch()
    if branch is None:
        raise terminal(
            "a commit is checked out here and no branch, and loop.yaml names no remote",
            fix="declare `git:` in loop.yaml, or check out the branch that is to be merged into",
        )
    return Desk(repository, None, branch, Author(), run=run)


def run_of(environ: Mapping[str, str]) -> str:
    """Return what started the run of a workflow that this is part of, and its address; "" where it is part of none.

    The variables are those that GitHub Actions sets.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return ""
    event, server, repository, number = (
        environ.get(f"GITHUB_{name}", "") for name in ("EVENT_NAME", "SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    return f"{event} {server}/{repository}/actions/runs/{number}" if event and number else ""
