"""Server-sent events: bytes in, events out, and what the gateway changes in each chunk of an answer.

Pure: no I/O. The relay reads events of the engine with it and writes events to the user.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

DONE = b"[DONE]"
INT64 = 2**63
USAGE = ("prompt_tokens", "completion_tokens")
TEXTS = frozenset({"content", "refusal", "reasoning", "reasoning_content"})
"""What a model says as text; other names are kept as well where their values are text."""


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


class Garbled(ValueError):
    """The engine sent something that is no answer."""


def logged_usage(usage: Any) -> dict[str, int]:
    """Return the token counts that are logged. Raises Garbled where they cannot be counts."""
    if usage is None:
        return {}
    if not isinstance(usage, dict):
        raise Garbled("'usage' is not an object")
    found = {name: usage[name] for name in USAGE if usage.get(name) is not None}
    for name, count in found.items():
        if type(count) is not int or not 0 <= count < INT64:
            raise Garbled(f"'{name}' is not a count")
    return found


class Said:
    """What one choice of a stream has said so far: texts by their name, and calls of tools."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._tools: dict[int, dict[str, Any]] = {}

    def add(self, delta: dict[str, Any]) -> None:
        """Take the next piece. Raises Garbled."""
        for name, value in delta.items():
            if type(value) is str:
                if value and name != "role":
                    self._texts.setdefault(name, []).append(value)
            elif name == "tool_calls" and value is not None:
                self._add_tools(value)
            elif name in TEXTS and value is not None:
                raise Garbled(f"'{name}' is not text")

    def message(self) -> dict[str, Any]:
        """Return what was said as a message, in the shape of an answer that is not streamed."""
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items()}
        if self._tools:
            message["tool_calls"] = [
                {**call, "function": {name: "".join(pieces) for name, pieces in call["function"].items()}}
                for _, call in sorted(self._tools.items())
            ]
        return message

    def _add_tools(self, calls: Any) -> None:
        if not isinstance(calls, list):
            raise Garbled("'tool_calls' is not a list")
        for call in calls:
            place = call.get("index", 0) if isinstance(call, dict) else None
            if type(place) is not int:
                raise Garbled("a tool call has no index")
            known = self._tools.setdefault(place, {"type": "function", "function": {}})
            if isinstance(call.get("id"), str):
                known["id"] = call["id"]
            function = call.get("function")
            for name, value in function.items() if isinstance(function, dict) else ():
                if isinstance(value, str):
                    known["function"].setdefault(name, []).append(value)


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
    usage: dict[str, int] = field(default_factory=dict)
    error: str | None = None
    finished: bool = False
    """Whether all choices have ended."""
    _said: dict[int, Said] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was said, by choice."""
        return [said.message() for _, said in sorted(self._said.items())]

    def read(self, data: bytes) -> bytes | None:
        """Return the event as the user sees it, or None where the user is not to see it."""
        try:
            return self._read(orjson.loads(data))
        except Garbled as garbled:
            self.error = f"the engine sent a chunk that is none: {garbled}"
        except orjson.JSONDecodeError:
            self.error = "the engine sent a chunk that is not JSON"
        except orjson.JSONEncodeError as error:
            self.error = f"the engine sent a chunk that cannot be passed on: {error}"
        return None

    def _read(self, chunk: Any) -> bytes | None:
        if not isinstance(chunk, dict):
            raise Garbled("it is not an object")
        if chunk.get("error") is not None:
            self.error = f"the engine ended the stream with an error: {str(chunk['error'])[:200]}"
            return None
        if "model" in chunk:
            chunk["model"] = self.shown_model
        self.response_id = self.response_id or chunk.get("id")
        choices = chunk.get("choices", ())
        if not isinstance(choices, list | tuple):
            raise Garbled("'choices' is not a list")
        for choice in choices:
            self._follow(choice)
        if chunk.get("usage") is not None:
            self.usage = logged_usage(chunk["usage"])
            if not choices and not self.wants_usage:
                return None
        return event(orjson.dumps(chunk))

    def _follow(self, choice: Any) -> None:
        place = choice.get("index", 0) if isinstance(choice, dict) else None
        if type(place) is not int or not 0 <= place < self.choices:
            raise Garbled("a choice is none that was asked for")
        delta = choice.get("delta")
        if delta is None:
            delta = {"content": choice.get("text")}
        elif not isinstance(delta, dict):
            raise Garbled("'delta' is not an object")
        said = self._said.get(place)
        if said is None:
            said = self._said[place] = Said()
        said.add(delta)
        reason = choice.get("finish_reason")
        if reason is not None:
            if not isinstance(reason, str):
                raise Garbled("'finish_reason' is not text")
            self.finish_reason = reason
            self._ended.add(place)
            self.finished = len(self._ended) == self.choices
