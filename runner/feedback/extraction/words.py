"""The messages of a content event as a conversation: who said what, and how it was answered.

Whatever has another form has no words, and the answer is left out and counted. Pure.
"""

from __future__ import annotations

import json
from typing import Any

from runner.feedback.records import Messages
from runner.signals.text import plain, spoken


def conversation(messages: str) -> Messages | None:
    """Return a prompt's messages with their text, the question last; None where it is no such conversation.

    Messages without text (calls of tools) are left out; one that ends in anything but a question is none.
    """
    try:
        found = json.loads(messages)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(map(_is_message, found)):
        return None
    said = tuple({"role": whole(each["role"]), "content": whole(spoken([each]))} for each in found)
    kept = tuple(each for each in said if each["content"].strip())
    return kept if kept and kept[-1]["role"] == "user" else None


def opening(messages: str) -> str:
    """Return the first thing that the user said in a prompt, whatever else is in it; "" where there is none."""
    try:
        found = json.loads(messages)
    except (ValueError, RecursionError):
        return ""
    there = found if isinstance(found, list) else []
    said = (whole(spoken([each])) for each in there if _is_message(each) and each["role"] == "user")
    return next((text for text in said if text.strip()), "")


def reply(messages: str) -> str:
    """Return what was answered, "" where it has no text."""
    try:
        return whole(spoken(messages)).strip()
    except RecursionError:
        return ""


def asked(messages: str) -> str:
    """Return the last thing that the user said in a prompt, "" where there is none."""
    try:
        return whole(spoken(messages, "user"))
    except RecursionError:
        return ""


def whole(text: str) -> str:
    """Return a text that can be written: half a surrogate pair, which JSON may hold, becomes a mark."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def folded(text: str) -> str:
    """Return a text as it counts for being the same as another."""
    return plain(text).strip()


def _is_message(value: Any) -> bool:
    """Return whether a value is a message; a role is a word, and one with control characters is nobody's."""
    return isinstance(value, dict) and isinstance(value.get("role"), str) and value["role"].isprintable()
