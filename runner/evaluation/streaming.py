"""One streamed answer of an OpenAI-compatible server, with the moments at which it began and ended.

Called by the load suite through `bench.Stream`. It never tries again: under load a failure is a finding.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from runner.evaluation.bench import Clock, Timed


class LoopClock:
    """The event loop's own time."""

    def now(self) -> float:
        """Return seconds since some moment."""
        return asyncio.get_running_loop().time()

    async def until(self, moment: float) -> None:
        """Return at that moment, at once where it is over."""
        await asyncio.sleep(max(0.0, moment - self.now()))


@dataclass(frozen=True, slots=True)
class Streaming:
    """Asks the server at `base_url`; `timeout` in seconds bounds an answer as a whole."""

    base_url: str
    session: aiohttp.ClientSession
    clock: Clock
    timeout: float
    key: str | None = None

    async def __call__(self, served: str, question: str, max_tokens: int) -> Timed:
        """Return the answer, or why there is none. Raises nothing."""
        body = {
            "model": served,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0.0,
            "max_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            async with self.session.post(
                f"{self.base_url.rstrip('/')}/v1/chat/completions",
                json=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as response:
                if response.status != 200:
                    return self._failed(f"status {response.status}")
                return await self._read(response)
        except TimeoutError:
            return self._failed(f"no end within {self.timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
            return self._failed(type(error).__name__)

    async def _read(self, response: aiohttp.ClientResponse) -> Timed:
        first, parts, tokens, done = None, [], 0, False
        async for line in response.content:
            data = line.strip().removeprefix(b"data:").strip()
            if data == b"[DONE]":
                done = True
            elif data:
                text, counted = _piece(json.loads(data))
                if text and first is None:
                    first = self.clock.now()
                parts.append(text)
                tokens = max(tokens, counted)
        if not done:
            return self._failed("broken off")
        return Timed("".join(parts), first, self.clock.now(), tokens)

    def _failed(self, why: str) -> Timed:
        return Timed("", None, self.clock.now(), 0, why)


def _piece(value: dict[str, Any]) -> tuple[str, int]:
    """Return the text of a chunk and the tokens of the whole answer, which the last chunk has."""
    if "error" in value:
        raise ValueError("an error in the stream")
    choices = value.get("choices") or []
    text = choices[0]["delta"].get("content") or "" if choices else ""
    return text, int((value.get("usage") or {}).get("completion_tokens") or 0)
