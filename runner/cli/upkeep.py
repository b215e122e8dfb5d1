"""What a resident runner does beside reconciling: moves closed event segments into the lake, deletes what is too old.

Called by `loop run` and `loop up`. What fails loses nothing, it is told and tried again. Deleting may read much, so it
runs in a process of its own, at low priority: it never holds up a rollback.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from runner.errors import LoopError
from runner.reconcile.state import StatePaths

EVERY_SECONDS = 300.0
FIRST_EXPIRY_SECONDS, EXPIRY_SECONDS = 600.0, 86_400.0


async def compact_forever(
    paths: StatePaths, tell: Callable[[str], None], every: float = EVERY_SECONDS
) -> None:
    """Compact every `every` seconds until cancelled; the first time after one such wait."""
    while True:
        await asyncio.sleep(every)
        try:
            await asyncio.to_thread(_compact, paths)
        except (LoopError, OSError) as error:
            tell(f"events stay in their segments for now: {error}")


def _compact(paths: StatePaths) -> None:
    from runner.events.compact import Compactor

    if paths.events.is_dir():
        Compactor(paths.events, paths.lake, lambda: time.time_ns() // 1000).run()


async def expire_forever(
    paths: StatePaths,
    tell: Callable[[str], None],
    *,
    working_tree: bool,
    first: float = FIRST_EXPIRY_SECONDS,
    every: float = EXPIRY_SECONDS,
) -> None:
    """Delete what is older than policies/privacy.yaml allows, once a day until cancelled; first soon after a start."""
    wait = first
    while True:
        await asyncio.sleep(wait)
        wait = every
        try:
            problem = await _expire(paths, working_tree)
        except OSError as error:
            problem = str(error)
        if problem:
            tell(f"what has expired is not deleted yet: {problem}")


async def _expire(paths: StatePaths, working_tree: bool) -> str:
    """Run `loop forget --expired` to its end; return the first line of what went wrong, "" where nothing did."""
    loop = (sys.executable, "-m", "runner.cli.main", "--root", str(paths.root))
    what = ("forget", "--expired", "--environment", paths.environment)
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", "10", *loop, *what, *(("--working-tree",) if working_tree else ())),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):  # it has ended by itself
            process.terminate()
        await process.wait()
        raise
    lines = said.decode(errors="replace").strip().splitlines() if process.returncode else []
    return next(iter(lines), "").removeprefix("error: ")
