"""`loop decide`: train a new version now, or leave this round out, with every reason."""

from __future__ import annotations

import json
import time

import click

from runner.cli.learning import moment
from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

EXAMPLES = """\b
Examples:
  loop decide                          production, now
  loop decide --markdown               for a job's summary
  loop decide --json                   for programs: every reason with its figures
  loop decide --at 2026-12-01          what the calendar, the budget and freeze windows say then

Exit codes: 0 no training now, 1 error, 2 train a new version now.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option(
    "--at",
    callback=moment,
    metavar="TIME",
    help="Let calendar, budget and freeze windows be those of a moment; UTC where it names no zone.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown for a job's summary or a pull request.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, at: float | None, markdown: bool, as_json: bool) -> int:
    """Say whether to train a new version now, which, and why. Nothing is changed.

    A reason speaks for training, against it, or is not known; what is not known never speaks for it.
    """
    from runner.cli.learning import situation
    from runner.economics.decide import decide
    from runner.economics.reasons import Choice
    from runner.report import decide as report

    if markdown and as_json:
        raise click.UsageError("say --markdown or --json, not both", ctx)
    root = find_root(ctx)
    spec = read_spec(root)
    pick_environment(spec, environment)
    decision = decide(situation(root, spec, environment, time.time() if at is None else at))
    if as_json:
        click.echo(json.dumps(report.to_json(decision), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_markdown(decision) if markdown else report.to_text(decision))
    return 2 if decision.choice is Choice.RETRAIN else 0
