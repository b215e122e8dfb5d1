"""`loop console`: the pages for people. Compare answers in the arena, try a version, judge what was collected."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec
from runner.errors import transient

if TYPE_CHECKING:
    from runner.console.people.desk import Desk
    from runner.console.people.gateway import Gateway
    from runner.console.people.ports import Week
    from runner.feedback.matchmaking import Kind, Tally
    from runner.spec.collection import CollectionPolicy
    from runner.spec.environment import Console
    from runner.spec.load import Spec

EXAMPLES = """\b
Examples:
  loop console                           where loop.yaml says (console.listen); `loop up` starts it by itself
  loop console --listen 127.0.0.1:9000
  loop console -e staging --json         one line of JSON once it serves, for programs

People sign in with the keys of the gateway, or say their name where it lets callers in without one.
"""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - what others listen on is called, not opened
FRESH_S = 5.0
"""The log is read again where what is known is older; votes that this console stored count at once."""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--listen", metavar="HOST:PORT", help="Address of the pages; what loop.yaml says where absent.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, listen: str | None, as_json: bool) -> None:
    """Serve the arena, the playground and the review queue to people, until Ctrl-C.

    Votes and labels go through the gateway to the event log; the console itself writes nothing and decides nothing.
    """
    from runner.spec.environment import Console

    root = find_root(ctx)
    spec = read_spec(root)
    settings = pick_environment(spec, environment).console or Console()
    if listen is not None:
        settings = _listening(ctx, listen)

    def ready(url: str) -> None:
        click.echo(json.dumps({"url": url, "environment": environment}) if as_json else f"console: {url}/")

    asyncio.run(_run(root, spec, environment, settings.listen, ready))


def _listening(ctx: click.Context, listen: str) -> Console:
    """Return the settings with another address."""
    from pydantic import ValidationError

    from runner.spec.environment import Console

    try:
        return Console(listen=listen)
    except ValidationError as error:
        raise click.UsageError(f"--listen {listen}: is no address: say HOST:PORT", ctx) from error


async def _run(root: Path, spec: Spec, environment: str, listen: str, ready: Callable[[str], None]) -> None:
    from runner.cli import labels_desk
    from runner.console import review
    from runner.console.people import app
    from runner.console.people.gateway import opened
    from runner.reconcile.state import StatePaths
    from runner.serving.gateway.callers import console_secret

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    secret = console_secret(StatePaths(root, environment).directory)
    address = pick_environment(spec, environment).gateway.listen
    async with opened(f"http://{_reachable(address)}", secret) as gateway:
        desk = _desk(root, spec, environment, gateway)
        policy = spec.policies.collection
        queue = labels_desk.Desk(root, environment, policy.agreement.raters)
        pages = app.application(desk, kinds(policy), partial(review.build, queue, gateway))
        await app.serve(listen, pages, stop, ready)


def _desk(root: Path, spec: Spec, environment: str, gateway: Gateway) -> Desk:
    from runner.console.people.desk import Desk

    return Desk(
        environment,
        gateway,
        Log(root, spec, environment),
        aliases=frozenset({pick_environment(spec, environment).gateway.alias}),
        own_names=(spec.loop.base_model.name, *spec.models),
    )


def _reachable(address: str) -> str:
    """Return an address to call for one that is listened on: who listens everywhere is reached on this machine."""
    host, _, port = address.rpartition(":")
    return f"{EVERYWHERE.get(host, host)}:{port}"


class Log:
    """What the arena asks of the event log; implements `console.people.ports.ArenaPorts`."""

    def __init__(self, root: Path, spec: Spec, environment: str) -> None:
        self._root, self._spec, self._environment = root, spec, environment
        self._known: _Known | None = None
        self._reading = asyncio.Lock()

    async def week(self) -> Week:
        """Return this week's preference pairs. Raises LoopError."""
        return (await self._fresh()).week

    async def tally(self) -> Tally:
        """Return who has won how often in the last quarter. Raises LoopError."""
        return (await self._fresh()).tally

    async def _fresh(self) -> _Known:
        async with self._reading:
            if self._known is None or time.monotonic() - self._known.week.read_at >= FRESH_S:
                try:
                    self._known = await asyncio.to_thread(self._read)
                except OSError as error:
                    raise transient("the event log cannot be read", str(error)) from error
            return self._known

    def _read(self) -> _Known:
        from runner.cli.arena_standings import read_votes
        from runner.cli.data_progress import BACK_S
        from runner.console.people.ports import Week
        from runner.feedback.matchmaking import tally
        from runner.feedback.progress import Policies, progress

        began, now = time.monotonic(), time.time()
        ballots = read_votes(self._root, self._spec, self._environment, now - BACK_S).ballots
        policies = self._spec.policies
        plan = Policies(policies.collection, policies.cadence, policies.training, {})
        found = progress(ballots, plan, now)
        counts = {part.name: part.pairs for part in found.categories}
        return _Known(
            Week(found.pairs, found.aimed.wanted, kinds(policies.collection, counts), began), tally(ballots)
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of the log at one time."""

    week: Week
    tally: Tally


def kinds(policy: CollectionPolicy, votes: Mapping[str, int] | None = None) -> tuple[Kind, ...]:
    """Return the kinds of questions that the policy wants, with what has come of each."""
    from runner.feedback.matchmaking import Kind

    counts = votes or {}
    return tuple(
        Kind(name, each.share, counts.get(name, 0), each.examples) for name, each in policy.categories.items()
    )
