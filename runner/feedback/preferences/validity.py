"""Whether a text is an answer: not empty, no error's text, not broken off or garbled; and how many sentences it has.

Rules on the text alone, made to let a real answer pass in doubt: what was broken off for certain says so in the pair
itself, by the engine's own word. Pure.
"""

from __future__ import annotations

import re

_ERROR = re.compile(
    r"""\s*(?:
        \{\s*"(?:error|detail)"\s*: |
        (?:error|http)?[ :]*(?:400|401|403|404|408|413|422|429|500|502|503|504)\b[ :-]*
            (?:bad|unauthorized|forbidden|not\ found|request|payload|too\ many|internal|service|gateway) |
        internal\ server\ error | bad\ gateway | service\ unavailable | gateway\ time-?out |
        upstream\ (?:connect|request)\ |
        traceback\ \(most\ recent\ call\ last\) |
        (?:\w+\.)*\w+(?:error|exception):\ |
        connection\ (?:refused|reset|timed\ out)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_LONGEST_ERROR = 2_000
_OPEN_END = re.compile(r"[,(\[{<–—/&+=]$|\N{REPLACEMENT CHARACTER}$")
_UNFINISHED = re.compile(
    r"(?:^|\s)(?:a|an|the|of|and|or|to|in|for|with|is|are|was|be|by|from|that|which|because|but)$",
    re.IGNORECASE,
)
_GARBLED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\N{REPLACEMENT CHARACTER}]")
_END = re.compile(r"[.!?。！？…]+[\"'”’)\]]*(?=\s|$)|\n+")


def is_error(text: str) -> bool:
    """Return whether a text is what a server or a program says when it failed."""
    return len(text) <= _LONGEST_ERROR and _ERROR.match(text) is not None


def is_cut_off(text: str) -> bool:
    """Return whether a text visibly broke off: within brackets, code, or before a word that had to follow.

    A missing full stop alone says nothing: short answers often lack it.
    """
    ending = text.rstrip()
    if text.count("```") % 2:
        return True
    return bool(_OPEN_END.search(ending) or _UNFINISHED.search(ending))


def is_garbled(text: str) -> bool:
    """Return whether a text holds half a character, as a token may leave it, or a control character."""
    return _GARBLED.search(text) is not None


def sentences(text: str) -> int:
    """Return how many sentences a text has; a line of its own counts as one, a decimal point ends none."""
    return sum(1 for part in _END.split(text) if part.strip())
