"""`loop wake`: have the resident runner look for a newer revision now; for a push hook."""

from __future__ import annotations

import os
import signal

import click

from runner.cli.repository import environment_option, find_root, known_environment
from runner.errors import terminal

EXAMPLES = """\b
Examples:
  loop wake                  production's runner fetches and makes a pass now
  loop wake -e staging       another environment's

\b
As the last line of a bare repository's `post-receive` hook it brings a push into force at once:
  loop --root /srv/models wake
A push is taken whatever the hook says.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.pass_context
def command(ctx: click.Context, environment: str) -> None:
    """Tell the runner on this machine to look for a newer revision now instead of at its next poll."""
    from runner.reconcile.journal import holder
    from runner.reconcile.state import StatePaths

    root = find_root(ctx)
    known_environment(root, environment)
    runner = holder(StatePaths(root, environment).journal)
    if runner is None:
        raise terminal(f"no runner is at work on '{environment}'", fix="start one: `loop up` or `loop run`")
    os.kill(runner, signal.SIGHUP)
    click.echo(f"runner {runner} looks now")
