"""`loop models show`: one version in full."""

from __future__ import annotations

import json

import click

from runner.cli.repository import find_root, json_option


@click.command()
@click.argument("name")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show lineage, data, figures, places, tags and files of version NAME, and whether its bytes are here."""
    from runner.cli.models_known import Registry
    from runner.registry.lineage import ancestors
    from runner.report import models as report

    registry = Registry(find_root(ctx))
    standing = registry.standing(name, full=True)
    ancestry = (registry.spec.loop.base_model.name, *reversed(ancestors(registry.spec.models, name)))
    if as_json:
        value = {**report.to_json(standing), "lineage": [*ancestry, name]}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(report.one_to_text(standing, ancestry))
