"""An open-loop load generator: requests leave at constant intervals, answered or not.

An open loop does not slow down with the server, so a slow server's latency is seen in full.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aiohttp

BODY = (
    b'{"model":"chat","user":"reader-%d","messages":[{"role":"system","content":"You help in a bookshop."},'
    b'{"role":"user","content":"What does The Quiet Harbour cost, and where do I find it?"}],"max_tokens":64}'
)
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One run at one rate: latencies in milliseconds, sorted, and how many requests failed."""

    rate: float
    latencies_ms: tuple[float, ...]
    failed: int
    seconds: float

    def percentile(self, share: float) -> float | None:
        """Return a latency by nearest rank, None without any."""
        if not self.latencies_ms:
            return None
        place = min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))
        return self.latencies_ms[place]

    @property
    def kept_up(self) -> bool:
        """Whether nothing failed, the last answer came with the load, and 99% took under a second."""
        slowest = self.percentile(0.99)
        planned = len(self.latencies_ms) / self.rate
        return (
            self.failed == 0 and slowest is not None and slowest < 1000 and self.seconds < planned * 1.1 + 0.5
        )


async def offer(session: aiohttp.ClientSession, url: str, rate: float, seconds: float) -> Measured:
    """Send `rate` requests a second for so long; return when the last is answered or given up."""
    latencies: list[float] = []
    failed = 0

    async def one(number: int) -> None:
        nonlocal failed
        start = time.perf_counter()
        try:
            async with session.post(url, data=BODY % (number % 997)) as response:
                await response.read()
                good = response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            good = False
        if good:
            latencies.append((time.perf_counter() - start) * 1000)
        else:
            failed += 1

    begin = time.perf_counter()
    tasks = []
    for number in range(round(rate * seconds)):
        wait = begin + number / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    return Measured(rate, tuple(sorted(latencies)), failed, time.perf_counter() - begin)


def session(key: str) -> aiohttp.ClientSession:
    """Return a client that sends an API key, keeps connections and gives up after a while."""
    return aiohttp.ClientSession(
        headers={"content-type": "application/json", "authorization": f"Bearer {key}"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
