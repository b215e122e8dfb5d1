"""`loop report`: a window of time in one document, as Markdown on standard output and as one HTML file with plots."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import click

from runner.cli.repository import environment_option, find_root, json_option, read_spec

WEEK_S = 7 * 86_400.0
EXAMPLES = """\b
Examples:
  loop report --window 7d                     Markdown
  loop report --window 7d --html week.html    and one HTML file that loads nothing
  loop report > week.md
  loop report --tails tails.jsonl             the shortest and longest questions and answers, for training
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--window", metavar="TIME", default="7d", show_default=True, help="How far back: 24h, 7d, 30d.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write this HTML file, too.")
@click.option(
    "--tails",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the samples from both ends of the token distributions, JSON lines.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, environment: str, window: str, html: Path | None, tails: Path | None, as_json: bool
) -> None:
    """Tell a week: what to do next, preferences, win rates, goals, signals, drift, rollouts, decisions and cost."""
    from runner.cli.pages import demand_target, write_page
    from runner.cli.report_told import told
    from runner.cli.watching import measured_window, watch
    from runner.report import weekly

    root = find_root(ctx)
    spec = read_spec(root)
    measuring, over, now = (
        watch(root, spec, environment),
        measured_window(ctx, window) or WEEK_S,
        time.time(),
    )
    for path in (html, tails):
        demand_target(ctx, path)
    material = replace(measuring.material(now, over), told=told(root, spec, environment, now, over))
    if as_json:
        click.echo(json.dumps(weekly.to_json(material), indent=2, ensure_ascii=False))
    else:
        click.echo(weekly.to_markdown(material), nl=False)
    if html is not None:
        write_page(html, weekly.to_html(material))
    if tails is not None:
        rows = measuring.tails(now - over)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_page(tails, lines, f" ({len(rows)} samples)")
