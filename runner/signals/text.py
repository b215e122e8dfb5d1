"""What people and models wrote, as detectors read it: the words of a message, in one spelling.

Every detector of meaning goes through here, so that two of them never disagree about what was said. Pure.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_SPACES = re.compile(r"\s+")


def spoken(messages: Any, role: str | None = None) -> str:
    """Return the text of the last message of a role (any where None) of a JSON list of messages, "" if none.

    `messages` is the JSON text of a content event or the list itself; whatever has another form has no text.
    """
    if isinstance(messages, str):
        try:
            messages = json.loads(messages)
        except ValueError:
            return ""
    if not isinstance(messages, list):
        return ""
    for message in reversed(messages):
        if isinstance(message, dict) and (role is None or message.get("role") == role):
            return _text(message.get("content"))
    return ""


def _text(content: Any) -> str:
    """Return what a message says: text, or the text parts of a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part if isinstance(part, str) else _part(part) for part in content)
        return " ".join(part for part in parts if part)
    return ""


def _part(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def plain(text: str) -> str:
    """Return a text in one spelling: compatible forms, small letters, straight apostrophes, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("‘", "'")
    return _SPACES.sub(" ", folded)
