"""`loop checklist`: what a deployment has to have, each point held against what happened here."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from runner.cli.repository import environment_option, find_root, json_option

EXAMPLES = """\b
Examples:
  loop checklist                         every point, what shows it, and what would
  loop checklist --markdown              for an issue or a pull request
  loop checklist --html checklist.html   and one HTML file that loads nothing
  loop checklist --json                  for programs: every finding with its links

A point passes by what happened: a journal entry, a commit, events, a report, a live page. A policy alone passes none.
Exit codes: 0 every point PASS, 1 error or something could not be looked at, 2 something is not shown.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write this HTML file, too.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, markdown: bool, html: Path | None, as_json: bool) -> int:
    """Check the eight points of graduation, deployment safety and monitoring against evidence. Changes nothing."""
    from runner.checklist import report
    from runner.checklist.evidence import gather
    from runner.checklist.points import check
    from runner.cli.pages import demand_target, write_page
    from runner.spec.model import GateVerdict

    if markdown and as_json:
        raise click.UsageError("say --markdown or --json, not both", ctx)
    demand_target(ctx, html)
    checked = check(gather(find_root(ctx), environment, time.time()))
    if as_json:
        click.echo(json.dumps(report.to_json(checked), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_markdown(checked).rstrip() if markdown else report.to_text(checked))
    if html is not None:
        write_page(html, report.to_html(checked))
    match checked.verdict:
        case GateVerdict.PASS:
            return 0
        case GateVerdict.ERROR:
            return 1
        case _:
            return 2
