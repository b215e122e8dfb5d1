"""`loop explain`: why the rollout advances, holds or went back, in plain words with both numbers."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import (
    environment_option,
    find_root,
    in_words,
    json_option,
    known_environment,
    read_spec,
)
from runner.errors import Diagnostic, Location, TerminalError, terminal, transient

if TYPE_CHECKING:
    from runner.rollout.verdict import Assessment

EXAMPLES = """\b
Examples:
  loop explain                   from the runner's last look
  loop explain --recompute       from all logged events, anew: needs no runner, and takes longer
  loop explain --json

Exit codes: 0 told, 1 error.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--recompute", is_flag=True, help="Rebuild the evidence from the event log.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, recompute: bool, as_json: bool) -> None:
    """Say what is proven of the candidate, what is open, and about how long it takes to know."""
    from runner.reconcile.state import StatePaths
    from runner.report import explain as report

    root = find_root(ctx)
    known_environment(root, environment)
    paths = StatePaths(root, environment)
    status = _status(paths.status)
    assessment = _recomputed(root, environment, status) if recompute else _noted(paths.status, status)
    serving, rollbacks = _serving(status), status.get("rollbacks") or []
    if as_json:
        found = None if assessment is None else asdict(assessment)
        value = {"serving": serving, "rollout": found, "rollbacks": rollbacks}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(assessment, serving, rollbacks))


def _status(path: Path) -> dict[str, Any]:
    """Return the last pass, empty where there was none. Raises TerminalError."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, in_words(error)) from error
    if not isinstance(value, dict) or not isinstance(value.get("rollbacks", []), list):
        raise _damaged(path, "it is not what a runner writes")
    return value


def _damaged(path: Path, why: str) -> TerminalError:
    fix = "delete it; the next pass writes it"
    return TerminalError(Diagnostic("the status file cannot be read", Location(str(path)), (why,), fix))


def _serving(status: dict[str, Any]) -> str | None:
    arms = status.get("arms")
    return arms.get("baseline") if isinstance(arms, dict) else None


def _noted(path: Path, status: dict[str, Any]) -> Assessment | None:
    from runner.report.explain import from_json

    value = status.get("rollout")
    if value is None:
        return None
    if isinstance(value, dict) and "unknown" in value:
        raise transient(
            "the runner could not read the evidence at its last look",
            str(value["unknown"]),
            fix="see whether the event log can be read: `loop explain --recompute`",
        )
    try:
        return from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"its rollout is none: {in_words(error)}") from error


def _recomputed(root: Path, environment: str, status: dict[str, Any]) -> Assessment | None:
    """Return what all logged events of the newest rollout come to, at the stage that was noted or is declared.

    Raises TerminalError.
    """
    from runner.cli.logged import read_events
    from runner.rollout.backtest import assess_logged
    from runner.rollout.trials import KINDS, trials

    spec = read_spec(root)
    declared = spec.loop.environments.get(environment)
    if declared is None or declared.rollout is None:
        return None
    name = declared.rollout.candidate
    logged = [
        t for t in trials(read_events(root, environment, *KINDS)) if t.candidate.partition("--")[0] == name
    ]
    if not logged:
        raise terminal(
            f"no request of the rollout of '{name}' is in the event log",
            fix="let it get traffic: `loop status` shows whether it does",
        )
    noted = status.get("rollout")
    since = (
        noted.get("since")
        if isinstance(noted, dict) and noted.get("stage") == declared.rollout.stage
        else None
    )
    return assess_logged(spec.policies.rollout, logged[-1], declared.rollout.stage, time.time(), since)
