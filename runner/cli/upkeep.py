"""What a resident runner does beside reconciling: moves closed event segments into the lake.

Called by `loop run` and `loop up`. A failed compaction loses nothing, it is told and tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from runner.errors import LoopError
from runner.reconcile.state import StatePaths

EVERY_SECONDS = 300.0


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
