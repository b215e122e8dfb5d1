"""`loop forget`: delete everything of one user, or what is older than the policy allows."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import (
    environment_option,
    find_root,
    json_option,
    known_environment,
    working_tree_option,
)
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.feedback.forgetting import Belongings, Place

EXAMPLES = """\b
Examples:
  loop forget kim --dry-run          what there is of the user 'kim' who calls without an API key
  loop forget kim --key shop         the user 'kim' of the API key 'shop'
  loop forget --key shop             who calls with the key 'shop' and names no user
  loop forget --hash 9f86d081...     a user as the log names him
  loop forget --expired              what is older than policies/privacy.yaml allows; `loop up` does it daily
"""
GRACE_S = 60.0
COLLECTED, SNAPSHOT = "datasets/collected", "datasets/snapshot"
SHOWN = 5
HEX = frozenset("0123456789abcdef")


@click.command(epilog=EXAMPLES)
@click.argument("user", required=False)
@click.option("--key", metavar="NAME", help="Name of the API key that the user belongs to.")
@click.option(
    "--hash", "hashes", metavar="HEX", multiple=True, help="The user's hash in the log; repeatable."
)
@click.option("--expired", is_flag=True, help="Delete what is older than the policy's retention instead.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option(
    "--no-wait",
    is_flag=True,
    help="Leave replaced files to the next compaction, rather than wait for their readers and remove them.",
)
@environment_option
@working_tree_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    user: str | None,
    key: str | None,
    hashes: tuple[str, ...],
    expired: bool,
    dry_run: bool,
    no_wait: bool,
    environment: str,
    working_tree: bool,
    as_json: bool,
) -> None:
    """Delete a user's requests, texts, votes, labels and feedback, and what others said of the answers.

    They go from the event log and from datasets/collected. What else still holds them is named: the snapshot, which
    `loop data curate` makes anew, and older versions.
    """
    from runner.feedback.forgetting import Place
    from runner.reconcile.state import StatePaths

    root = find_root(ctx)
    known_environment(root, environment)
    state = StatePaths(root, environment).directory
    place = Place(state, root / COLLECTED, grace_us=round(GRACE_S * 1e6))
    named = bool(user or key or hashes)
    if named == expired:
        raise click.UsageError("name a user, a key or a hash, or say --expired", ctx)
    if expired:
        _expire(ctx, place, environment, working_tree=working_tree, dry_run=dry_run, as_json=as_json)
        return
    users = (*_checked(hashes), *((_hash(place, user, key),) if user or key else ()))
    report = _forget(place, users, root, dry_run=dry_run)
    click.echo(json.dumps(report, ensure_ascii=False) if as_json else _as_text(report))
    if not (dry_run or no_wait):
        _settle(place)


def _checked(hashes: tuple[str, ...]) -> tuple[str, ...]:
    for each in hashes:
        if len(each) != 32 or not set(each) <= HEX:
            raise click.UsageError(f"--hash {each}: a hash is 32 hex digits, as `loop.user` has it")
    return hashes


def _hash(place: Place, user: str | None, key: str | None) -> str:
    """Return how the log names a user. Raises TerminalError where nothing was logged here."""
    from runner.serving.gateway.callers import Caller, KeyedHash, read_secret

    secret = place.directory / "user-hash.key"
    if not secret.exists():
        fix = "run it on the machine of the gateway, or name the environment: `-e NAME`"
        raise terminal("no user was ever logged here", f"there is no {secret}", fix=fix)
    try:
        hashed = KeyedHash(read_secret(secret))
    except ValueError as error:
        raise terminal("the key of the user hashes cannot be read", f"{secret}: {error}") from error
    name = f"key:{key}" if key else "anonymous"
    return hashed(Caller(name, key, "", user, None).identity(None))


def _forget(place: Place, users: tuple[str, ...], root: Path, *, dry_run: bool) -> dict[str, Any]:
    from runner.feedback.forgetting import belongings, forget, lines_about, resume, waiting

    until_us = time.time_ns() // 1000
    found: Belongings
    if dry_run:
        found, left = belongings(place, users, until_us), 0
    else:
        resume(place)
        found = forget(place, users, until_us)
        left = waiting(place)
    files = (path for folder in (COLLECTED, SNAPSHOT) for path in sorted((root / folder).glob("*.jsonl")))
    held = lines_about(files, users, found)
    return {
        "dry_run": dry_run,
        "users": list(users),
        "until_us": until_us,
        "events": {kind.value: count for kind, count in found.counts.items()},
        "waiting": left,
        "collected": dict(found.lines),
        "files": {path.relative_to(root).as_posix(): count for path, count in held.items()},
        "snapshots": _snapshots(root),
    }


def _snapshots(root: Path) -> list[str]:
    """Return the commits, newest first, that changed collected data or a snapshot: each may hold the user."""
    from runner.errors import LoopError
    from runner.git.repository import Repository

    try:
        said = Repository(root).git.read("log", "--format=%h %cs", "--", COLLECTED, SNAPSHOT, "dvc.lock")
    except LoopError:
        return []  # no repository of Git, so there are no older versions either
    return said.decode().splitlines()


def _as_text(report: dict[str, Any]) -> str:
    verb = "would be deleted" if report["dry_run"] else "deleted"
    events = report["events"]
    lines = [
        f"{verb}: {sum(events.values())} events" + (":" if events else "; there is nothing of this user")
    ]
    lines += [f"  {kind:<10} {count}" for kind, count in events.items()]
    if report["waiting"]:
        lines.append(
            f"{report['waiting']} of them stand in segments that a gateway has open: nobody reads them any more, "
            "and the next compaction leaves them out"
        )
    if report["collected"]:
        lines.append(f"deleted from {COLLECTED}:")
        lines += [f"  {name}  {count} lines" for name, count in report["collected"].items()]
    if report["files"]:
        lines.append("in data sets:" if report["dry_run"] else "still in data sets:")
        lines += [f"  {path}  {count} lines" for path, count in report["files"].items()]
    if report["collected"] or report["files"]:
        lines.append("  fix: `loop data curate`, commit, `dvc push`")
    known = report["events"] or report["collected"] or report["files"]
    if not known:
        lines.append("  fix: is the name as the client sent it in `user`? Who has a key is found by --key")
    if known and report["snapshots"]:
        shown = report["snapshots"][:SHOWN]
        more = len(report["snapshots"]) - len(shown)
        lines.append("older versions of these data in Git may hold the user too:")
        lines += [f"  {commit}" for commit in shown] + ([f"  and {more} more"] if more else [])
        lines.append(
            "  fix: once the new version is committed everywhere, `dvc gc --cloud --all-branches --all-tags` removes "
            "the bytes of what no branch or tag has any more, those of models too"
        )
    return "\n".join(lines)


def _settle(place: Place) -> None:
    """Remove the files that were replaced, when whoever still reads them has had the time."""
    from runner.feedback.forgetting import settle

    click.echo(f"removing the old files in {GRACE_S:.0f} s, when nobody reads them any more", err=True)
    settle(place)


def _expire(
    ctx: click.Context, place: Place, environment: str, *, working_tree: bool, dry_run: bool, as_json: bool
) -> None:
    from runner.cli.deployment import deployment
    from runner.feedback.expiring import Ages
    from runner.feedback.forgetting import expire, resume

    policy = deployment(find_root(ctx), environment, working_tree=working_tree).spec().policies.privacy
    ages = policy.retention
    if not dry_run:
        resume(place)
    removed = expire(place, Ages(ages.facts, ages.content, ages.feedback), dry_run=dry_run)
    found = {kind: count for kind, count in removed.items() if count}
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "expired": found}))
        return
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(f"{verb}, older than policies/privacy.yaml allows: {sum(found.values()) or 'nothing'}")
    for kind, count in found.items():
        click.echo(f"  {kind:<16} {count}")
