"""What everybody may know: names, places and dates that stand in the reference texts, the shop's own.

Without it a shop that sells books would lose the authors from its training data. Called by `scrubbing` for every name,
place, address, date, number and link that was found. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Public = Callable[[str], bool]
"""Says of a found value whether it belongs to nobody in particular."""

_WORD = re.compile(r"\w+")
_HANGUL = re.compile("[가-힣]")
_MOST_WORDS = 12
"""Words of the longest value that is looked up."""


def nothing(value: str) -> bool:  # noqa: ARG001 - the port's shape
    """Say that no value is public."""
    return False


def of_texts(texts: Iterable[str]) -> Public:
    """Return a judge that takes for public what stands in one of the texts, word by word, in any case.

    Of a last word in Hangul the beginning is enough, for a particle may follow it. Texts with personal data in them,
    such as example questions with invented customers, must not be among them.
    """
    known = frozenset(run for text in texts for run in _runs(_words(text)))

    def public(value: str) -> bool:
        words = _words(value)
        if words and words[-1] == "s":  # a possessive's
            words = words[:-1]
        return 0 < len(words) <= _MOST_WORDS and " ".join(words) in known

    return public


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _runs(words: list[str]) -> Iterable[str]:
    """Yield every run of words up to the longest that is looked up."""
    for first in range(len(words)):
        run = ""
        for word in words[first : first + _MOST_WORDS]:
            if _HANGUL.match(word):
                yield from (f"{run}{word[:size]}" for size in range(2, len(word)))
            run += word
            yield run
            run += " "
