"""`loop cost`: what serving the model oneself costs and saves, how sure that is, and what a change of it does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

if TYPE_CHECKING:
    from runner.economics.cost.statement import Statement
    from runner.events.traffic import Served
    from runner.spec.load import Spec

EXAMPLES = """\b
Examples:
  loop cost                             account, comparison with the API, what matters most
  loop cost --window 90d                take traffic and tokens from the last quarter of the event log
  loop cost --against origin/main       what edited assumptions do: before -> after
  loop cost --html cost.html            one file with the tornado; --svg for the picture alone
"""
NOTHING_CHANGED = "no figure of cost changes"


@click.command(epilog=EXAMPLES)
@environment_option
@click.option(
    "--window",
    metavar="TIME",
    default="30d",
    show_default=True,
    help="How far back traffic and tokens are measured: 7d, 30d.",
)
@click.option(
    "--against",
    metavar="REVISION",
    help="Show what changed since this revision does, by the same traffic before and after.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown for a pull request or an issue.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write this HTML file, too.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write the tornado, too.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    window: str,
    against: str | None,
    markdown: bool,
    html: Path | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Show what serving costs and saves, by policies/cost.yaml and what was measured here.

    Measured traffic takes the place of assumed traffic where a week or more was logged, measured tokens where 300
    answers were. The output says of each figure which it is.
    """
    from runner.cli.pages import demand_target, write_page
    from runner.cli.watching import seconds
    from runner.report import cost as report

    if markdown and as_json:
        raise click.UsageError("say --markdown or --json, not both", ctx)
    if against is not None and (html is not None or svg is not None):
        raise click.UsageError("a change has no picture; leave --html and --svg away, or --against", ctx)
    for file in (html, svg):
        demand_target(ctx, file)
    root, over = find_root(ctx), seconds(ctx, window, "7d or 30d") or 0.0
    spec = read_spec(root)
    pick_environment(spec, environment)
    log = served(root, environment, time.time(), over)
    found = statement(root, spec, log)
    if against is not None:
        _show_change(_before(root, against, log), found, markdown, as_json)
        return
    title = f"{environment}: what serving costs"
    if as_json:
        click.echo(json.dumps(report.to_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_markdown(found, title).rstrip() if markdown else report.to_text(found))
    for path, text in ((html, report.to_html(found, title)), (svg, report.picture(found))):
        if path is not None:
            write_page(path, text)


def statement(root: Path, spec: Spec, log: Served | None) -> Statement:
    """Return the statement of costs by what was served, and by what the training of the versions here took."""
    from runner.cli.learning import run_of
    from runner.economics.cost.statement import state

    took = [run_of(root, spec, name).seconds for name in spec.models]
    trained = [each for each in took if each is not None]
    return state(spec.policies.cost, spec.policies.cadence, log, trained)


def served(root: Path, environment: str, now: float, window: float) -> Served | None:
    """Return what was served in a window (seconds) that ends at `now`; None where nothing was logged here.

    Raises LoopError for a damaged log.
    """
    from runner.reconcile.state import StatePaths

    paths = StatePaths(root, environment)
    if not paths.lake.is_dir() and not paths.events.is_dir():
        return None
    from runner.events import traffic
    from runner.events.lake import Lake

    with Lake(paths.lake, paths.events) as lake:
        return traffic.served(lake.requests(round((now - window) * 1e6)), now)


def _before(root: Path, against: str, log: Served | None) -> Statement:
    """Return the statement of the commit at which HEAD parted from a revision. Raises TerminalError."""
    from runner.cli.plan import spec_of_commit
    from runner.git.repository import Repository
    from runner.reconcile.source import CommitSource

    repository = Repository(root)
    base = repository.resolve(against)
    common = repository.merge_base(base, repository.head()) or base
    return statement(root, spec_of_commit(CommitSource(repository, ""), common.sha), log)


def _show_change(before: Statement, after: Statement, markdown: bool, as_json: bool) -> None:
    from runner.report import cost as report
    from runner.report.cost_change import effect

    lines = effect(before, after)
    if as_json:
        value = {"before": report.to_json(before), "after": report.to_json(after), "effect": lines}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(f"- {line}" if markdown else line for line in lines or [NOTHING_CHANGED]))
