"""Of everything that was found, what is masked: no overlaps, and the parts of one address or name together.

Called by `scrubbing`. Pure; no I/O.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator

from runner.feedback.privacy.found import SHAPE, Found
from runner.spec.privacy import Entity

_SOFT = frozenset({Entity.NAME, Entity.PLACE, Entity.ADDRESS})
"""What is recognised by its surroundings rather than its form; it gives way to what has a form, and may be cut."""
_BETWEEN = {
    Entity.ADDRESS: re.compile(r"[\s,.;>-]{1,6}"),
    Entity.NAME: re.compile(r" {1,2}"),
}
"""What may stand between two parts of one."""
_EDGE = " \t\n\r,.;:!?'\"()[]<>-–·"
_TOO_LITTLE = re.compile(r"\W*\w?\W*")


def resolved(text: str, found: Iterable[Found]) -> list[Found]:
    """Return what is masked of a text, from left to right, without overlaps.

    Of two that overlap the one with a form of its own wins, then the longer, then the more certain. What is left of
    a name, place or address beside the winner is masked as well: otherwise a telephone number would uncover the
    street that it stands behind.
    """
    taken: list[Found] = []
    for each in sorted(found, key=_rank):
        for piece in tuple(_free(each, taken)):
            kept = piece if piece is each else plausible(text, piece) if each.entity in _SOFT else None
            if kept:
                insort(taken, kept)
    return list(_merged(text, taken))


def _rank(found: Found) -> tuple[bool, int, float, Found]:
    guessed = found.entity in _SOFT or found.score <= SHAPE
    return guessed, found.start - found.end, -found.score, found


def _free(found: Found, taken: list[Found]) -> Iterator[Found]:
    """Yield the parts of a place that nothing else has taken, the place itself where all of it is free."""
    start = found.start
    first = max(0, bisect_right(taken, start, key=lambda one: one.start) - 1)
    cut = False
    for index in range(first, len(taken)):
        other = taken[index]
        if other.start >= found.end:
            break
        if other.end <= start:
            continue
        cut = True
        if other.start > start:
            yield Found(start, other.start, found.entity, found.score)
        start = other.end
    if not cut:
        yield found
    elif start < found.end:
        yield Found(start, found.end, found.entity, found.score)


def plausible(text: str, found: Found) -> Found | None:
    """Return a piece that was cut off without the spaces and signs at its edges, None where it says too little."""
    if _TOO_LITTLE.fullmatch(text, found.start, found.end):
        return None
    written = text[found.start : found.end]
    start = found.start + len(written) - len(written.lstrip(_EDGE))
    end = found.end - (len(written) - len(written.rstrip(_EDGE)))
    return Found(start, end, found.entity, found.score)


def _merged(text: str, found: Iterable[Found]) -> Iterator[Found]:
    """Yield the same, with neighbours of one kind as one where only what may stand between two parts does."""
    last: Found | None = None
    for each in found:
        between = _BETWEEN.get(each.entity)
        if last and between and last.entity is each.entity and between.fullmatch(text, last.end, each.start):
            last = Found(last.start, each.end, each.entity, max(last.score, each.score))
            continue
        if last:
            yield last
        last = each
    if last:
        yield last
