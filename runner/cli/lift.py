"""`loop lift`: let a version that was rolled back go on trial again, by a commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runner.cli.repository import find_root
from runner.errors import TerminalError, terminal

if TYPE_CHECKING:
    from runner.git.commit import Author
    from runner.git.repository import Repository

EXAMPLES = """\b
Examples:
  loop lift chat-v1.1                          the newest entry of that version
  loop lift chat-v1.1--9f2c4e71a0b3            exactly these bytes
  loop lift chat-v1.1 --reason "the engine was at fault, see the postmortem"

It commits on the branch that is checked out; push it, or open a pull request with it. Deleting the entry from
quarantine.yaml by hand is the same.
"""


@click.command(epilog=EXAMPLES)
@click.argument("version")
@click.option("--reason", default="", help="Why; stands in the commit.")
@click.pass_context
def command(ctx: click.Context, version: str, reason: str) -> None:
    """Take VERSION out of quarantine.yaml in a commit, so that a rollout may put it on trial again."""
    from runner.git import changes, landing
    from runner.git.commit import Change, commit
    from runner.git.repository import Repository

    root = find_root(ctx)
    repository = Repository(root)
    branch, head = repository.branch(), repository.head()
    if branch is None:
        raise terminal("no branch is checked out, so there is none to commit to", fix="`git switch main`")
    text, known = _committed(repository)
    served = _meant(known, version)
    message = f"Lift {served}\n\n{reason or 'It may go on trial again.'}\n\nLoop-Lift: {served}\n"
    change = Change(changes.QUARANTINE_FILE, text.encode(), changes.lift(text, served).encode())
    made = commit(
        repository, head, [change], message, at=datetime.now(UTC).astimezone(), author=me(repository)
    )
    found = landing.land_locally(repository, made, branch)
    if not isinstance(found, landing.Landed):
        raise terminal(f"'{branch}' moved meanwhile", fix="try again", changed="nothing was committed")
    click.echo(
        f"{made.short} on {branch}: {served} may go on trial again; `git push` where a remote is followed"
    )
    if found.note:
        click.echo(f"note: {found.note}", err=True)


def _committed(repository: Repository) -> tuple[str, tuple[str, ...]]:
    """Return the file as the last commit has it, and what it quarantines, oldest first. Raises TerminalError."""
    from runner.git.changes import QUARANTINE_FILE
    from runner.spec.parse import parse

    files = repository.files_at(repository.head())
    try:
        data = files.read(QUARANTINE_FILE)
    except FileNotFoundError:
        raise terminal(f"nothing is quarantined: there is no {QUARANTINE_FILE} in the last commit") from None
    parsed, problems = parse(files)
    if own := [each for each in problems if each.location and each.location.path == QUARANTINE_FILE]:
        raise TerminalError(*own)
    return data.decode("utf-8"), tuple(entry.served for entry in parsed.quarantine.quarantined)


def _meant(known: Sequence[str], version: str) -> str:
    """Return the served name that is meant: as written, or the newest entry of a version."""
    import difflib

    found = [name for name in known if version in (name, name.rpartition("--")[0])]
    if found:
        return found[-1]
    near = difflib.get_close_matches(version, [*known, *(name.rpartition("--")[0] for name in known)], n=1)
    raise terminal(
        f"'{version}' is not quarantined",
        f"quarantined: {', '.join(known) or 'nothing'}",
        fix=f"did you mean '{near[0]}'?" if near else None,
    )


def me(repository: Repository) -> Author:
    """Return who works here, as Git knows him."""
    from runner.git.commit import Author

    def setting(name: str) -> str:
        return repository.git.run("config", "--get", name).stdout.decode().strip()

    name, email = setting("user.name"), setting("user.email")
    return Author(name, email) if name and email else Author()
