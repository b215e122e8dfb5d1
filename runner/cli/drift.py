"""`loop drift`: what is asked now against what training saw, with the topics that grew and shrank."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from runner.cli.repository import environment_option, find_root, json_option, read_spec

FORMAT = 1
EXAMPLES = """\b
Examples:
  loop drift                     the policy's window, and the weeks before
  loop drift --json              one object for programs
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--window", metavar="TIME", help="How far back: 24h, 14d. The policy's where absent.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, window: str | None, as_json: bool) -> int:
    """Compare the questions asked with the reference set: topics that grew and shrank, and how sure that is.

    Exit codes: 0 as in the reference or too few questions to say, 1 error, 2 a shift of 0.1 or more is proven.
    """
    from runner.cli.watching import measured_window, watch
    from runner.report import drift as report

    root = find_root(ctx)
    snapshot = watch(root, read_spec(root), environment).take(time.time(), measured_window(ctx, window))
    if as_json:
        now = asdict(snapshot.drift) if snapshot.drift is not None else None
        weeks = [asdict(week) for week in snapshot.weeks]
        value = {"format": FORMAT, "now": now, "weeks": weeks, "why_not": report.why_not(snapshot)}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(snapshot))
    return 2 if snapshot.drift is not None and snapshot.drift.alarm else 0
