"""`loop monitor`: measures all the time and shows it, as a page for people and as metrics for Prometheus."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import environment_option, find_root, pick_environment, working_tree_option
from runner.errors import LoopError

if TYPE_CHECKING:
    from runner.cli.deployment import Deployment
    from runner.report.limits import Limit
    from runner.signals.reading import Snapshot
    from runner.spec.environment import Monitor
    from runner.watch.resident import Situation
    from runner.watch.telemetry import Exports

EXAMPLES = """\b
Examples:
  loop monitor                        where loop.yaml says; `loop up` starts it by itself
  loop monitor --listen 127.0.0.1:9000 --every 5s
  loop monitor --otlp http://127.0.0.1:4318      hand requests and signals to an OpenTelemetry receiver
"""
NICENESS = 10
SAMPLE_EVERY_S = 600.0
SAMPLED_AT_ONCE = 50


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--listen", metavar="HOST:PORT", help="Address of the page; what loop.yaml says where absent.")
@click.option("--every", metavar="TIME", help="Longest time between two measurements.")
@click.option("--otlp", metavar="URL", help="OpenTelemetry receiver; OTEL_EXPORTER_OTLP_* count, too.")
@click.option("--sample/--no-sample", default=True, help="Examine answers as the policy says, now and then.")
@working_tree_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    listen: str | None,
    every: str | None,
    otlp: str | None,
    sample: bool,
    working_tree: bool,
) -> None:
    """Measure every signal again and again, until Ctrl-C: a page for people, /metrics for Prometheus.

    It reads the event log and what the runner has written, and changes nothing that serves.
    """
    from runner.cli.deployment import deployment, stopwatch
    from runner.cli.watching import seconds
    from runner.spec.environment import Monitor

    root = find_root(ctx)
    work = deployment(root, environment, working_tree=working_tree)
    settings = pick_environment(work.spec(), environment).monitor or Monitor()
    chosen: dict[str, Any] = {"listen": listen, "every": seconds(ctx, every), "otlp": otlp}
    settings = _given(ctx, settings, {name: value for name, value in chosen.items() if value is not None})
    os.nice(NICENESS)
    asyncio.run(_run(work, settings, sample, stopwatch()))


def _given(ctx: click.Context, settings: Monitor, given: dict[str, Any]) -> Monitor:
    """Return the settings with what the options say in place of what loop.yaml says."""
    from pydantic import ValidationError

    try:
        return type(settings).model_validate({**settings.model_dump(), **given})
    except ValidationError as error:
        wrong = error.errors()[0]
        reason = wrong["msg"].removeprefix("Value error, ").lower()
        raise click.UsageError(f"--{wrong['loc'][0]} {wrong['input']}: {reason}", ctx) from error


async def _run(work: Deployment, settings: Monitor, sample: bool, tell: Callable[[str], None]) -> None:
    from runner.watch.resident import Ports, Resident

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    taking = Taking(work)
    ports = Ports(taking, lambda: _situation(work), _exports(work, settings), tell, limits=taking.limits)
    resident = Resident(work.environment, settings.listen, settings.every, ports)
    sampling = asyncio.create_task(_sample_on(work, tell)) if sample else None
    try:
        await resident.run(stop)
    finally:
        if sampling is not None:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
    tell("stopped measuring; what serves goes on as it is")


class Taking:
    """Takes snapshots with the policies of the newest revision; what was fitted is kept as long as that is the same."""

    def __init__(self, work: Deployment) -> None:
        self._work = work
        self._revision = ""
        self._watch: Any = None

    def __call__(self, now: float) -> Snapshot:
        """Return a snapshot; with the policies of before, where the newest are not valid."""
        from runner.cli.watching import watch

        revision = self._work.source.revision()
        if revision != self._revision:
            try:
                self._watch = watch(self._work.root, self._work.spec(), self._work.environment)
            except LoopError:
                if self._watch is None:
                    raise
            self._revision = revision
        found: Snapshot = self._watch.take(now)
        self._watch.tell_runner(found)
        return found

    def limits(self) -> dict[str, tuple[Limit, ...]]:
        """Return the thresholds of the policies that were measured with; none before the first snapshot."""
        from runner.report.limits import of_policy

        return of_policy(self._watch.policy) if self._watch is not None else {}


def _situation(work: Deployment) -> Situation:
    from runner.cli.log import as_value
    from runner.cli.status import last
    from runner.reconcile.journal import read
    from runner.watch.resident import Situation

    entries = tuple(as_value(entry) for entry in read(work.paths.journal))
    return Situation(last(work.root, work.environment), entries[-400:])


def _exports(work: Deployment, settings: Monitor) -> Exports:
    from runner.export.receiver import Receiver
    from runner.watch.telemetry import Exports

    paths = work.paths
    receiver = Receiver.from_environment(os.environ, settings.otlp)
    return Exports(
        paths.lake, paths.events, paths.signals / "exported.json", receiver, os.environ, time.time()
    )


async def _sample_on(work: Deployment, tell: Callable[[str], None]) -> None:
    """Have answers examined now and then, in a process of its own: what the policy allows, and never in the way."""
    arguments = ("signals", "sample", "--environment", work.environment, "--limit", str(SAMPLED_AT_ONCE))
    told = ""
    while True:
        await asyncio.sleep(SAMPLE_EVERY_S)
        try:
            problem = await _sampled(work, arguments)
        except OSError as error:
            problem = str(error)
        if problem and problem != told:
            tell(f"not sampled: {problem}")
        told = problem


async def _sampled(work: Deployment, arguments: tuple[str, ...]) -> str:
    """Run the command to its end; return the first line of what went wrong, "" where nothing did."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runner.cli.main", "--root", str(work.root), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):  # it has ended by itself
            process.send_signal(signal.SIGINT)
        await process.wait()
        raise
    lines = said.decode(errors="replace").strip().splitlines() if process.returncode else []
    return next(iter(lines), "").removeprefix("error: ")
