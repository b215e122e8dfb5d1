"""`loop experiments`: which of several versions is better for which users, from the event log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

if TYPE_CHECKING:
    from pathlib import Path

    from runner.rollout.experiments import Design, Rules
    from runner.spec.load import Spec

EXAMPLES = """\b
Examples:
  loop experiments                   every experiment of production, by segment of users
  loop experiments -e staging --json

Exit codes: 0 told, also where there is no answer yet; 1 error.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Show which version is better for whom, with certainty, or about how many sessions are missing."""
    from runner.cli.logged import read_events
    from runner.events.schema import Kind
    from runner.report import experiments as report
    from runner.rollout.experiments import evaluate

    root = find_root(ctx)
    spec = read_spec(root)
    pick_environment(spec, environment)
    designs = _designs(spec, environment)
    found = []
    if designs:
        events = read_events(root, environment, Kind.REQUEST, Kind.FEEDBACK, Kind.CONTENT)
        requests, feedback, contents = events.values()
        found = [evaluate(design, requests, feedback, contents, _rules(spec, root)) for design in designs]
    if as_json:
        click.echo(json.dumps(report.to_json(found), indent=2, ensure_ascii=False))
    elif not designs:
        click.echo(
            f"'{environment}' has no experiment; add one to `experiments:` in loop.yaml "
            "(docs/reference/spec.md shows the fields)"
        )
    else:
        click.echo(report.to_text(found))


def _designs(spec: Spec, environment: str) -> list[Design]:
    from runner.reconcile.distil import distil
    from runner.rollout.experiments import Design

    return [
        Design(
            each.id, each.name, tuple(version.name for version in each.versions), each.weights, each.groups
        )
        for each in distil(spec, environment, "").desired.experiments
    ]


def _rules(spec: Spec, root: Path) -> Rules:
    from runner.rollout.experiments import Rules
    from runner.signals.detection import Detection

    decision = spec.policies.rollout.decision
    detection = Detection.of(spec.policies.signals).below(root)
    return Rules(decision.alpha, decision.mismatch_alpha, decision.session_gap, detection)
