"""What of prompts, answers and comments may reach the disk (invariant 11), worked out beside the event loop.

Called by whatever writes events that hold text. Masking a large hostile text takes most of a second: beyond
`THREAD_OVER` it is done in a thread, so that nobody else's answer waits for it. No I/O.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from runner.events.masking import THREAD_OVER, Masking
from runner.serving.gateway.config import Content

THREADS = 2
"""Not those that bring events and route tables to the disk, which must not queue behind somebody's long text."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Values as they may be kept, and what was masked in them: entity -> count."""

    values: tuple[Any, ...]
    masked: Mapping[str, int]


class Privacy:
    """Obeys the policy of one environment."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._threads = ThreadPoolExecutor(THREADS, "masking")

    @property
    def keeps_conversations(self) -> bool:
        """Whether prompts and answers may reach the disk at all."""
        return self._content is not Content.OFF

    async def kept(self, *values: Any) -> Kept:
        """Return JSON values as they may be kept: masked as one conversation unless the policy says raw."""
        if self._content is Content.RAW:
            return Kept(values, {})
        if sum(len(orjson.dumps(value)) for value in values) <= THREAD_OVER:
            return _masked(values)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _masked, values)

    async def texts(self, named: Mapping[str, Any], *, keeps: bool) -> dict[str, Any]:
        """Return JSON values by name as they may be kept, masked as one conversation in their order.

        None of them where the policy keeps no text, or where their author's may not be kept.
        """
        if not (keeps and self.keeps_conversations):
            return {}
        kept = await self.kept(*named.values())
        return dict(zip(named, kept.values, strict=True))

    def close(self) -> None:
        """End the threads; what they have not begun is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _masked(values: tuple[Any, ...]) -> Kept:
    masking = Masking()
    return Kept(tuple(masking.value(value) for value in values), masking.counts)
