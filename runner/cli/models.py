"""`loop models`: versions with lineage, figures and where each serves, and what belongs to them."""

from __future__ import annotations

import click

from runner.cli.commands import Commands
from runner.cli.repository import json_option

COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("Look", "every version: lineage, figures, gates, where it serves; the same as `loop models`"),
    "show": ("Look", "one version in full: lineage, data, tags, files, whether its bytes are here"),
    "compare": ("Look", "what sets two versions apart: figures, recipe, data, gates"),
    "card": ("Look", "the model card of a version"),
    "tag": ("Make", "Git tags in GTO's style: which commit registered a version, what an environment has"),
}
EXAMPLES = """\b
Examples:
  loop models                            the table, as a tree below the base model
  loop models show chat-v1.1
  loop models compare chat-v1.0 chat-v1.1 --markdown
  loop models card chat-v1.1 > card.md
  loop models tag chat-v1.1 --stage production --push
"""


@click.group(
    cls=Commands,
    table=COMMANDS,
    prefix="models_",
    epilog=EXAMPLES,
    invoke_without_command=True,
    no_args_is_help=False,
)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Show every version. What serves is what the files here say; `live` is what a runner here said last."""
    if ctx.invoked_subcommand is not None:
        if as_json:
            name = ctx.invoked_subcommand
            raise click.UsageError(f"--json belongs behind '{name}': `loop models {name} --json ...`", ctx)
        return 0
    from runner.cli import models_list

    ctx.invoke(models_list.command, as_json=as_json)
    return 0
