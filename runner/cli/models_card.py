"""`loop models card`: the model card of a version, made of what is known of it now."""

from __future__ import annotations

import json

import click

from runner.cli.repository import find_root, json_option


@click.command()
@click.argument("name")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, as_json: bool) -> None:
    """Print the model card of version NAME as Markdown, its last evaluation included."""
    from runner.cli.models_known import Registry
    from runner.report.card import card

    record = Registry(find_root(ctx)).record(name)
    text = card(record.model, record.manifest, record.evaluation)
    click.echo(json.dumps({"name": name, "card": text}, ensure_ascii=False) if as_json else text, nl=as_json)
