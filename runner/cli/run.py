"""`loop run`: the resident reconciler alone."""

from __future__ import annotations

import asyncio
import signal

import click

from runner.cli.repository import environment_option, find_root, pick_environment, working_tree_option

EXAMPLES = """\b
Examples:
  loop run -e production     until Ctrl-C; engine and gateway run elsewhere and stay as they are
"""


@click.command(epilog=EXAMPLES)
@environment_option
@working_tree_option
@click.pass_context
def command(ctx: click.Context, environment: str, working_tree: bool) -> None:
    """Keep the live system as Git says, until stopped. Starts and stops no engine and no gateway."""
    from runner.cli.deployment import deployment, stopwatch, warn_uncommitted
    from runner.cli.narrate import Narrator
    from runner.cli.upkeep import compact_forever, expire_forever

    root = find_root(ctx)
    work = deployment(root, environment, working_tree=working_tree, follow=True)
    pick_environment(work.spec(), environment)
    if not working_tree:
        warn_uncommitted(root)

    async def resident() -> None:
        stop, wake, tell = asyncio.Event(), asyncio.Event(), stopwatch()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, wake.set)
        async with work.reconciler(tell, Narrator(tell)) as reconciler:
            upkeep = [
                asyncio.create_task(compact_forever(work.paths, tell)),
                asyncio.create_task(expire_forever(work.paths, tell, working_tree=working_tree)),
            ]
            try:
                await reconciler.run(stop, wake)
            finally:
                for duty in upkeep:
                    duty.cancel()
                await asyncio.gather(*upkeep, return_exceptions=True)
        tell("stopped; engine and gateway go on as they are")

    asyncio.run(resident())
