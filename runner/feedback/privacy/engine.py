"""All recognisers over one text, by Presidio's engine; names and places are the tagger's.

Called by `scrubbing`. A text is searched in pieces of bounded size, so that the time is linear in its length whatever
is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.feedback.privacy import (
    addresses,
    contacts,
    dates,
    introductions,
    korea,
    national,
    payments,
    presidio,
)
from runner.feedback.privacy.found import Finder, Found
from runner.spec.privacy import Entity

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

FINDERS: tuple[Finder, ...] = (
    *contacts.FINDERS,
    *payments.FINDERS,
    *national.FINDERS,
    *dates.FINDERS,
    *addresses.FINDERS,
    *korea.FINDERS,
    *introductions.FINDERS,
)
PIECE = 4096
"""Characters that are searched at once."""
OVERLAP = 256
"""Characters that two pieces share: nothing shorter is lost between them."""
_SPACE = re.compile(r"\s")


def structured(text: str, entities: frozenset[Entity]) -> Iterator[Found]:
    """Yield what the recognisers find in a folded text, overlaps and all, in no order."""
    if not any(finder.possible(text) for finder in _finders(entities)):
        return
    engine = _engine(entities)
    for start, end in pieces(text):
        for result in engine.analyze(text[start:end], presidio.LANGUAGE):
            if (entity := Entity(result.entity_type)) in entities:
                yield Found(start + result.start, start + result.end, entity, result.score)


@lru_cache(maxsize=16)
def _finders(entities: frozenset[Entity]) -> tuple[Finder, ...]:
    return tuple(finder for finder in FINDERS if finder.entities & entities)


@lru_cache(maxsize=16)
def _engine(entities: frozenset[Entity]) -> AnalyzerEngine:
    return presidio.engine(_finders(entities))


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the pieces of a text lie; they end at a space where there is one, and share `OVERLAP` characters."""
    start = 0
    while len(text) - start > PIECE:
        end = start + PIECE
        for space in _SPACE.finditer(text, start + PIECE - OVERLAP // 2, end):
            end = space.start()
        yield start, end
        start = end - OVERLAP
    yield start, len(text)
