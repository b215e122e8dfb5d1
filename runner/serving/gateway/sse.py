"""Server-sent events: bytes in, events out, and what the gateway changes in each chunk of an answer.

Pure: no I/O. The relay reads events of the engine with it and writes events to the user.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

DONE = b"[DONE]"


class Events:
    """Splits a byte stream into the data of its events; an event may arrive in pieces, or several at once."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that are now complete."""
        text = self._rest + data
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        *blocks, self._rest = text.split(b"\n\n")
        return [found for block in blocks if (found := _data(block))]


def _data(block: bytes) -> bytes:
    if block.startswith(b"data:") and b"\n" not in block:
        return block[5:].strip()
    lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def event(data: bytes) -> bytes:
    """Return the bytes of one event."""
    return b"data: " + data + b"\n\n"


@dataclass(slots=True)
class ChunkReader:
    """Follows the chunks of one answer: renames the model, keeps the usage, and sees the end coming.

    `finished` is true from the chunk on in which the last of `choices` gave its reason to finish: from there
    on the relay holds chunks back until the event is written, so that nobody holds an answer that the log
    lacks.
    """

    shown_model: str
    wants_usage: bool
    choices: int
    response_id: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    texts: dict[int, list[str]] = field(default_factory=dict)
    error: str | None = None
    _finished: int = 0

    @property
    def finished(self) -> bool:
        """Whether all choices have ended."""
        return self._finished >= self.choices

    def read(self, data: bytes) -> bytes | None:
        """Return the event as the user sees it, or None where the user is not to see it."""
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            self.error = "the engine sent a chunk that is not JSON"
            return None
        if not isinstance(chunk, dict) or "error" in chunk:
            self.error = f"the engine ended the stream with an error: {data[:200].decode('utf-8', 'replace')}"
            return None
        if "model" in chunk:
            chunk["model"] = self.shown_model
        self.response_id = self.response_id or chunk.get("id")
        choices = chunk.get("choices") or ()
        for choice in choices:
            if isinstance(choice, dict):
                self._follow(choice)
        usage = chunk.get("usage")
        if usage:
            self.usage = usage
            if not choices and not self.wants_usage:
                return None
        return event(orjson.dumps(chunk))

    def _follow(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        text = delta.get("content") if isinstance(delta, dict) else choice.get("text")
        if isinstance(text, str) and text:
            self.texts.setdefault(choice.get("index", 0), []).append(text)
        if choice.get("finish_reason"):
            self.finish_reason = choice["finish_reason"]
            self._finished += 1
