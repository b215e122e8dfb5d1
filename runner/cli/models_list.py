"""`loop models list`: every version, as a tree below the base model."""

from __future__ import annotations

import json

import click

from runner.cli.repository import find_root, json_option


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show every version: type, data, figures, gates, and where it serves."""
    from runner.cli.models_known import Registry
    from runner.registry.lineage import tree
    from runner.report import models as report

    registry = Registry(find_root(ctx))
    spec = registry.spec
    nodes = tree(spec.models, spec.loop.base_model.name)
    standings = [registry.standing(node.name) for node in nodes[1:]]
    if as_json:
        value = {
            "base": spec.loop.base_model.name,
            "versions": [report.to_json(each) for each in standings],
        }
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(standings, nodes))
