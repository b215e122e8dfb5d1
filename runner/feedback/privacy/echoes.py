"""Names that were found in one text of a conversation, wherever else they stand in it.

Called by `scrubbing`. A tagger knows a name by what stands around it and may miss it where it stands alone; whoever has
said it once is to be masked everywhere. The time is linear in the texts. Pure; no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from runner.feedback.privacy.found import Found
from runner.feedback.privacy.resolution import resolved
from runner.feedback.privacy.standing import around, placed
from runner.spec.privacy import Entity

_ECHOED = frozenset({Entity.NAME, Entity.ADDRESS})
_WORD = re.compile(r"[^\W\d_][\w'-]*|[0-9]+")
_HANGUL = re.compile("[가-힣]")
_LEAST = 3
"""Letters of a name that is looked for again: shorter ones are parts of too many words."""

_Index = Mapping[str, Sequence[tuple[str, Entity]]]


def echoes(texts: Sequence[str], found: Sequence[Sequence[Found]]) -> list[list[Found]]:
    """Return what was found in each text, and with it what was found in another one and stands here too."""
    index = _index(texts, found)
    if not index:
        return [list(row) for row in found]
    return [resolved(text, (*row, *_elsewhere(text, index))) for text, row in zip(texts, found, strict=True)]


def _index(texts: Sequence[str], found: Sequence[Sequence[Found]]) -> _Index:
    """Return the values that are looked for again, by their first word."""
    index: dict[str, dict[tuple[str, Entity], None]] = {}
    for text, row in zip(texts, found, strict=True):
        for each in row:
            value = text[each.start : each.end]
            if each.entity in _ECHOED and len(value) >= _LEAST and (first := _WORD.match(value)):
                index.setdefault(first[0], {})[value, each.entity] = None
    return {first: tuple(values) for first, values in index.items()}


def _elsewhere(text: str, index: _Index) -> Iterator[Found]:
    return around(text, _again(text, index), placed(text))


def _again(text: str, index: _Index) -> Iterator[Found]:
    for word in _WORD.finditer(text):
        for first in _beginnings(word[0]):
            for value, entity in index.get(first, ()):
                end = word.start() + len(value)
                if text.startswith(value, word.start()) and not _goes_on(text, end):
                    yield Found(word.start(), end, entity, 0.5)


def _beginnings(word: str) -> Iterator[str]:
    """Yield what a word may begin with: itself, and a name that a Korean particle follows."""
    yield word
    if _HANGUL.match(word):
        yield from (word[:size] for size in range(2, min(len(word), 5)))


def _goes_on(text: str, end: int) -> bool:
    """Return whether the word goes on behind a value; a particle in Hangul does not count."""
    return text[end : end + 1].isalnum() and not (_HANGUL.match(text, end) and _HANGUL.match(text, end - 1))
