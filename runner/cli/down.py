"""`loop down`: stop what a killed runner left serving."""

from __future__ import annotations

import asyncio

import click

from runner.cli.repository import environment_option, find_root, known_environment
from runner.errors import terminal

EXAMPLES = """\b
Examples:
  loop down                  engine and gateway of production; needs no journal and no valid loop.yaml
  loop down -e staging       those of another environment
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.pass_context
def command(ctx: click.Context, environment: str) -> None:
    """Stop the engine and the gateway of an environment on this machine, where no runner is at work.

    A runner stops them itself when it is stopped; one that was killed leaves them serving.
    """
    from runner.cli.deployment import stopwatch
    from runner.reconcile.journal import holder
    from runner.reconcile.state import StatePaths
    from runner.serving.stack import stop_left

    root = find_root(ctx)
    known_environment(root, environment)
    paths = StatePaths(root, environment)
    if (runner := holder(paths.journal)) is not None:
        raise terminal(
            f"a runner is at work on '{environment}'",
            f"process {runner}",
            fix=f"stop it with Ctrl-C, or `kill {runner}`: it stops engine and gateway itself",
        )
    stopped = asyncio.run(stop_left(paths.directory, stopwatch()))
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else f"nothing of '{environment}' runs here")
