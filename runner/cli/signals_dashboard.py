"""`loop signals dashboard`: a Grafana dashboard from policies/signals.yaml."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.generated_file import check_option, finish, write_option
from runner.cli.repository import find_root, read_spec

EXAMPLES = """\b
Examples:
  loop signals dashboard                                 print it, to import into Grafana
  loop signals dashboard --write dashboards/loop.json    for a provisioned folder
  loop signals dashboard --check dashboards/loop.json    exit code 1 where the policy says otherwise by now
"""


@click.command(epilog=EXAMPLES)
@write_option
@check_option
@click.pass_context
def command(ctx: click.Context, target: Path | None, compared: Path | None) -> int:
    """Print the dashboard: the quality signals first, then rollout, drift, latency, cost, decisions."""
    from runner.report import dashboard

    text = dashboard.render(read_spec(find_root(ctx)).policies.signals)
    return finish(ctx, text, target, compared)
