"""`loop validate`: read every file of the desired state and say everything that is wrong, all at once."""

from __future__ import annotations

import json
from dataclasses import fields

import click

from runner.cli.repository import find_root, json_option
from runner.errors import Diagnostic, Severity

EXAMPLES = """\b
Examples:
  loop validate              exit code 0: no error; 1: at least one
  loop validate --json       one object: valid, and every diagnostic with file, line, evidence and fix
"""


@click.command(epilog=EXAMPLES)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Check loop.yaml, models/, datasets/ and policies/ as they stand in the working tree."""
    from runner.spec.files import DirectoryFiles
    from runner.spec.load import load

    loaded = load(DirectoryFiles(find_root(ctx)))
    errors = [d for d in loaded.diagnostics if d.severity is Severity.ERROR]
    if as_json:
        click.echo(
            json.dumps(
                {"valid": not errors, "diagnostics": list(map(as_value, loaded.diagnostics))}, indent=2
            )
        )
        return 1 if errors else 0
    for diagnostic in loaded.diagnostics:
        click.echo(diagnostic, err=True)
    if errors or loaded.spec is None:
        click.echo(f"{len(errors)} error{'s' * (len(errors) != 1)}; nothing was changed", err=True)
        return 1
    spec = loaded.spec
    counts = {
        "environment": len(spec.loop.environments),
        "model": len(spec.models),
        "dataset": len(spec.datasets),
    }
    told = [f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items()]
    click.echo(f"valid: {', '.join(told)}, {len(fields(spec.policies))} policies")
    return 0


def as_value(diagnostic: Diagnostic) -> dict[str, object]:
    """Return a diagnostic as JSON values."""
    place = diagnostic.location
    return {
        "severity": diagnostic.severity.value,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "summary": diagnostic.summary,
        "evidence": list(diagnostic.evidence),
        "fix": diagnostic.fix,
    }
