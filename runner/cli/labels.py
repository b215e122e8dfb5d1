"""`loop labels`: how far reviewers agree on what they judged, and what still waits for one."""

from __future__ import annotations

import json

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec
from runner.errors import terminal

EXAMPLES = """\b
Examples:
  loop labels                     per task: items, agreement, reviewers
  loop labels --item rec-3f2a     one item with everything that was said of it
  loop labels --json

Items come from what was collected (`loop data collect`), labels from the event log. People label in the console.
Exit codes: 0 told, also where labels may not be used; 1 error.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--item", metavar="ID", help="Show one item with all its labels.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, item: str | None, as_json: bool) -> None:
    """Show labels by several people: what is settled, how far people agree, and whether that may be used."""
    from runner.cli.labels_desk import read_items, read_labels
    from runner.feedback.labels.overview import detail, overview
    from runner.report import labels as report

    root = find_root(ctx)
    spec = read_spec(root)
    pick_environment(spec, environment)
    policy = spec.policies.collection.agreement
    items, labels = read_items(root), read_labels(root, environment)
    if item is None:
        found = overview(items, labels, policy)
        text, value = report.to_text(found, policy.raters), report.to_json(found)
    else:
        details = detail(items, labels, policy, item)
        if not details:
            raise terminal(f"no item '{item}' waits for people or was judged", fix="`loop labels` names some")
        text, value = report.details_to_text(details), report.details_to_json(details)
    click.echo(json.dumps(value, indent=2, ensure_ascii=False) if as_json else text)
