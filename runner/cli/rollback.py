"""`loop rollback`: take the candidate off users at once, and have Git say so."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, known_environment
from runner.errors import LoopError, terminal

if TYPE_CHECKING:
    from runner.reconcile.loop import Outcome
    from runner.reconcile.observed import Memory
    from runner.reconcile.state import StatePaths

EXAMPLES = """\b
Examples:
  loop rollback                                        production's candidate, now
  loop rollback --reason "answers in the wrong language"   what stands in the commit
  loop rollback -e staging                             another environment

The candidate is quarantined: automation tries it again only after a commit has lifted it (`loop lift`).
Going back from a version that is the baseline already is a commit: `git revert`.
Exit codes: 0 users are off the candidate on every gateway, 1 error, 2 a gateway did not answer: it is tried
until it does.
"""
ANSWER_S = 15.0
REVISION = re.compile("[0-9a-f]{40,64}")


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--reason", default="", help="Why; stands in the commit and in quarantine.yaml.")
@click.pass_context
def command(ctx: click.Context, environment: str, reason: str) -> int:
    """Take the candidate of an environment off every gateway, quarantine it, and write that to Git.

    Users are off it before Git is asked; the runner writes the commit, or this command where no runner is at work.
    """
    from runner.reconcile.journal import holder
    from runner.reconcile.state import StatePaths

    root = find_root(ctx)
    known_environment(root, environment)
    paths, who = StatePaths(root, environment), _who()
    why = reason or "taken back by hand"
    if holder(paths.journal) is not None:
        return _ask_runner(paths, why, who)
    return asyncio.run(_alone(root, environment, why, who))


def _ask_runner(paths: StatePaths, reason: str, by: str) -> int:
    from runner.reconcile.wishes import ask

    answer = ask(paths.wishes, reason, by, ANSWER_S)
    if answer is None:
        raise terminal(
            f"the runner did not answer within {ANSWER_S:g} s",
            fix="see `loop status`; stop that runner and try again: then this command does it alone",
            changed="it is unknown whether the routes were switched",
        )
    code = _said(answer, paths.environment)
    click.echo("the runner writes it to Git; `loop status` shows when")
    return code


async def _alone(root: Path, environment: str, reason: str, by: str) -> int:
    """Do the runner's work once: the routes first, whatever is known of Git, and then the commit."""
    from runner.cli.deployment import deployment, stopwatch
    from runner.reconcile.lookout import NO_TRIAL, Wish

    tell, answers, failed = stopwatch(), list[str](), list[str]()
    work = deployment(root, environment, working_tree=False, follow=True)

    def told(outcome: Outcome) -> None:
        failed.extend(str(each.message) for each in outcome.report.failed)

    async with work.reconciler(tell, told) as reconciler:
        wish = Wish(reason, by, answers.append)
        await reconciler.roll_back(wish)
        with contextlib.suppress(
            LoopError, OSError
        ):  # what the branch says by now; the routes do not wait for it
            await asyncio.to_thread(work.source.refresh)
        if answers == [NO_TRIAL]:
            answers.clear()
            await reconciler.roll_back(wish)
        code = _said(answers[-1], environment)
        await reconciler.settle(passes=6)
        with contextlib.suppress(LoopError, OSError):  # the commit itself, so that it is noted as landed
            await asyncio.to_thread(work.source.refresh)
        await reconciler.settle(passes=6)
        found = reconciler.journal.memory()
    _say_of_git(found, failed)
    return code


def _say_of_git(memory: Memory, failed: Sequence[str]) -> None:
    """Say how far Git knows of the rollback that was just made, or that it waits and why."""
    waiting = max(memory.rollbacks.values(), key=lambda each: each.at, default=None)
    written = waiting.written if waiting is not None else memory.past[-1].written if memory.past else ""
    if REVISION.fullmatch(written):
        click.echo(f"written to Git: {written[:12]}")
    elif written:
        click.echo(f"written to Git once a person merges {written}")
    elif waiting is not None:
        click.echo("not in Git yet; the next runner tries again", err=True)
        for message in dict.fromkeys(failed):
            click.echo(f"  {message}", err=True)


def _said(answer: str, environment: str) -> int:
    """Print the answer to a wish and return the exit code that it means."""
    from runner.reconcile.lookout import BEFORE, NO_TRIAL, ROLLED_BACK

    if answer == NO_TRIAL:
        raise _no_trial(environment)
    click.echo(answer)
    return 0 if answer in (ROLLED_BACK, BEFORE) else 2


def _who() -> str:
    """Return the name of whoever asks; a container may know none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody without a name on this machine"


def _no_trial(environment: str) -> Exception:
    return terminal(
        f"there is no candidate on trial in '{environment}'",
        fix="to go back from a baseline, revert the commit that made it the baseline: `git revert`",
    )
