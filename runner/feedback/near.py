"""Which texts are nearly the same as one before: near-linear in their number, and the same on every machine.

`extraction` keeps one of records that are alike, and whoever compares questions with questions may use it. Alike are
texts that share their runs of three characters (Jaccard), so that case, punctuation and spacing make no difference.
Candidates are found by MinHash signatures in bands (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive
Datasets, chapter 3): 99 in 100 of the texts that are as alike as the threshold are found, and whether they are is
decided by their exact likeness. An item may have several parts (question, answer), and all of them have to be alike: a
canned answer does not make two questions one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.signals.text import plain

RUN: Final = 3
"""Characters of a run."""
HASHES: Final = 96
"""Hashes of an item's signature, shared among its parts."""
COMPARED: Final = 256
"""Most items of one band that a new one is compared with, the latest: texts made from one template share bands."""
_WIDTHS: Final = (8, 6, 4, 2)
_MISSED: Final = 0.002
_BLOCK: Final = 1 << 20  # characters that are hashed at one time
_EMPTY: Final = np.uint32(0xFFFFFFFF)
_BREAKS: Final = re.compile(r"[\W_]+")

Words = NDArray[np.uint32]


def leaders(items: Sequence[Sequence[str]], threshold: float) -> list[int]:
    """Return for each item the place of the first kept one that it is like in every part, its own where it is kept.

    Earlier items are kept rather than later ones: sort by what is worth more. All items have equally many parts.
    """
    if not items:
        return []
    parts = len(items[0])
    width = _width(threshold, parts)
    columns = [[item[part] for item in items] for part in range(parts)]
    signatures = [_signatures(column, HASHES // parts, seed) for seed, column in enumerate(columns)]
    bands = _bands(signatures, max(1, width // parts))
    found = list(range(len(items)))
    kept: dict[bytes, list[int]] = {}
    for place, keys in enumerate(bands):
        near = sorted({other for key in keys for other in kept.get(key, ())[-COMPARED:]})
        leader = _first_alike(place, near, signatures, columns, threshold) if near else None
        if leader is None:
            for key in keys:
                kept.setdefault(key, []).append(place)
        else:
            found[place] = leader
    return found


def likeness(one: str, other: str) -> float:
    """Return the share of the runs of two texts that both have, from 0 to 1; two texts without letters are alike."""
    return _shared(_set(one), _set(other))


def _set(text: str) -> Words:
    return np.unique(_runs(_spelled(text)))


def _shared(mine: Words, yours: Words) -> float:
    shared = len(np.intersect1d(mine, yours, assume_unique=True))
    union = len(mine) + len(yours) - shared
    return shared / union if union else 1.0


def _width(threshold: float, parts: int) -> int:
    """Return how many hashes make a band: as many as still find texts that are just alike."""
    for width in _WIDTHS:
        missed = (1.0 - threshold**width) ** (HASHES // width)
        if width % parts == 0 and missed <= _MISSED:
            return width
    return parts


def _first_alike(
    place: int,
    near: Sequence[int],
    signatures: Sequence[Words],
    columns: Sequence[Sequence[str]],
    threshold: float,
) -> int | None:
    """Return the first of the candidates that is alike: those whose signatures say so are compared exactly."""
    others = np.array(near)
    likely = np.ones(len(near), dtype=bool)
    for rows in signatures:
        share = (rows[others] == rows[place]).mean(axis=1)
        likely &= share >= threshold - 3.0 * np.sqrt(threshold * (1.0 - threshold) / rows.shape[1])
    if not likely.any():
        return None
    sets = [_set(column[place]) for column in columns]
    for other in others[likely].tolist():
        parts = zip(sets, columns, strict=True)
        if all(
            column[place] == column[other] or _shared(mine, _set(column[other])) >= threshold
            for mine, column in parts
        ):
            return int(other)
    return None


def _bands(signatures: Sequence[Words], rows: int) -> Iterator[list[bytes]]:
    """Return the keys of every item: one for each band, from `rows` hashes of each part."""
    count = signatures[0].shape[1] // rows
    joined = [
        np.concatenate([each[:, band * rows : (band + 1) * rows] for each in signatures], axis=1)
        for band in range(count)
    ]
    marks = [bytes([band]) for band in range(count)]
    for place in range(len(signatures[0])):
        yield [mark + band[place].tobytes() for mark, band in zip(marks, joined, strict=True)]


def _signatures(texts: Sequence[str], size: int, seed: int) -> Words:
    """Return the smallest of each of `size` hashes over the runs of every text, shape (texts, size)."""
    draw = np.random.default_rng(seed)
    factors = draw.integers(0, 2**32, size, dtype=np.uint32) | np.uint32(1)
    shifts = draw.integers(0, 2**32, size, dtype=np.uint32)
    found = np.full((len(texts), size), _EMPTY, dtype=np.uint32)
    for rows, runs in _blocks(texts):
        lengths = np.array([len(each) for each in runs])
        some = np.flatnonzero(lengths)
        if not len(some):
            continue
        flat = np.concatenate(runs)
        starts = np.concatenate([[0], np.cumsum(lengths[some])[:-1]])
        for at, (factor, shift) in enumerate(zip(factors, shifts, strict=True)):
            found[rows.start + some, at] = np.minimum.reduceat(flat * factor + shift, starts)
    return found


def _blocks(texts: Sequence[str]) -> Iterator[tuple[range, list[Words]]]:
    """Return the runs of texts, some at a time, so that few characters are in memory as numbers."""
    begin, runs, held = 0, list[Words](), 0
    for place, text in enumerate(texts):
        runs.append(_runs(_spelled(text)))
        held += len(runs[-1])
        if held >= _BLOCK or place + 1 == len(texts):
            yield range(begin, place + 1), runs
            begin, runs, held = place + 1, [], 0


def _spelled(text: str) -> str:
    words = _BREAKS.sub(" ", plain(text)).strip()
    return f" {words} " if words else ""


def _runs(spelled: str) -> Words:
    """Return a mixed hash of each run of characters of a spelled text, in order."""
    codes = np.frombuffer(spelled.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    if len(codes) < RUN:
        return np.empty(0, dtype=np.uint32)
    mixed = np.zeros(len(codes) - RUN + 1, dtype=np.uint32)
    for at in range(RUN):
        mixed = mixed * np.uint32(0x01000193) + codes[at : at + len(mixed)]
    mixed ^= mixed >> np.uint32(16)  # the finaliser of MurmurHash3
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed
