"""`loop models compare`: what sets two versions apart."""

from __future__ import annotations

import json

import click

from runner.cli.repository import find_root, json_option

EXAMPLES = """\b
Examples:
  loop models compare chat-v1.0 chat-v1.1
  loop models compare chat-v1.0 chat-v1.1 --markdown   for a pull request

`apart` says that two intervals share nothing, `overlap` that the figures prove no difference.
"""


@click.command(epilog=EXAMPLES)
@click.argument("one")
@click.argument("other")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@json_option
@click.pass_context
def command(ctx: click.Context, one: str, other: str, markdown: bool, as_json: bool) -> None:
    """Compare version ONE with version OTHER: figures with intervals, gates, recipe, data, adapter, lineage."""
    from runner.cli.models_known import Registry
    from runner.registry.comparison import compare
    from runner.report import models as report

    if markdown and as_json:
        raise click.UsageError("say --markdown or --json, not both", ctx)
    registry = Registry(find_root(ctx))
    found = compare(registry.spec, registry.record(one), registry.record(other))
    if as_json:
        click.echo(json.dumps(report.comparison_to_json(found), indent=2, ensure_ascii=False))
    elif markdown:
        click.echo(report.comparison_to_markdown(found), nl=False)
    else:
        click.echo(report.comparison_to_text(found))
