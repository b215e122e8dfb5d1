"""`loop status`: what runs now, from the last pass and from the event lake. Asks no system and takes no lock."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from runner.cli.repository import (
    coloured,
    environment_option,
    find_root,
    in_words,
    json_option,
    known_environment,
)
from runner.errors import Diagnostic, Location, TerminalError

EXAMPLES = """\b
Examples:
  loop status                    the last pass, and the last hour of requests by arm
  loop status --window 24h       another window; `all` for everything
  loop status --watch            again every 2 s, until Ctrl-C
  loop status --json             one object for programs
"""
EVERY_SECONDS = 2.0
REQUIRED = frozenset(
    {"at", "revision", "verdict", "in_sync_since", "refused", "arms", "adapters"}
    | {"replicas", "gateways", "failed", "holds"}
)
"""What of a pass is shown; a file without it was not written by a runner."""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option(
    "--window", default="1h", show_default=True, help="How far back requests are counted: 10m, 24h, all."
)
@click.option("--watch", is_flag=True, help=f"Show it again every {EVERY_SECONDS:g} s.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, window: str, watch: bool, as_json: bool) -> int:
    """Show verdict, arms, adapters, holds and figures.

    Exit codes: 0 a runner is at work and all is in sync, 1 error, 2 anything else.
    """
    root = find_root(ctx)
    known_environment(root, environment)
    since = _seconds(ctx, window)
    code = _show(root, environment, since, as_json)
    while watch:
        time.sleep(EVERY_SECONDS)
        if not as_json:
            click.clear() if sys.stdout.isatty() else click.echo()
        code = _show(root, environment, since, as_json)
    return code


def _show(root: Path, environment: str, since: float | None, as_json: bool) -> int:
    from runner.report import status as report

    value = _gather(root, environment, since)
    if as_json:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(value, time.time(), colour=coloured()))
    last = value["pass"]
    if last is None or value["runner"] is None:
        return 2
    return 0 if last["verdict"] == "in sync" and not last["refused"] else 2


def last(root: Path, environment: str) -> dict[str, Any]:
    """Return who runs, and the last pass. Raises TerminalError where the status file is none."""
    from runner.reconcile.journal import holder
    from runner.reconcile.state import StatePaths

    paths = StatePaths(root, environment)
    return {"environment": environment, "runner": holder(paths.journal), "pass": _last_pass(paths.status)}


def _gather(root: Path, environment: str, since: float | None) -> dict[str, Any]:
    from runner.reconcile.state import StatePaths

    paths = StatePaths(root, environment)
    arms = _arms(paths.lake, paths.events, since)
    return {**last(root, environment), "window_seconds": since, "arms": arms}


def _last_pass(path: Path) -> dict[str, Any] | None:
    from runner.reconcile.status import FORMAT

    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, in_words(error)) from error
    if not isinstance(value, dict) or value.get("format") != FORMAT or not value.keys() >= REQUIRED:
        raise _damaged(path, f"it is not what a runner of this version writes (format {FORMAT})")
    _check_rollout(path, value)
    return value


def _check_rollout(path: Path, value: dict[str, Any]) -> None:
    from runner.report.explain import from_json

    found = value.get("rollout")
    if found is None or (isinstance(found, dict) and "unknown" in found):
        return
    try:
        from_json(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"its rollout is none: {in_words(error)}") from error


def _damaged(path: Path, why: str) -> TerminalError:
    return TerminalError(
        Diagnostic(
            "the status file cannot be read",
            Location(str(path)),
            (why,),
            "delete it; the next pass writes it",
        )
    )


def _arms(lake: Path, events: Path, since: float | None) -> list[dict[str, Any]]:
    if not lake.is_dir() and not events.is_dir():
        return []
    from runner.events.arms import summaries
    from runner.events.lake import Lake

    with Lake(lake, events) as stored:
        begin = None if since is None else int((time.time() - since) * 1_000_000)
        return [{**asdict(arm), "error_rate": arm.error_rate} for arm in summaries(stored.requests(begin))]


def _seconds(ctx: click.Context, window: str) -> float | None:
    if window == "all":
        return None
    from runner.cli.watching import seconds

    return seconds(ctx, window, "10m, 24h, 7d or all")
