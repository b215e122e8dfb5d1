"""`loop arena simulate`: people of the bookshop compare answers and vote, to try what follows from votes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

EXAMPLES = """\b
Examples:
  loop arena simulate --votes 300                 against the gateway that `loop up` started
  loop arena simulate --votes 50 --people 3 --seed 7

Votes are events like any others. Do not do this where real people vote: nothing tells the two apart afterwards.
"""


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
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    votes: int,
    people: int,
    temperature: float,
    seed: int,
    as_json: bool,
) -> None:
    """Have simulated customers of the bookshop compare answers. They know the facts and prefer full answers."""
    from runner.reconcile.state import StatePaths
    from runner.serving.gateway.callers import console_secret
    from runner.simulation.votes.client import Arena, vote

    root = find_root(ctx)
    gateway = pick_environment(read_spec(root), environment).gateway
    secret = console_secret(Path(StatePaths(root, environment).directory))
    arena = Arena(f"http://{gateway.listen}", secret, gateway.alias, people, temperature=temperature, seed=seed)
    cast = asyncio.run(vote(arena, votes, _progress))
    if as_json:
        click.echo(json.dumps({"votes": cast.votes, "choices": dict(cast.choices)}))
    else:
        shares = ", ".join(f"{choice} {count}" for choice, count in cast.choices.items())
        click.echo(f"{cast.votes} votes: {shares}")


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty() or done == of:
        click.echo(f"\r  {done} of {of} votes", nl=done == of, err=True)
