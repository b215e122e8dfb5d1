"""`loop promote`: the pull request that takes a version one step further; a person merges it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from runner.cli.desk import desk_of
from runner.cli.promote_asking import Asking
from runner.cli.repository import find_root, json_option
from runner.errors import Diagnostic, LoopError, Severity

if TYPE_CHECKING:
    from runner.git.desk import Desk, Proposed, Request
    from runner.git.repository import Repository
    from runner.promotion.readiness import Step
    from runner.spec.load import Spec

LONGEST_DIFF = 60
"""Lines of a change that `--dry-run` shows; of longer ones it tells the size."""
LONGEST_LINE = 160
"""Characters of such a line."""
WRITTEN_BY_HAND = (".yaml", ".dvc", ".gitignore")
"""Endings of the files whose change it shows; what programs wrote, reports and objects of a store, is one line each."""
BASELINE = "baseline"
EXAMPLES = """\b
Examples:
  loop promote chat-v1.1 --to staging              on trial in staging, in the first stage
  loop promote chat-v1.1 --to production           once staging has trusted it for long enough
  loop promote chat-v1.1 --to baseline             the candidate of production's last stage becomes its baseline
  loop promote chat-v1.1 --to baseline -e staging  the same in staging
  loop promote chat-v1.1 --to staging --dry-run    the change and the text of the pull request, and nothing else
  loop promote --due                               every step that is due, in every environment

