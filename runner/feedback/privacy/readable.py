"""Texts without what people cannot see and terminals, editors and models obey: control characters, reordering.

Called by `scrubbing` for every text that goes into a data set, and by `loop mask` for what it prints. The time is
linear in the text. Pure; no I/O.
"""

from __future__ import annotations

import re
from itertools import accumulate

from runner.events.folding import Folded

_LINE_END = "\r\n?|[\v\f\x85\u2028\u2029]"
_UNREADABLE = re.compile(
    # a terminal's sequences whole: without ESC the rest of one would be left as words
    rf"{_LINE_END}|\x1b\[[0-?]{{0,64}}[ -/]{{0,8}}[@-~]|[\0-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
"""Control characters but newline and tab, and those that make text run the other way; marks of a direction stay."""
_ENDS_A_LINE = re.compile(_LINE_END)


def readable(text: str) -> Folded:
    """Return a text with every line's end as newline, without other control characters; `origin` leads back."""
    if not _UNREADABLE.search(text):
        return Folded(text)
    sizes = [1] * len(text)
    for match in _UNREADABLE.finditer(text):
        sizes[match.start() : match.end()] = [0] * len(match[0])
        sizes[match.end() - 1] = len(_instead(match))
    return Folded(_UNREADABLE.sub(_instead, text), list(accumulate(sizes)))


def _instead(match: re.Match[str]) -> str:
    return "\n" if _ENDS_A_LINE.fullmatch(match[0]) else ""
