"""`loop data propose`: one pull request that takes the data sets as they stand here into Git.

It asks; a person merges. What it takes are the declared hashes, `dvc.lock` and, where DVC's store is a folder of this
repository, its new files. Anything else that differs here stays here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import find_root, json_option, read_spec
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.git.commit import Change
    from runner.git.desk import Proposed, Request
    from runner.git.repository import Repository, Revision
    from runner.spec.load import Spec

BRANCH = "loop/data"
SUBJECT = "Take new data sets from feedback"
TRAILER = ("Loop-Data", "curated")
LOCK = "dvc.lock"
EXAMPLES = """\b
Examples:
  loop data propose          after `loop data curate` and `dvc push`
  loop data propose --json   the address of the pull request, for programs

There is one open pull request, from the branch loop/data, however often this runs: it always holds what stood here
the last time. Without a forge in loop.yaml the branch is pushed, and a person opens it.
Exit codes: 0 asked, or Git has all of it; 1 error.
"""


@click.command(epilog=EXAMPLES)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Open or update the pull request with the data sets as they are declared here now."""
    root = find_root(ctx)
    found = asyncio.run(_ask(root, read_spec(root)))
    if as_json:
        value = {"branch": found.branch, "pull": found.pull.address} if found is not None else None
        click.echo(json.dumps({"proposed": value}, indent=2))
    elif found is None:
        click.echo("nothing to ask for: Git has the data sets as they stand here")
    else:
        click.echo(f"{found.change.value}: {found.branch}\n  {found.pull.address}: {found.pull.words}")


async def _ask(root: Path, spec: Spec) -> Proposed | None:
    """Find what differs here, and keep the pull request at it. Raises LoopError, OSError."""
    import aiohttp

    from runner.cli.desk import desk_of
    from runner.data.store import inside
    from runner.git.repository import Repository

    repository = Repository(root)
    ours = _ours(spec.loop.datasets, inside(root))
    paths = [path for path in repository.dirty() if ours(path)]
    if not paths:
        return None
    at = datetime.now(UTC).replace(microsecond=0)
    async with aiohttp.ClientSession() as session:
        desk = desk_of(repository, session)
        return await desk.propose(lambda tip: _request(repository, tip, paths, _words(spec, paths), at))


def _ours(datasets: str, store: str | None) -> Callable[[str], bool]:
    """Return what says of a path whether this command may commit it."""

    def ours(path: str) -> bool:
        declared = path.startswith(f"{datasets}/") and path.endswith(".yaml")
        return path == LOCK or declared or (store is not None and path.startswith(f"{store}/"))

    return ours


def _words(spec: Spec, paths: Sequence[str]) -> str:
    """Return what the pull request says below its title: a line for each data set that is declared anew."""
    declared = [
        f"- `{each.name}` ({each.role.value}): {each.hash}"
        for each in spec.datasets.values()
        if f"{spec.loop.datasets}/{each.name}.yaml" in paths
    ]
    return "\n".join(
        (
            "Collected, masked, labelled and checked by `loop data curate`; the bytes are in DVC's store.",
            "",
            *(declared or ["Every data set has the hash it had; what they are made of has another."]),
            "",
            "Before you merge: `dvc pull` on this branch, read some rows of each data set, and look for what must not",
            "be learned. `loop data check` shows the expectations, `loop data lineage ID` where a pair comes from.",
        )
    )


def _request(
    repository: Repository, tip: Revision, paths: Sequence[str], words: str, at: datetime
) -> Request | None:
    """Return what to ask for where the branch stands at `tip`; None where it lacks nothing of the files here.

    Raises TerminalError where one of them was changed there since the commit that is checked out.
    """
    from runner.git.desk import Draft, Request

    changes = _lacking(repository, tip, paths)
    if not changes:
        return None
    message = f"{SUBJECT}\n\n{words}\n\n{': '.join(TRAILER)}\n"
    return Request(Draft(changes, message, BRANCH, at), SUBJECT, words, TRAILER)


def _lacking(repository: Repository, tip: Revision, paths: Sequence[str]) -> tuple[Change, ...]:
    from runner.git.commit import Change

    head, there = repository.files_at(repository.head()), repository.files_at(tip)
    changes = []
    for path in paths:
        here, before = _bytes((repository.root / path).read_bytes), _bytes(partial(there.read, path))
        if here == before:
            continue
        if _bytes(partial(head.read, path)) != before:
            raise terminal(
                f"{path} was changed on the branch since the commit that is checked out here",
                fix="check out its newest commit, and make the data sets again: `loop data curate`",
                changed="nothing was written to Git",
            )
        changes.append(Change(path, before, here))
    return tuple(changes)


def _bytes(read: Callable[[], bytes]) -> bytes | None:
    try:
        return read()
    except FileNotFoundError:
        return None