There is one branch and one pull request for a step, however often this runs: it is brought up to date. Nothing is
merged. Without a forge in loop.yaml the branch is pushed (without a remote: made here), and a person opens it.
Exit codes: 0 asked, or nothing is left to be done or due; 1 something is in the way.
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", required=False)
@click.option(
    "--to", "target", metavar="ENVIRONMENT|baseline", help="Where the version goes on trial, or baseline."
)
@click.option(
    "-e", "--environment", default="production", show_default=True, help="Environment, for --to baseline."
)
@click.option("--due", is_flag=True, help="Look at every environment, and ask for what is due.")
@click.option("--dry-run", is_flag=True, help="Print change and text; write nothing.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    target: str | None,
    environment: str,
    due: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Open or update the pull request that puts version NAME on trial, or makes it the baseline."""
    from runner.git.repository import Repository
    from runner.promotion.readiness import Step

    if due and (name or target):
        raise click.UsageError("--due looks at every version and environment itself", ctx)
    if not due and (name is None or target is None):
        raise click.UsageError("say which version and where to: `loop promote NAME --to staging`", ctx)
    repository = Repository(find_root(ctx))
    if due:
        asked = asyncio.run(_due(repository, dry_run))
        _show_due(asked, as_json)
        return 1 if any(each.failed for each in asked) else 0
    assert name is not None and target is not None  # noqa: S101 - looked at above
    step = Step.BASELINE if target == BASELINE else Step.TRIAL
    result = asyncio.run(
        _one(repository, name, step, environment if step is Step.BASELINE else target, dry_run)
    )
    _show(result, as_json)
    return 0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one step: what was asked for, or why there is nothing to ask for."""

    environment: str
    version: str | None
    step: str | None
    why_not: str = ""
    failed: bool = False
    """Whether a step that is due could not be asked for."""
    request: Request | None = None
    proposed: Proposed | None = None
    warnings: tuple[Diagnostic, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        asked, made = self.request, self.proposed
        return {
            "environment": self.environment,
            "version": self.version,
            "step": self.step,
            "why_not": self.why_not or None,
            "warnings": [each.summary for each in self.warnings],
            "branch": asked.draft.branch if asked else None,
            "title": asked.title if asked else None,
            "body": asked.body if asked else None,
            "files": [change.path for change in asked.draft.changes] if asked else [],
            "commit": made.revision.sha if made else None,
            "branch_was": made.change.value if made else None,
            "pull": {"number": made.pull.number, "address": made.pull.address} if made else None,
        }


async def _one(repository: Repository, name: str, step: Step, environment: str, dry_run: bool) -> Result:
    """Ask for one step. Raises LoopError with everything that is in the way."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        return await _ask(desk_of(repository, session), Asking(repository, name, step, environment), dry_run)


async def _ask(desk: Desk, asking: Asking, dry_run: bool) -> Result:
    if dry_run:
        request = await asyncio.to_thread(asking.at, await asyncio.to_thread(desk.tip))
        proposed = None
    else:
        proposed = await desk.propose(asking.at)
        request = asking.made
    return Result(
        asking.environment,
        asking.name,
        asking.step.value,
        why_not=asking.settled,
        request=request,
        proposed=proposed,
        warnings=asking.warnings,
    )


async def _due(repository: Repository, dry_run: bool) -> list[Result]:
    """Ask for every step that is due; what is in the way of one is told and leaves the others alone."""
    import aiohttp

    from runner.promotion.due import consider
    from runner.spec.files import DirectoryFiles
    from runner.spec.load import load_or_raise

    async with aiohttp.ClientSession() as session:
        desk = desk_of(repository, session)
        here = load_or_raise(DirectoryFiles(repository.root))
        found = []
        for each in consider(await asyncio.to_thread(_with_versions_of, repository, desk, here)):
            if each.version is None or each.step is None:
                found.append(Result(each.environment, None, None, why_not=each.why_not))
                continue
            asking = Asking(repository, each.version, each.step, each.environment, unasked=True)
            found.append(await _ask_if_due(desk, asking, dry_run))
        return found


def _with_versions_of(repository: Repository, desk: Desk, here: Spec) -> Spec:
    """Return what the base branch declares, with the versions that are registered in the working tree."""
    from runner.spec.load import load_or_raise

    base = load_or_raise(repository.files_at(desk.tip()))
    return replace(base, models={**base.models, **here.models})


async def _ask_if_due(desk: Desk, asking: Asking, dry_run: bool) -> Result:
    from runner.errors import TransientError

    told = Result(asking.environment, asking.name, asking.step.value)
    try:
        why_not = await asking.answered(desk)
        return replace(told, why_not=why_not) if why_not else await _ask(desk, asking, dry_run)
    except TransientError:
        raise
    except LoopError as error:
        errors = [each for each in error.diagnostics if each.severity is Severity.ERROR] or error.diagnostics
        return replace(told, why_not="; ".join(each.summary for each in errors), failed=not asking.refused)


def _show(result: Result, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
        return
    for warning in result.warnings:
        click.echo(warning, err=True)
    for line in _words(result):
        click.echo(line)


def _words(result: Result) -> Iterator[str]:
    asked, made = result.request, result.proposed
    if asked is None:
        yield f"nothing to do: {result.why_not}"
    elif made is None:
        yield from _diff(asked)
        yield f"title: {asked.title}"
        yield f"branch: {asked.draft.branch}\n"
        yield asked.body
        yield "dry run: nothing was written"
    else:
        was = {"made": "new", "replaced": "brought up to date", "kept": "as it was"}[made.change.value]
        yield f"{asked.title}: branch {made.branch} ({was}), {made.revision.short}"
        yield f"  {made.pull.address}" if made.pull.number is not None else f"  {made.pull.words}"


def _diff(asked: Request) -> Iterator[str]:
    import difflib

    for change in asked.draft.changes:
        old, new = (_lines(content) for content in (change.before, change.after))
        if old is None or new is None or not change.path.endswith(WRITTEN_BY_HAND):
            how = "new" if change.before is None else "changed"
            yield f"{change.path}: {how}, {_size(len(change.after or b''))}"
            continue
        lines = list(difflib.unified_diff(old, new, f"a/{change.path}", f"b/{change.path}", lineterm=""))
        shown = (
            lines if len(lines) <= LONGEST_DIFF else [f"{change.path}: {len(lines):,} lines of difference"]
        )
        yield from (line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in shown)


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 1000 else f"{count / 1000:,.0f} kB"


def _lines(content: bytes | None) -> list[str] | None:
    try:
        return (content or b"").decode().splitlines()
    except UnicodeDecodeError:
        return None


def _show_due(results: list[Result], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([each.to_json() for each in results], indent=2, ensure_ascii=False))
        return
    for each in results:
        if each.request is None:
            about = f"{each.version}: " if each.version else ""
            click.echo(f"{each.environment}: {about}{each.why_not}", err=each.failed)
        else:
            click.echo(f"{each.environment}:")
            for line in _words(each):
                click.echo(f"  {line}")
