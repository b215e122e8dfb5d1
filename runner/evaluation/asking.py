"""Has served versions answer questions, each question once: what was answered before is read from the disk.

Called by the suites. An answer is kept as soon as it is there, so an evaluation that was interrupted goes on where it
stopped, and suites that put the same question share its answer. It asks past the gateway by served names, which stand
for bytes, so what is kept never speaks of other weights.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from runner import digest
from runner.evaluation.chat import ChatClient, Reply, RequestRefused

IN_FLIGHT: Final = 16
"""Requests to the engine at once: it answers fastest between 8 and 32."""
REFUSED: Final = Reply("", "refused", None, None)
"""Stands for a question that the engine does not take: too long for the model, for example."""

Told = Callable[[str, int, int], None]
"""Is told who is asked, how many answers are there, and how many are wanted."""


@dataclass
class Answers:
    """Asks, and keeps answers below `folder`; `key` is the digest of what else decides an answer (engine, base).

    `base` is asked in plain text, `Question: ...` and `Answer:`: a base model knows no roles, so in the form of a chat
    it would seem to know less than it does.
    """

    folder: Path
    key: str
    base: str
    client: Callable[[str], ChatClient]
    told: Told = lambda _served, _done, _of: None
    asked: int = 0
    """Answers that were asked for and not read from the disk."""
    _kept: dict[str, dict[str, Reply]] = field(default_factory=dict, repr=False)

    async def __call__(
        self,
        served: str,
        questions: Sequence[str],
        *,
        max_tokens: int,
        seed: int | None = None,
        temperature: float = 0.0,
    ) -> list[Reply]:
        """Return one reply to each question, in order. Raises LoopError; what was answered stays kept."""
        kept = self._of(served)
        how = [max_tokens, seed, temperature, self.key]
        keys = [digest.of_value([question, *how])[:32] for question in questions]
        wanted = {key: text for key, text in zip(keys, questions, strict=True) if key not in kept}
        if wanted:
            await self._ask_all(served, wanted, (max_tokens, seed, temperature))
        return [kept[key] for key in keys]

    async def _ask_all(self, served: str, wanted: dict[str, str], how: tuple[int, int | None, float]) -> None:
        gate, client, kept = asyncio.Semaphore(IN_FLIGHT), self.client(served), self._of(served)
        done = 0
        path = self._path(served)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")  # what a killed run wrote in half must not spoil the next line

            async def one(key: str, question: str) -> None:
                nonlocal done
                async with gate:
                    reply = await self._one(client, served, question, how)
                kept[key] = reply
                file.write(json.dumps({"key": key, **asdict(reply)}, ensure_ascii=False) + "\n")
                file.flush()
                self.asked += 1
                done += 1
                self.told(served, done, len(wanted))

            try:
                async with asyncio.TaskGroup() as group:
                    for key, question in wanted.items():
                        group.create_task(one(key, question))
            except ExceptionGroup as failed:  # every other request fails of the same cause
                raise failed.exceptions[0] from failed

    async def _one(
        self, client: ChatClient, served: str, question: str, how: tuple[int, int | None, float]
    ) -> Reply:
        max_tokens, seed, temperature = how
        try:
            if served == self.base:
                prompt = f"Question: {question}\nAnswer:"
                return await client.complete(prompt, temperature, max_tokens, "\n", seed)
            messages = [{"role": "user", "content": question}]
            return await client.ask(messages, temperature, max_tokens, seed)
        except RequestRefused:
            return REFUSED

    def _path(self, served: str) -> Path:
        return self.folder / f"{served.replace('/', '_')}.jsonl"

    def _of(self, served: str) -> dict[str, Reply]:
        """Return what is kept of a version; a line that a killed run left half-written counts as not asked."""
        if served not in self._kept:
            path = self._path(served)
            self._kept[served] = _read_all(path) if path.exists() else {}
        return self._kept[served]


def _read_all(path: Path) -> dict[str, Reply]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return dict(filter(None, map(_read, lines)))


def _read(line: str) -> tuple[str, Reply] | None:
    try:
        value: dict[str, Any] = json.loads(line)
        return str(value.pop("key")), Reply(**value)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
