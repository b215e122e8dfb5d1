"""`loop log`: what the runner did, from its journal, oldest first."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, known_environment

if TYPE_CHECKING:
    from runner.reconcile.memory import Entry

EXAMPLES = """\b
Examples:
  loop log                   the last 20 entries
  loop log -n 0              everything, also what was put aside
  loop log --json | jq .     one JSON object a line, exactly as it stands in the journal
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option(
    "-n", "count", default=20, show_default=True, type=click.IntRange(min=0), help="How many; 0 for all."
)
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, count: int, as_json: bool) -> None:
    """Show the journal: what was attempted, done and failed, and why."""
    from runner.reconcile.state import StatePaths

    root = find_root(ctx)
    known_environment(root, environment)
    entries = list(_entries(StatePaths(root, environment).journal))
    shown = entries[-count:] if count else entries
    for entry in shown:
        click.echo(json.dumps(as_value(entry), ensure_ascii=False) if as_json else as_line(entry))
    if not shown and not as_json:
        click.echo(f"nothing was done in '{environment}' yet; `loop up` begins", err=True)


def _entries(path: Path) -> Iterator[Entry]:
    from runner.reconcile.journal import archives, read

    return itertools.chain.from_iterable(map(read, (*archives(path), path)))


def as_value(entry: Entry) -> dict[str, object]:
    """Return an entry as JSON values."""
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}


def as_line(entry: Entry) -> str:
    """Return an entry as one line: when, what came of it, what it was about, why."""
    body = entry.body
    when = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    words = [when, f"{entry.kind.value:<10}"]
    match entry.kind.value:
        case "in_sync":
            words.append(f"live agrees with {str(body['revision'])[:12]}")
        case "repaired":
            words.append(f"a torn line {body['line']} of {body['dropped_bytes']} bytes was cut off")
        case "checkpoint":
            words.append(f"{len(body.get('owned', ()))} adapters owned")
        case "entered":
            words.append(f"the live routes give '{body['stage']}' of rollout {body['rollout_id']}")
        case _:
            words.append(str(body.get("target") or body["action"]))
            if body.get("action") == "roll_back" and "rollback" in body:
                words.append(f"({body['rollback']['condition']})")
            elif body.get("message"):
                words.append(f"({'; '.join(line.strip() for line in body['message'].splitlines())})")
            elif body.get("reason"):
                words.append(f"({str(body['reason']).replace('_', ' ')})")
    return "  ".join(words)
