"""`loop completion`: print the script that completes commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

HOW = """\b
Examples:
  eval "$(loop completion bash)"                              for this shell
  loop completion fish > ~/.config/fish/completions/loop.fish   for good
"""


@click.command(epilog=HOW)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL."""
    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - the choice above lists only shells that click knows
        raise click.UsageError(f"click has no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "loop", "_LOOP_COMPLETE").source())
