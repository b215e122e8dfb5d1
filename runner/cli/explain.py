"""`loop explain`: why the rollout advances, holds or went back, in plain words with both numbers."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
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
from runner.errors import Diagnostic, Location, LoopError, TerminalError, terminal, transient

if TYPE_CHECKING:
    from runner.reconcile.observed import Entered
    from runner.rollout.verdict import Assessment

EXAMPLES = """\b
Examples:
  loop explain                   from the runner's last look
  loop explain --recompute       from all logged events, anew: needs no runner, and takes longer
  loop explain --json

Exit codes: 0 told, 1 error.
"""
HELD = ("subject", "why", "text")


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
    rollbacks, holds = status.get("rollbacks") or [], status.get("holds") or []
    if as_json:
        found = None if assessment is None else asdict(assessment)
        value = {"serving": _baseline(status), "rollout": found, "rollbacks": rollbacks, "holds": holds}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        declared = _declared(root, environment) if assessment is None else None
        click.echo(report.to_text(assessment, _serving(status), rollbacks, holds, declared))


def _status(path: Path) -> dict[str, Any]:
    """Return the last pass, empty where there was none. Raises TerminalError."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, in_words(error)) from error
    if not isinstance(value, dict) or not (_are(value, "rollbacks") and _are(value, "holds", *HELD)):
        raise _damaged(path, "it is not what a runner writes")
    return value


def _are(status: dict[str, Any], name: str, *keys: str) -> bool:
    """Return whether a list of objects with these keys stands under a name, or nothing."""
    found = status.get(name, [])
    return isinstance(found, list) and all(
        isinstance(each, dict) and each.keys() >= {*keys} for each in found
    )


def _damaged(path: Path, why: str) -> TerminalError:
    fix = "delete it; the next pass writes it"
    return TerminalError(Diagnostic("the status file cannot be read", Location(str(path)), (why,), fix))


def _declared(root: Path, environment: str) -> str | None:
    """Return the candidate that loop.yaml declares; None where it has none or cannot be read."""
    try:
        found = read_spec(root).loop.environments.get(environment)
    except LoopError:
        return None
    return found.rollout.candidate if found and found.rollout else None


def _baseline(status: dict[str, Any]) -> str | None:
    arms = status.get("arms")
    return arms.get("baseline") if isinstance(arms, dict) else None


def _serving(status: dict[str, Any]) -> str:
    """Return who serves in words; that no gateway answered is not that nobody serves."""
    if serving := _baseline(status):
        return f"{serving} serves"
    if not status:
        return "nothing is known of what serves: no runner has looked yet"
    silent = [
        url
        for url, view in (status.get("gateways") or {}).items()
        if not isinstance(view, dict) or "unknown" in view
    ]
    if silent:
        return f"nothing is known of what serves: {', '.join(silent)} did not answer"
    return "nothing serves yet"


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


def _entered(path: Path) -> Entered | None:
    """Return the rollout and the stage in force as the runner's journal has them. Raises TerminalError."""
    from runner.reconcile.journal import read
    from runner.reconcile.memory import fold

    return fold(read(path)).entered if path.exists() else None


def _recomputed(root: Path, environment: str, status: dict[str, Any]) -> Assessment | None:
    """Return what all logged events of the newest rollout come to.

    At the stage and since the time that the journal has, as for the runner; where it has none, at the stage that was
    noted or is declared. Raises TerminalError.
    """
    from runner.cli.logged import read_events
    from runner.reconcile.state import StatePaths
    from runner.rollout.backtest import assess_logged, rules_of
    from runner.rollout.trials import KINDS, since_generation, trials

    spec = read_spec(root)
    declared = spec.loop.environments.get(environment)
    if declared is None or declared.rollout is None:
        return None
    name, (policy, detection) = declared.rollout.candidate, rules_of(spec, root)
    found = trials(read_events(root, environment, *KINDS))
    logged = [each for each in found if each.candidate.partition("--")[0] == name]
    entered = _entered(StatePaths(root, environment).journal)
    own = [each for each in logged if entered is not None and each.rollout_id == entered.rollout_id]
    if own and entered is not None and entered.stage in [stage.name for stage in policy.stages]:
        trial = since_generation(own, entered.generation)
        if trial is not None:
            trial = replace(trial, started=entered.started)
            return assess_logged(
                policy, trial, entered.stage, time.time(), entered.since, detection=detection
            )
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
    return assess_logged(policy, logged[-1], declared.rollout.stage, time.time(), since, detection=detection)
