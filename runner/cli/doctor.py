"""`loop doctor`: what the machine and the repository lack, and what to do."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment
from runner.errors import TerminalError

if TYPE_CHECKING:
    from runner.spec.load import Loaded

EXAMPLES = """\b
Examples:
  loop doctor                  everything that production needs
  loop doctor -e staging
  loop doctor --json           one object: counts, and every finding with evidence and fix

It looks and changes nothing: a push is only tried, an adapter is asked for without a name. Each look has its time, and
what did not answer in it is told. Exit codes: 0 nothing failed (warnings are no failure), 1 something did.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> int:
    """Look at machine, packages, repository, engine, gateway, Git host and DVC remote, and say what to do."""
    from runner.doctor import report
    from runner.doctor.examine import Subject, examine
    from runner.doctor.finding import Verdict

    root = _root(ctx)
    loaded = None if root is None else _loaded(root)
    if loaded is not None and loaded.spec is not None:
        pick_environment(loaded.spec, environment)
    subject = Subject(root or Path.cwd(), root, loaded, environment, os.environ)
    found = asyncio.run(examine(subject, time.time()))
    click.echo(
        json.dumps(report.to_json(found), indent=2, ensure_ascii=False) if as_json else report.to_text(found)
    )
    return 1 if found.count(Verdict.FAILED) else 0


def _root(ctx: click.Context) -> Path | None:
    """Return the repository, None where there is none: the machine can be looked at all the same."""
    try:
        return find_root(ctx)
    except TerminalError:
        return None


def _loaded(root: Path) -> Loaded:
    from runner.spec.files import DirectoryFiles
    from runner.spec.load import load

    return load(DirectoryFiles(root))
