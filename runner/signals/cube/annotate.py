"""What detectors say of each answer, worked out once when its words arrive.

`passes` calls it with batches of new contents. Detectors are plain callables put into an `Annotator` by whoever knows
the policy; one that is missing leaves its column null. The same words in one batch are scored once. Pure.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runner.signals import language
from runner.signals.cube.rows import ANNOTATIONS, PAIR_BUCKETS, PAIRS_KEPT
from runner.signals.text import plain, spoken

_WORD = re.compile(r"\w+")

Scores = NDArray[np.float64]


class Refusals(Protocol):
    """Says how probably each answer refuses its question, wholly or in part."""

    def __call__(self, questions: Sequence[str], answers: Sequence[str]) -> Scores:
        """Return probabilities, shape (texts,)."""


class Answerable(Protocol):
    """Says whether each question is one that should be answered."""

    def __call__(self, questions: Sequence[str]) -> Sequence[bool | None]:
        """Return one for each, None where it cannot be said."""


class Topics(Protocol):
    """Says what each question is about."""

    def __call__(self, questions: Sequence[str]) -> tuple[Sequence[int], Sequence[int]]:
        """Return the numbers of topics and of fine topics, one of each for each question."""


class Novelty(Protocol):
    """Says how unlike anything in the reference each question is."""

    def __call__(self, questions: Sequence[str]) -> Scores:
        """Return scores, shape (texts,)."""


class Likeness(Protocol):
    """Says how alike two questions are."""

    def __call__(self, first: Sequence[str], second: Sequence[str]) -> Scores:
        """Return likenesses from 0 to 1, shape (texts,)."""


@dataclass(frozen=True, slots=True)
class Annotator:
    """The detectors of text, and `digest`: what everything but `likeness` depends on, thresholds and models.

    `likeness_digest` is the same of `likeness`, whose threshold is no part of it.
    """

    digest: str
    refusal: Refusals | None = None
    refusal_threshold: float = 0.5
    answerable: Answerable | None = None
    topics: Topics | None = None
    novelty: Novelty | None = None
    likeness: Likeness | None = None
    likeness_digest: str = ""
    language: Callable[[str], str] = language.language


def annotate(batch: pa.Table, annotator: Annotator) -> pa.Table:
    """Return a row of `rows.ANNOTATIONS` for each content of a batch.

    The batch has the columns event_id, time_us, asked and said (JSON messages), arm, version, segment and sound.
    """
    which, asked, said = _distinct(batch["asked"], batch["said"])
    questions = [spoken(messages, "user") for messages in asked]
    answers = [spoken(messages) for messages in said]
    scored = {**_judged(questions, answers, annotator), **_described(questions, answers, annotator)}
    rows = pa.array(which, pa.int64())
    arrays = [
        scored[field.name].take(rows) if field.name in scored else batch[field.name].combine_chunks()
        for field in ANNOTATIONS
    ]
    return pa.Table.from_arrays(arrays, schema=ANNOTATIONS)


def alike(first: Sequence[str], second: Sequence[str], likeness: Likeness) -> Scores:
    """Return how alike questions are, given as JSON messages; the same two are compared once."""
    which, one, other = _distinct(pa.array(first, pa.string()), pa.array(second, pa.string()))
    if not one:
        return np.zeros(0)
    scores = likeness([spoken(each, "user") for each in one], [spoken(each, "user") for each in other])
    return np.asarray(scores, dtype=np.float64)[which]


def word_pairs(text: str) -> list[int]:
    """Return the buckets of a text's neighbouring words, at most `PAIRS_KEPT`, spread evenly over it."""
    pairs = list(pairwise(_WORD.findall(plain(text))))
    if len(pairs) > PAIRS_KEPT:
        pairs = [pairs[at * len(pairs) // PAIRS_KEPT] for at in range(PAIRS_KEPT)]
    return [zlib.crc32(f"{a} {b}".encode("utf-8", "surrogatepass")) % PAIR_BUCKETS for a, b in pairs]


def _distinct(first: pa.ChunkedArray, second: pa.ChunkedArray) -> tuple[list[int], list[str], list[str]]:
    """Return for each pair of texts which of the distinct ones it is, and these."""
    found: dict[tuple[str, str], int] = {}
    both = zip(first.to_pylist(), second.to_pylist(), strict=True)
    which = [found.setdefault(pair, len(found)) for pair in both]
    return which, [one for one, _ in found], [other for _, other in found]


def _judged(questions: list[str], answers: list[str], annotator: Annotator) -> dict[str, pa.Array]:
    """Return the columns for which a detector is asked."""
    none = [None] * len(questions)
    refusal: Any = none
    refused: Any = none
    if annotator.refusal is not None:
        refusal = np.asarray(annotator.refusal(questions, answers), dtype=np.float64)
        refused = refusal >= annotator.refusal_threshold
    topics, fine = annotator.topics(questions) if annotator.topics else (none, none)
    columns = {
        "refusal": refusal,
        "refused": refused,
        "answerable": annotator.answerable(questions) if annotator.answerable else none,
        "topic": topics,
        "fine_topic": fine,
        "novelty": annotator.novelty(questions) if annotator.novelty else none,
    }
    return {name: pa.array(values, ANNOTATIONS.field(name).type) for name, values in columns.items()}


def _described(questions: list[str], answers: list[str], annotator: Annotator) -> dict[str, pa.Array]:
    """Return the columns that need no detector."""
    columns = {
        "language": [annotator.language(text) for text in questions],
        "answer_language": [annotator.language(text) for text in answers],
        "answer_chars": [len(text) for text in answers],
        "pairs": [word_pairs(text) for text in answers],
    }
    return {name: pa.array(values, ANNOTATIONS.field(name).type) for name, values in columns.items()}
