"""`loop apply`: bring the live system to the desired state once, or carry out a plan that was reviewed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from runner.cli.repository import environment_option, find_root, working_tree_option
from runner.errors import Diagnostic, Location, TerminalError

EXAMPLES = """\b
Examples:
  loop plan --out plan.json    review it, then:
  loop apply plan.json         refused where anything it rests on has changed since
  loop apply                   plan and apply at once
"""


@click.command(epilog=EXAMPLES)
@click.argument(
    "plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path, dir_okay=False)
)
@environment_option
@working_tree_option
@click.pass_context
def command(ctx: click.Context, plan_file: Path | None, environment: str, working_tree: bool) -> int:
    """Apply the desired state, or a saved PLAN. Exit codes: 0 in sync, 1 error, 2 something is still pending."""
    from runner.cli.deployment import deployment, stopwatch
    from runner.cli.narrate import Narrator
    from runner.reconcile import staleness
    from runner.reconcile.loop import Outcome
    from runner.reconcile.plan import Verdict

    saved = None if plan_file is None else staleness.from_json(_read(plan_file))
    work = deployment(find_root(ctx), environment, working_tree=working_tree)
    tell = stopwatch()

    async def once() -> Outcome:
        async with work.reconciler(tell, Narrator(tell)) as reconciler:
            observed, planned = await reconciler.look()
            if saved is not None:
                staleness.check(saved, planned)
            outcome = await reconciler.carry_out(observed, planned)
            return await reconciler.settle() if outcome.acted else outcome

    outcome = asyncio.run(once())
    click.echo(f"{environment}: {outcome.plan.verdict.value}")
    if outcome.report.failed:
        return 1
    return 0 if outcome.plan.verdict is Verdict.IN_SYNC else 2


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TerminalError(
            Diagnostic(
                "the plan cannot be read",
                Location(str(path)),
                (str(error),),
                "make one: `loop plan --out FILE`",
            ),
            changed="nothing was applied",
        ) from error
