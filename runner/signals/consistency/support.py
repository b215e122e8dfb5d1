"""How far the sentences of an answer are borne out by other answers of the same model to the same question.

A model that knows repeats itself; one that makes things up names another year and another place each time (Manakul et
al., SelfCheckGPT, EMNLP 2023). Four parts, each from 0 (borne out) to 1, are averaged with equal weights, so that
nothing is fitted to labels:

- `claims`: nats of surprise at the numbers, names and other words, by the share of samples that hold each. They are
  summed, for a sentence is wrong where any claim is; other words count for less than numbers and names.
- `uncovered`: what the nearest sentence of a sample leaves out, rare words counting for more; mean over the samples.
- `passage`: the mean of `uncovered` over the answer. One who makes up a sentence made up its neighbours too.
- `dispute`: how unlike each other the samples are.

Called by the sampler and by benchmarks. Pure: what is read is all in the arguments.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.signals.consistency.agreement import Similarity, agreement, lexical
from runner.signals.consistency.words import Sort, Word, sentences, words

WEIGHTS: Mapping[Sort, float] = {Sort.NUMBER: 1.0, Sort.NAME: 1.0, Sort.CONTENT: 0.1, Sort.FUNCTION: 0.0}
SURPRISE = 16.0
"""Nats at which `claims` has come to 1 - 1/e; about five names that none of twenty samples holds."""
SMOOTHING = 0.5
"""Added to the count of samples that hold a word, and to their number."""

Keys = frozenset[str]


@dataclass(frozen=True, slots=True)
class SentenceSupport:
    """One sentence and the parts of its inconsistency, each from 0 to 1; `missing` are claims that no sample holds."""

    text: str
    claims: float
    uncovered: float
    passage: float
    dispute: float
    missing: tuple[str, ...]

    @property
    def inconsistency(self) -> float:
        """From 0, said alike by every sample, to 1."""
        return (self.claims + self.uncovered + self.passage + self.dispute) / 4


@dataclass(frozen=True, slots=True)
class Examination:
    """An answer beside its samples: its sentences, and how alike the samples are to each other (`consistency`)."""

    sentences: tuple[SentenceSupport, ...]
    consistency: float

    @property
    def inconsistency(self) -> float:
        """The mean over the sentences; for an answer without any, how unlike the samples are."""
        if not self.sentences:
            return 1.0 - self.consistency
        return sum(each.inconsistency for each in self.sentences) / len(self.sentences)


@dataclass(frozen=True, slots=True)
class _Sample:
    """The keys of one sample: all of them, and sentence by sentence."""

    every: Keys
    each: tuple[Keys, ...]


def examine(
    answer: str | Sequence[str], samples: Sequence[str], similarity: Similarity = lexical
) -> Examination:
    """Compare an answer (a text, or its sentences) with at least two samples. Raises ValueError for fewer.

    `similarity` compares the samples with each other; support by words needs no choice.
    """
    if len(samples) < 2:
        raise ValueError("two samples are the fewest that can agree or not")
    texts = sentences(answer) if isinstance(answer, str) else tuple(answer)
    read = [_sample(sample) for sample in samples]
    names = _names([*texts, *samples])
    held = Counter(key for sample in read for key in sample.every)
    found = [_told(text, names) for text in texts]
    uncovered = [_uncovered({word.key for word in told}, read, held) for told in found]
    passage = sum(uncovered) / len(uncovered) if uncovered else 0.0
    alike = agreement(samples, similarity)
    return Examination(
        tuple(
            SentenceSupport(
                text=text,
                claims=1.0 - math.exp(-_surprise(told, held, len(read)) / SURPRISE),
                uncovered=bare,
                passage=passage,
                dispute=1.0 - alike,
                missing=tuple(
                    dict.fromkeys(w.key for w in told if w.sort in _CLAIMS and not held.get(w.key))
                ),
            )
            for text, told, bare in zip(texts, found, uncovered, strict=True)
        ),
        alike,
    )


_CLAIMS = (Sort.NUMBER, Sort.NAME)


def _sample(text: str) -> _Sample:
    each = tuple(frozenset(word.key for word in words(part)) for part in sentences(text))
    return _Sample(frozenset().union(*each), each)


def _names(texts: Sequence[str]) -> Keys:
    """Return the keys that stand as names inside any sentence: a sentence may begin with one of them."""
    parts = (part for text in texts for part in sentences(text))
    return frozenset(word.key for part in parts for word in words(part) if word.sort is Sort.NAME)


def _told(text: str, names: Keys) -> list[Word]:
    """Return the words of a sentence that tell something, or all where none does."""
    every = [
        Word(word.key, Sort.NAME) if word.sort is Sort.CONTENT and word.key in names else word
        for word in words(text)
    ]
    return [word for word in every if word.sort is not Sort.FUNCTION] or every


def _surprise(told: Sequence[Word], held: Mapping[str, int], samples: int) -> float:
    """Return the nats of surprise at a sentence; 0 where all samples hold all of it."""
    return sum(
        WEIGHTS[word.sort] * math.log((samples + SMOOTHING) / (held.get(word.key, 0) + SMOOTHING))
        for word in told
    )


def _uncovered(keys: set[str], samples: Sequence[_Sample], held: Mapping[str, int]) -> float:
    """Return the share of a sentence that the nearest sentence of a sample lacks, mean over the samples."""
    if not keys:
        return 0.0
    rarity = {key: math.log((len(samples) + 1) / (held.get(key, 0) + SMOOTHING)) + 0.1 for key in keys}
    whole = sum(rarity.values())
    nearest = (
        max((sum(rarity[key] for key in keys & part) for part in sample.each), default=0.0)
        for sample in samples
    )
    return 1.0 - sum(nearest) / (whole * len(samples))
