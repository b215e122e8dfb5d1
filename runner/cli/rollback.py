"""`loop rollback`: take the candidate off users at once, and have Git say so."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, known_environment
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.reconcile.state import StatePaths

EXAMPLES = """\b
Examples:
  loop rollback                                        production's candidate, now
  loop rollback --reason "answers in the wrong language"   what stands in the commit
  loop rollback -e staging                             another environment

The candidate is quarantined: no automation puts it on trial again until a commit lifts it (`loop lift`).
Going back from a version that is the baseline already is a commit: `git revert`.
Exit codes: 0 users are off the candidate, 1 error.
"""
ANSWER_S = 15.0


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--reason", default="", help="Why; stands in the commit and in quarantine.yaml.")
@click.pass_context
def command(ctx: click.Context, environment: str, reason: str) -> None:
    """Take the candidate of an environment off every gateway, quarantine it, and write that to Git.

    Users are off it before Git is asked; the runner writes the commit, or this command where no runner is at work.
    """
    from runner.reconcile.journal import holder
    from runner.reconcile.state import StatePaths

    root = find_root(ctx)
    known_environment(root, environment)
    paths, who = StatePaths(root, environment), getpass.getuser()
    why = reason or f"asked for by {who}"
    if holder(paths.journal) is not None:
        _ask_runner(paths, why, who)
    else:
        asyncio.run(_alone(root, environment, why, who))


def _ask_runner(paths: StatePaths, reason: str, by: str) -> None:
    from runner.reconcile.lookout import NO_TRIAL
    from runner.reconcile.wishes import ask

    answer = ask(paths.wishes, reason, by, ANSWER_S)
    if answer is None:
        raise terminal(
            f"the runner did not answer within {ANSWER_S:g} s",
            fix="see `loop status`; stop that runner and try again: then this command does it alone",
            changed="it is unknown whether the routes were switched",
        )
    if answer == NO_TRIAL:
        raise _no_trial(paths.environment)
    click.echo(f"{answer}; the runner writes it to Git, `loop status` shows when")


async def _alone(root: Path, environment: str, reason: str, by: str) -> None:
    from runner.cli.deployment import deployment, stopwatch
    from runner.reconcile.lookout import NO_TRIAL, Wish

    tell, answers = stopwatch(), list[str]()
    work = deployment(root, environment, working_tree=False)
    async with work.reconciler(tell, lambda _outcome: None) as reconciler:
        await reconciler.roll_back(Wish(reason, by, answers.append))
        if answers == [NO_TRIAL]:
            raise _no_trial(environment)
        click.echo("; ".join(answers))
        outcome = await reconciler.settle(passes=4)
    for failed in outcome.report.failed:
        click.echo(f"not written yet: {failed.message}; the next runner tries again", err=True)


def _no_trial(environment: str) -> Exception:
    return terminal(
        f"there is no candidate on trial in '{environment}'",
        fix="to go back from a baseline, revert the commit that made it the baseline: `git revert`",
    )
