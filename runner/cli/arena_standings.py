"""`loop arena standings`: what the votes of the arena say of the versions, and how sure that is."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

if TYPE_CHECKING:
    from runner.feedback.ballots import Votes
    from runner.feedback.records import Ballot
    from runner.spec.load import Spec

WINDOW = "30d"
SEED = 1952
"""Of the resamples, so that the same votes give the same figures."""
EXAMPLES = """\b
Examples:
  loop arena standings                              every version that was compared, the last 30 days
  loop arena standings --window 7d --language ko    Korean questions of a week
  loop arena standings --category creative --json   one category, for programs
  loop arena standings --html arena.html            a page with plots that loads nothing

Exit codes: 0 told, also where there is no answer yet; 1 error.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--window", metavar="TIME", default=WINDOW, show_default=True, help="How far back: 24h, 7d.")
@click.option("--category", metavar="NAME", help="Only questions of this category.")
@click.option("--language", metavar="CODE", help="Only questions in this language: en, ko.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file, too."
)
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write the strengths as a picture."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    window: str,
    category: str | None,
    language: str | None,
    html: Path | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Show how strong each version is in the eyes of those who compared, and against the baseline."""
    import numpy as np

    from runner.cli.pages import demand_target, write_page
    from runner.cli.watching import seconds
    from runner.feedback.standings.figures import Rules
    from runner.feedback.standings.standings import compute
    from runner.report import standings as report

    for path in (html, svg):
        demand_target(ctx, path)
    root = find_root(ctx)
    spec = read_spec(root)
    baseline = pick_environment(spec, environment).baseline
    since = time.time() - (seconds(ctx, window) or 0.0)
    votes = read_votes(root, spec, environment, since)
    chosen = _only(ctx, _only(ctx, votes.ballots, "category", category), "language", language)
    found = compute(chosen, Rules(baseline), np.random.default_rng(SEED))
    parts = [part for part in (environment, category, language, f"last {window}") if part]
    title = f"Standings: {', '.join(parts)}"
    if votes.broken:
        click.echo(f"warning: left out: {votes.broken} events that are no vote", err=True)
    if as_json:
        click.echo(json.dumps(report.to_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(found, title))
    if html is not None:
        write_page(html, report.to_page(found, title))
    if svg is not None:
        write_page(svg, report.to_svg(found))


def read_votes(root: Path, spec: Spec, environment: str, since: float) -> Votes:
    """Return the votes from a time on (seconds since 1970), each person's latest. Raises LoopError, OSError."""
    from runner.cli.data_collect import categories
    from runner.cli.logged import read_events
    from runner.events.schema import Kind
    from runner.feedback.ballots import placed, read

    found = read(read_events(root, environment, Kind.VOTE, since_us=int(since * 1e6))[Kind.VOTE])
    if all(each.category and each.language for each in found.ballots):
        return found
    return replace(found, ballots=placed(found.ballots, categories(root, spec).of_all))


def _only(ctx: click.Context, ballots: Sequence[Ballot], by: str, wanted: str | None) -> Sequence[Ballot]:
    """Return the ballots of one category or language; all where none is wanted.

    Raises click.UsageError where nobody voted on such a question, naming those that there are.
    """
    if wanted is None:
        return ballots
    kept = [ballot for ballot in ballots if getattr(ballot, by) == wanted]
    if ballots and not kept:
        known = sorted({getattr(ballot, by) for ballot in ballots} - {""})
        raise click.UsageError(f"no vote is on {by} '{wanted}'; there are {', '.join(known) or 'none'}", ctx)
    return kept
