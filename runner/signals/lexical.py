"""The light embedder: what a text is spelled like, with no model, in any language, the same on every machine.

The default behind every detector that compares meaning. A word counts by itself and by its runs of characters, so
that typos, endings and particles (Korean writes them onto the noun) still leave most of a word in common. Feature
hashing with signs (Weinberger et al. 2009) makes rows of one length whose inner product estimates the cosine of
the full counts, without bias. Pure; checksums, not Python's `hash`, which changes with every process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from runner.signals.embedder import Vectors
from runner.signals.text import plain

RUNS: Final = (2, 3, 4)
"""Lengths of the runs of characters taken from a word with its two ends marked."""

_VERSION: Final = 1
"""Raised whenever the same text would give another vector."""

_MARKS: Final = "\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f"
"""Accents and scripts whose vowels are marks, which a regular expression does not take for letters."""

_WORD: Final = re.compile(rf"[\w{_MARKS}]+(?:'[\w{_MARKS}]+)*")

_BATCH: Final = 2048
"""Texts whose features are in memory at one time."""

_KNOWN_WORDS: Final = 1 << 16
_LONGEST_KNOWN: Final = 64

Features = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Lexical:
    """Words and runs of characters, counted sublinearly and hashed into `size` signed sums."""

    size: int = 1024

    @property
    def digest(self) -> str:
        """The rule and its size: the vectors depend on nothing else."""
        return f"lexical-{_VERSION}-{self.size}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return rows of length one, shape (texts, size); zero where a text has no letter and no digit."""
        rows = np.zeros((len(texts), self.size), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            rows[start : start + len(batch)] = self._embedded(batch)
        return rows

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        found = [_features(text) for text in texts]
        row = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(features) for features in found])
        keys = (row << np.uint64(32)) | np.concatenate([*found, np.empty(0, dtype=np.uint32)])
        keys, counts = np.unique(keys, return_counts=True)
        checksum = keys & np.uint64(0xFFFFFFFF)
        sign = np.where(checksum >> np.uint64(31), -1.0, 1.0)
        place = (keys >> np.uint64(32)) * np.uint64(self.size) + checksum % np.uint64(self.size)
        weights = sign * (1.0 + np.log(counts))
        sums = np.bincount(place.astype(np.int64), weights, minlength=len(texts) * self.size)
        rows = sums.astype(np.float64).reshape(
            len(texts), self.size
        )  # without features the sums are integers
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: Vectors = (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
        return unit


def _features(text: str) -> Features:
    """Return the checksums of all features of a text, repeated as often as they occur."""
    words = [_known(word) if len(word) <= _LONGEST_KNOWN else _of_word(word) for word in _words(text)]
    return np.concatenate(words) if words else np.empty(0, dtype=np.uint32)


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(plain(text)) if any(map(str.isalnum, word))]


@lru_cache(maxsize=_KNOWN_WORDS)
def _known(word: str) -> Features:
    return _of_word(word)


def _of_word(word: str) -> Features:
    """Return the checksums of a word and of its runs; the tag in front keeps the two kinds apart."""
    marked = f" {word} "
    runs = [marked[at : at + n] for n in RUNS for at in range(len(marked) - n + 1)]
    tagged = [f"w{word}", *(f"r{run}" for run in runs)]
    return np.fromiter(
        (crc32(feature.encode("utf-8", "surrogatepass")) for feature in tagged), np.uint32, len(tagged)
    )
