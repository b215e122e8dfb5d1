"""`loop apply`: bring the live system to the desired state once, or carry out a plan that was reviewed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import (
    environment_option,
    find_root,
    in_words,
    pick_environment,
    working_tree_option,
)
from runner.errors import Diagnostic, Location, LoopError, TerminalError

if TYPE_CHECKING:
    from runner.reconcile.loop import Outcome
    from runner.reconcile.staleness import SavedPlan

EXAMPLES = """\b
Examples:
  loop plan --out plan.json    review it, then:
  loop apply plan.json         refused where anything it rests on has changed since
  loop apply                   plan and apply at once
"""
WORKING_TREE = "working-tree-"
"""How the revision of a plan begins that was made with `--working-tree`."""


@click.command(epilog=EXAMPLES)
@click.argument(
    "plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path, dir_okay=False)
)
@environment_option
@working_tree_option
@click.pass_context
def command(ctx: click.Context, plan_file: Path | None, environment: str, working_tree: bool) -> int:
    """Apply the desired state, or a saved PLAN. Exit codes: 0 in sync, 1 error, 2 something is still pending.

    A saved plan is for the environment and the files it was made of; neither need be said again.
    """
    from runner.cli.deployment import deployment, stopwatch
    from runner.cli.narrate import Narrator
    from runner.reconcile import staleness
    from runner.reconcile.plan import Verdict

    saved = None if plan_file is None else _read(plan_file)
    if saved is not None:
        if ctx.get_parameter_source("environment") is click.core.ParameterSource.DEFAULT:
            environment = saved.environment
        working_tree = working_tree or saved.revision.startswith(WORKING_TREE)
    work = deployment(find_root(ctx), environment, working_tree=working_tree)
    pick_environment(work.spec(), environment)
    tell = stopwatch()
    narrate, failed = Narrator(tell), list[str]()

    def told(outcome: Outcome) -> None:
        narrate(outcome)
        failed.extend(each.message for each in outcome.report.failed)

    async def once() -> Outcome:
        async with work.reconciler(tell, told) as reconciler:
            observed, planned = await reconciler.look()
            if saved is not None:
                staleness.check(saved, planned)
            outcome = await reconciler.carry_out(observed, planned)
            return await reconciler.settle() if outcome.acted else outcome

    verdict = asyncio.run(once()).plan.verdict
    click.echo(f"{environment}: {verdict.value}")
    if verdict is Verdict.IN_SYNC:
        return 0
    return 1 if failed else 2


def _read(path: Path) -> SavedPlan:
    """Return a saved plan. Raises TerminalError, with the file's name, for anything that is not one."""
    from runner.reconcile import staleness

    try:
        return staleness.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, LoopError) as error:
        evidence = error.diagnostics[0].evidence if isinstance(error, LoopError) else (in_words(error),)
        raise TerminalError(
            Diagnostic(
                "this is not a saved plan" if isinstance(error, LoopError) else "the plan cannot be read",
                Location(str(path)),
                evidence,
                "make one: `loop plan --out FILE`",
            ),
            changed="nothing was applied",
        ) from error
