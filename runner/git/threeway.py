"""Merges two edits of one text by whole lines, as `git merge-file` does, or says that they conflict.

Called by `changes`, which must not run commands. Pure.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple


class _Common(NamedTuple):
    """Lines that all three texts share: where they begin in each, and how many they are."""

    base: int
    ours: int
    theirs: int
    size: int


def merge(base: str, ours: str, theirs: str) -> str | None:
    """Return `ours` with what changed from `base` to `theirs`, or None where both changed the same place.

    Changes of neighbouring lines count as the same place, as they do for Git.
    """
    one, two, three = _lines(base), _lines(ours), _lines(theirs)
    merged: list[str] = []
    at = _Common(0, 0, 0, 0)
    for common in _shared(one, two, three):
        old = one[at.base : common.base]
        mine, other = two[at.ours : common.ours], three[at.theirs : common.theirs]
        if mine not in (old, other) and other != old:
            return None
        merged += other if mine == old else mine
        merged += one[common.base : common.base + common.size]
        at = _Common(common.base + common.size, common.ours + common.size, common.theirs + common.size, 0)
    return "".join(merged)


def _shared(base: list[str], ours: list[str], theirs: list[str]) -> list[_Common]:
    """Return the runs of lines that all have, in order; the last is empty and stands at the ends."""
    mine = SequenceMatcher(None, base, ours, autojunk=False).get_matching_blocks()
    other = SequenceMatcher(None, base, theirs, autojunk=False).get_matching_blocks()
    found, i, j = [], 0, 0
    while i < len(mine) and j < len(other):
        a, b = mine[i], other[j]
        start, end = max(a.a, b.a), min(a.a + a.size, b.a + b.size)
        if start < end:
            found.append(_Common(start, a.b + start - a.a, b.b + start - b.a, end - start))
        if a.a + a.size < b.a + b.size:
            i += 1
        else:
            j += 1
    return [*found, _Common(len(base), len(ours), len(theirs), 0)]


def _lines(text: str) -> list[str]:
    """Split after line feeds only; nothing else ends a line in these files."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
