"""`loop arena simulate`: people of the bookshop compare answers and vote, to try what follows from votes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

if TYPE_CHECKING:
    from runner.simulation.votes.client import Arena

EXAMPLES = """\b
Examples:
  loop arena simulate --votes 300                 against the gateway that `loop up` started
  loop arena simulate --votes 50 --people 3 --seed 7
  loop arena simulate --review                    three people judge what `loop data collect` put into the queue

Votes and labels are events like any others. Do not do this where real people vote: nothing tells them apart afterwards.
"""
KNOWN = 5_000
"""Questions of voters and of traffic that reviewers know, each."""
REVIEWERS = ("reviewer-1", "reviewer-2", "reviewer-3")


@click.command(epilog=EXAMPLES)
@environment_option
@click.option(
    "--votes", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Comparisons to make."
)
@click.option("--people", type=click.IntRange(1, 1000), default=12, show_default=True, help="Who make them.")
@click.option(
    "--temperature", type=click.FloatRange(0, 2), default=1.0, show_default=True, help="Of the answers."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of questions, people and samples.")
@click.option(
    "--off-topic",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of questions that are none of the shop's business.",
)
@click.option(
    "--review", is_flag=True, help="Judge the review queue instead, as far as its questions are known."
)
@json_option
@click.pass_context
def command(ctx: click.Context, /, environment: str, review: bool, as_json: bool, **settings: Any) -> None:
    """Have simulated customers of the bookshop compare answers. They know the facts and prefer full answers."""
    from runner.reconcile.state import StatePaths
    from runner.serving.gateway.callers import console_secret
    from runner.simulation.votes.client import Arena

    root = find_root(ctx)
    gateway = pick_environment(read_spec(root), environment).gateway
    secret = console_secret(StatePaths(root, environment).directory)
    votes = settings.pop("votes")
    arena = Arena(f"http://{gateway.listen}", secret, gateway.alias, **settings)
    found = _reviewed(root, arena) if review else _voted(arena, votes)
    told = ", ".join(f"{name} {count}" for name, count in found.items())
    click.echo(json.dumps(found) if as_json else told)


def _voted(arena: Arena, votes: int) -> dict[str, int]:
    from runner.simulation.votes.client import vote

    cast = asyncio.run(vote(arena, votes, _progress))
    return {"votes": cast.votes, **cast.choices}


def _reviewed(root: Path, arena: Arena) -> dict[str, int]:
    """Have every reviewer judge every answer and correction of the queue whose question is known."""
    from runner.cli.labels_desk import read_items
    from runner.feedback.records import Task, question
    from runner.simulation.votes.client import Judged, label
    from runner.simulation.votes.reviewer import judgement, known

    questions = known(arena.seed, KNOWN)
    judged = [
        Judged(person, item.id, item.task.value, judgement(person, asked, text))
        for item in read_items(root)
        if item.task is not Task.PREFERENCE and (asked := questions.get(question(item.prompt))) is not None
        for text in (item.other if item.task is Task.CORRECTION else item.answer,)
        if text is not None
        for person in REVIEWERS
    ]
    return {"labels": asyncio.run(label(arena, judged))}


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty() or done == of:
        click.echo(f"\r  {done} of {of} votes", nl=done == of, err=True)
