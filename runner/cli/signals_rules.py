"""`loop signals rules`: alert rules for Prometheus from policies/signals.yaml."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.generated_file import check_option, finish, write_option
from runner.cli.repository import find_root, read_spec

RUNBOOK = "docs/guides/oncall.md#a-signal-alerts"
EXAMPLES = """\b
Examples:
  loop signals rules                                   print them
  loop signals rules --write prometheus/loop.yaml      for `rule_files:` of prometheus.yml
  loop signals rules --check prometheus/loop.yaml      exit code 1 where the policy says otherwise by now
"""


@click.command(epilog=EXAMPLES)
@write_option
@check_option
@click.option(
    "--runbook",
    default=RUNBOOK,
    show_default=True,
    metavar="URL",
    help="Link in every alert; the full address of your copy of the page.",
)
@click.pass_context
def command(ctx: click.Context, target: Path | None, compared: Path | None, runbook: str) -> int:
    """Print alert rules: one for each threshold and KPI alert of the policy, and for a monitor that fell silent."""
    from runner.report import alerts

    text = alerts.render(read_spec(find_root(ctx)).policies.signals, runbook)
    return finish(ctx, text, target, compared)
