"""`loop data progress`: this week's feedback against the plan, when enough will be there, and what to ask next."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

if TYPE_CHECKING:
    from runner.feedback.progress import Progress
    from runner.feedback.records import Ballot
    from runner.spec.load import Spec

BACK_S = 92 * 86_400.0
"""Votes are read so far back: a quarter, the longest rhythm of training."""
EXAMPLES = """\b
Examples:
  loop data progress                     this week of production
  loop data progress --html week.html    the same as a page
  loop data progress --json              for programs

Exit codes: 0 told; 1 error.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file, too."
)
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, html: Path | None, as_json: bool) -> None:
    """Show how far this week's collection is, and when the plan's minimum, target and optimum will be reached."""
    from runner.cli.pages import demand_target, write_page
    from runner.report import progress as report

    demand_target(ctx, html)
    root = find_root(ctx)
    spec = read_spec(root)
    pick_environment(spec, environment)
    found = measure(root, spec, environment, time.time())
    if as_json:
        click.echo(json.dumps(report.to_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(found, f"Collection: {environment}"))
    if html is not None:
        write_page(html, report.to_page(found, f"Collection: {environment}"))


def measure(root: Path, spec: Spec, environment: str, now: float) -> Progress:
    """Return how collecting goes in an environment at `now`, seconds since 1970. Raises LoopError, OSError."""
    from runner.cli.arena_standings import read_votes

    votes = read_votes(root, spec, environment, now - BACK_S)
    if votes.broken:
        click.echo(f"warning: left out: {votes.broken} events that are no vote", err=True)
    return progress_of(root, spec, votes.ballots, now)


def progress_of(root: Path, spec: Spec, ballots: Sequence[Ballot], now: float) -> Progress:
    """Return the same of votes that were read already. Raises OSError."""
    from runner.feedback.progress import Policies, progress

    policies = spec.policies
    wanted = Policies(policies.collection, policies.cadence, policies.training, spec.datasets)
    return progress(ballots, wanted, now, _trained(spec), _rows(root, spec))


def _trained(spec: Spec) -> float | None:
    """Return the day of the last round of preference training, seconds since 1970; None where there was none."""
    from runner.spec.model import TrainingType

    days = [model.training.date for model in spec.models.values() if model.type is not TrainingType.SFT]
    if not days:
        return None
    last = max(days)
    return datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp()


def _rows(root: Path, spec: Spec) -> Mapping[str, int]:
    """Return the lines of each data set that is here."""
    found = {}
    for name, dataset in spec.datasets.items():
        path = root / dataset.path
        if path.is_file():
            with path.open("rb") as file:
                found[name] = sum(1 for line in file if line.strip())
    return found
