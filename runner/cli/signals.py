"""`loop signals`: every signal with value, interval, verdict and trend; and what belongs to signals."""

from __future__ import annotations

import json
import time

import click

from runner.cli.commands import Commands
from runner.cli.repository import environment_option, find_root, json_option, read_spec

COMMANDS: dict[str, tuple[str, str]] = {
    "fit": ("Commands", "fit a detector to a team's own labels"),
    "sample": ("Commands", "ask the model again and check facts, within the policy's budget"),
    "rules": ("Commands", "alert rules for Prometheus, made from the policy"),
    "dashboard": ("Commands", "a Grafana dashboard, made from the policy"),
}
EXAMPLES = """\b
Examples:
  loop signals                      measure what is new, and show every signal
  loop signals --all                groups of users apart, too
  loop signals --window 7d          all over one window instead of each signal's own
  loop signals --json               one object for programs
  loop signals sample --dry-run     what sampling would cost
  loop signals rules --write alerts.yaml
"""


@click.group(
    cls=Commands,
    table=COMMANDS,
    prefix="signals_",
    epilog=EXAMPLES,
    invoke_without_command=True,
    no_args_is_help=False,
)
@environment_option
@click.option("--window", metavar="TIME", help="One window for all: 24h, 7d. Each signal's own where absent.")
@click.option("--all", "everything", is_flag=True, help="Groups of users apart, too.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, window: str | None, everything: bool, as_json: bool) -> int:
    """Measure every signal of policies/signals.yaml over the event log. Reads only what is new since the last time.

    Exit codes: 0 no threshold is passed with certainty, 1 error, 2 one is.
    """
    if ctx.invoked_subcommand is not None:
        _none_given(ctx, ctx.invoked_subcommand)
        return 0
    from runner.cli.watching import measured_window, watch
    from runner.report import signals as report

    root = find_root(ctx)
    spec = read_spec(root)
    snapshot = watch(root, spec, environment).take(time.time(), measured_window(ctx, window))
    if as_json:
        click.echo(json.dumps(report.to_json(snapshot), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(snapshot, spec.policies.signals, everything=everything))
    return 2 if report.passed(snapshot.readings) else 0


def _none_given(ctx: click.Context, name: str) -> None:
    """Refuse options that stand before a command: it would not know them, and work on another environment."""
    for parameter in ctx.command.params:
        if ctx.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE:
            option = parameter.opts[-1]
            raise click.UsageError(
                f"{option} belongs behind '{name}': `loop signals {name} {option} ...`", ctx
            )
