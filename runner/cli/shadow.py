"""`loop shadow`: how the answers of a version that only gets copies differ from those that users got."""

from __future__ import annotations

import json

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

EXAMPLES = """\b
Examples:
  loop shadow                   sameness, length, latency, errors and refusals of every shadowed version
  loop shadow -e staging --json

Exit codes: 0 told, also where no copy was made yet; 1 error.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Compare the answers of shadowed versions with what users got, with intervals and examples."""
    from runner.cli.logged import read_events
    from runner.events.schema import Kind
    from runner.report import shadow as report
    from runner.rollout.shadow import Rules, evaluate
    from runner.signals.detection import Detection

    root = find_root(ctx)
    spec = read_spec(root)
    declared = pick_environment(spec, environment)
    events = read_events(root, environment, Kind.SHADOW, Kind.REQUEST, Kind.CONTENT)
    shadows, requests, contents = events.values()
    decision = spec.policies.rollout.decision
    detection = Detection.of(spec.policies.signals).below(root)
    rules = Rules(decision.alpha, decision.session_gap, detection)
    found = evaluate(shadows, requests, contents, rules)
    if as_json:
        click.echo(json.dumps(report.to_json(found), indent=2, ensure_ascii=False))
    elif found:
        click.echo(report.to_text(found))
    elif declared.shadow is None:
        click.echo(f"'{environment}' has no shadow; set `shadow: {{version: NAME}}` in loop.yaml")
    else:
        click.echo(f"no copy went to {declared.shadow.version} yet; copies are made of users' requests")
