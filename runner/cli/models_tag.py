"""`loop models tag`: Git tags in GTO's style, for a version and for the environments that trust it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from runner.cli.repository import find_root, json_option, pick_environment
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.cli.models_known import Registry
    from runner.git.repository import Repository

PUSH_SECONDS = 30.0
EXAMPLES = """\b
Examples:
  loop models tag chat-v1.1                         chat@v1.1.0, at the commit that registered it
  loop models tag chat-v1.1 --stage production      and chat#production#3: production has it now
  loop models tag chat-v1.1 --stage production --push

A tag that is there already stays; the same command again does nothing. An environment has its baseline.
"""


@click.command(epilog=EXAMPLES)
@click.argument("name")
@click.option(
    "--stage", "stages", multiple=True, metavar="ENVIRONMENT", help="Say that it has this version now."
)
@click.option("--push", is_flag=True, help="Push the tags to the remote.")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, stages: tuple[str, ...], push: bool, as_json: bool) -> None:
    """Tag the commit that registered version NAME, as GTO (https://github.com/iterative/gto) does."""
    from runner.cli.models_known import Registry
    from runner.git.repository import Repository
    from runner.registry import tags

    root = find_root(ctx)
    registry, repository = Registry(root), Repository(root)
    registry.model(name)
    _refuse_others(registry, name, stages)
    commit = _registered(repository, registry, name)
    own = tags.version_tag(name)
    wanted = [] if _is_there(registry, str(own), commit, name) else [str(own)]
    there = [] if wanted else [str(own)]
    for stage in stages:
        newest = tags.newest(stage, own.artifact, registry.tags)
        if newest is not None and tags.has_now(stage, own.artifact, registry.tags) == own:
            there.append(str(newest))
        else:
            wanted.append(str(tags.stage_tag(name, stage, registry.tags)))
    for tag in wanted:
        _make(repository, tag, commit, name)
    if push:
        _push(repository, _remote(registry, repository), [*there, *wanted])
    if as_json:
        click.echo(json.dumps({"commit": commit, "made": wanted, "there": there, "pushed": push}))
    else:
        for tag in (*there, *wanted):
            click.echo(f"{tag} -> {commit[:12]} ({'new' if tag in wanted else 'there already'})")


def _refuse_others(registry: Registry, name: str, stages: Sequence[str]) -> None:
    for stage in stages:
        baseline = pick_environment(registry.spec, stage).baseline
        if baseline != name:
            raise terminal(
                f"'{stage}' has another version than '{name}'",
                f"its baseline is {baseline}",
                fix=f"tag that one, or take {name} there: `loop promote {name} --to {stage}`",
            )


def _registered(repository: Repository, registry: Registry, name: str) -> str:
    """Return the commit that brought in the version's file. Raises TerminalError where none did."""
    path = f"{registry.spec.loop.models}/{name}.yaml"
    there = repository.git.run("cat-file", "-e", f"HEAD:{path}").status == 0
    order = ("log", "--first-parent", "--diff-filter=A", "--max-count=1", "--format=%H", "HEAD", "--")
    found = repository.git.read(*order, f":(literal,top){path}").decode().strip()
    if not found or not there:
        raise terminal(
            f"no commit of this branch brought in {path}",
            fix="commit it first; `loop promote` does so with its pull request",
        )
    return found


def _is_there(registry: Registry, tag: str, commit: str, name: str) -> bool:
    """Return whether a tag is there. Raises TerminalError where it names another commit: tags do not move."""
    found = registry.tags.get(tag)
    if found not in (None, commit):
        raise terminal(
            f"tag '{tag}' names another commit",
            f"tag: {found}",
            f"registered by: {commit}",
            fix=f"find out which is right; `git tag --delete {tag}` takes the tag of '{name}' away here",
        )
    return found is not None


def _make(repository: Repository, tag: str, commit: str, name: str) -> None:
    from runner.cli.lift import me

    author = me(repository)
    who = {"GIT_COMMITTER_NAME": author.name, "GIT_COMMITTER_EMAIL": author.email}
    order = ("tag", "--annotate", "--no-sign", f"--message={name}", "--end-of-options", tag, commit)
    repository.git.read(*order, extra=who)


def _remote(registry: Registry, repository: Repository) -> str:
    """Return where tags are pushed to: the remote of loop.yaml, else the only one."""
    settings, remotes = registry.spec.loop.git, repository.remotes()
    if settings is not None:
        return settings.remote
    if len(remotes) != 1:
        raise terminal(
            "it is not clear which remote is meant",
            f"remotes: {', '.join(remotes) or 'none'}",
            fix="declare `git:` in loop.yaml, or push the tags by hand: `git push REMOTE TAG`",
            changed="tags were made here, and not pushed",
        )
    return remotes[0]


def _push(repository: Repository, remote: str, tags: Sequence[str]) -> None:
    from runner.errors import transient

    refs = [f"refs/tags/{tag}" for tag in tags]
    done = repository.git.run(
        "push", "--quiet", "--no-verify", "--end-of-options", remote, *refs, seconds=PUSH_SECONDS
    )
    if done.status:
        raise transient(
            f"'{remote}' did not take the tags",
            *done.stderr.splitlines()[:5],
            fix="try again; the tags are made and stay",
            changed="tags were made here, and not pushed",
        )
