"""The topics of a reference set: fitted once, kept, and asked for the topic of every new question.

The follower and the annotations call it. Topics are the cells of k-means in the space of the embedder, and one more,
the last, for questions unlike all that the reference holds: without it whatever is new would hide in the nearest
cell. There is a coarse set and a fine one, since a shift of single intents hardly shows among 20 topics.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from runner import digest
from runner.errors import terminal
from runner.signals.embedder import Embedder, Vectors

Numbers = NDArray[np.int64]

PER_TOPIC: Final = 20
"""Questions that a topic needs: the reference has as many topics as it has twenties, as a window must have too."""
LANDMARKS: Final = 1000
"""Most reference questions that new ones are compared with to see whether they are like any."""
UNLIKE: Final = 0.05
"""Share of the reference that is less like the rest of it than `edge`."""
EXAMPLES: Final = 3
"""Reference questions kept for each topic, to show what it is."""

_VERSION: Final = 2
_STARTS: Final = 4
_BLOCK: Final = 4096
_SAME: Final = 0.998
"""Likeness from which two texts are one and the same; landmarks are kept as half-precision numbers."""
_SLACK: Final = 0.005
"""Differences of likeness that are rounding: landmarks are kept as half-precision numbers."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """Topic and fine topic of each question, both of shape (questions,)."""

    coarse: Numbers
    fine: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Topics:
    """Everything needed to sort questions as the reference was sorted; a value that JSON can hold.

    `key` says what it was fitted from (embedder, reference, numbers of topics). `coarse` and `fine` are centres, one
    row each; the topic after the last centre is for what is unlike the reference. `coarse_counts` and `fine_counts`
    say how many reference questions each topic has, `examples` shows some of each coarse topic.
    """

    key: str
    coarse: Vectors
    fine: Vectors
    landmarks: Vectors
    edge: float
    coarse_counts: Numbers
    fine_counts: Numbers
    examples: tuple[tuple[str, ...], ...]

    def assign(self, vectors: Vectors) -> Assigned:
        """Return the topics of new questions, vectors of shape (questions, size)."""
        blocks = [self._of_block(vectors[at : at + _BLOCK]) for at in range(0, len(vectors), _BLOCK)]
        if not blocks:
            return Assigned(np.zeros(0, np.int64), np.zeros(0, np.int64))
        coarse, fine = zip(*blocks, strict=True)
        return Assigned(np.concatenate(coarse), np.concatenate(fine))

    def _of_block(self, vectors: Vectors) -> tuple[Numbers, Numbers]:
        unlike = _nearest_other(vectors @ self.landmarks.T) < self.edge
        return _cells(vectors, self.coarse, unlike), _cells(vectors, self.fine, unlike)

    @property
    def unlike(self) -> int:
        """Number of the coarse topic that holds what is unlike the reference."""
        return len(self.coarse)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back exactly; vectors as Base64 of half-precision numbers."""
        return {
            "key": self.key,
            **{name: _packed(getattr(self, name)) for name in ("coarse", "fine", "landmarks")},
            "edge": self.edge,
            "coarse_counts": self.coarse_counts.tolist(),
            "fine_counts": self.fine_counts.tolist(),
            "examples": [list(each) for each in self.examples],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Rebuild what `to_json` wrote; KeyError, TypeError or ValueError where it is something else."""
        return cls(
            key=str(document["key"]),
            coarse=_unpacked(document["coarse"]),
            fine=_unpacked(document["fine"]),
            landmarks=_unpacked(document["landmarks"]),
            edge=float(document["edge"]),
            coarse_counts=np.array(document["coarse_counts"], dtype=np.int64),
            fine_counts=np.array(document["fine_counts"], dtype=np.int64),
            examples=tuple(tuple(map(str, each)) for each in document["examples"]),
        )


def key_of(texts: Sequence[str], embedder: Embedder, topics: int, fine: int, seed: int = 0) -> str:
    """Return what `Topics.key` is for these: a kept artefact with another key is to be fitted anew."""
    reference = digest.of_value(sorted(texts))
    return digest.of_value([_VERSION, embedder.digest, reference, topics, fine, seed])


def fit(texts: Sequence[str], embedder: Embedder, topics: int = 20, fine: int = 77, seed: int = 0) -> Topics:
    """Find the topics of a reference set: `topics` and `fine` of them where it is large enough, else fewer.

    The order of the texts makes no difference. TerminalError where there are under 40 texts: that is no distribution.
    """
    if len(texts) < 2 * PER_TOPIC:
        raise terminal(
            f"a reference set of {len(texts)} questions is too small to see drift against",
            f"at least {2 * PER_TOPIC} are needed, {PER_TOPIC * (topics - 1)} for {topics} topics",
            fix="add questions to the reference data set, or name a larger one in policies/signals.yaml",
        )
    ordered = sorted(texts)
    vectors = embedder.embed(ordered)
    landmarks, edge, unlike = _landmarks(vectors, seed)
    centres = [_centres(vectors, affordable(len(texts), many) - 1, seed) for many in (topics, fine)]
    coarse, small = (_cells(vectors, each, unlike) for each in centres)
    return Topics(
        key=key_of(texts, embedder, topics, fine, seed),
        coarse=centres[0],
        fine=centres[1],
        landmarks=landmarks,
        edge=edge,
        coarse_counts=np.bincount(coarse, minlength=len(centres[0]) + 1),
        fine_counts=np.bincount(small, minlength=len(centres[1]) + 1),
        examples=_examples(ordered, vectors, centres[0], coarse),
    )


def affordable(questions: int, wanted: int) -> int:
    """Return how many topics so many reference questions carry: 20 a topic beyond the first, at least 2."""
    return max(2, min(wanted, questions // PER_TOPIC + 1))


def _landmarks(vectors: Vectors, seed: int) -> tuple[Vectors, float, NDArray[np.bool_]]:
    """Return the landmarks, the likeness below which a question is unlike them, and which of the reference are.

    No question is compared with itself, be it of the reference or new and word for word the same, so that both are
    treated alike: users do ask what the reference asks.
    """
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:LANDMARKS]
    kept = _rounded(vectors[chosen])
    blocks = (vectors[at : at + _BLOCK] @ kept.T for at in range(0, len(vectors), _BLOCK))
    likeness = np.concatenate([_nearest_other(block) for block in blocks])
    edge = float(np.quantile(likeness, UNLIKE)) - _SLACK
    return kept, edge, likeness < edge


def _nearest_other(likeness: Vectors) -> Vectors:
    """Return the likeness of each question (rows) to the landmark most like it, less one that is the same text."""
    padded = np.pad(likeness, ((0, 0), (2, 0)), constant_values=-1.0)
    second, first = np.partition(padded, -2, axis=1)[:, -2:].T
    found: Vectors = np.where(first > _SAME, second, first)
    return found


def _centres(vectors: Vectors, wanted: int, seed: int) -> Vectors:
    """Return at most `wanted` centres by k-means; no more than there are different vectors."""
    from sklearn.cluster import KMeans

    distinct = len(np.unique(vectors.round(4), axis=0))
    means = KMeans(min(wanted, distinct), n_init=_STARTS, random_state=seed).fit(vectors)
    return _rounded(means.cluster_centers_)


def _cells(vectors: Vectors, centres: Vectors, unlike: NDArray[np.bool_]) -> Numbers:
    """Return the nearest centre of each vector, the number after the last one for those unlike the reference."""
    farther = 0.5 * (centres**2).sum(axis=1) - vectors @ centres.T
    return np.where(unlike, len(centres), farther.argmin(axis=1)).astype(np.int64)


def _examples(
    texts: Sequence[str], vectors: Vectors, centres: Vectors, cells: Numbers
) -> tuple[tuple[str, ...], ...]:
    """Return the reference questions nearest to the centre of each coarse topic, each text once."""
    found = []
    for number in range(len(centres) + 1):
        members = np.flatnonzero(cells == number)
        if number < len(centres):
            members = members[np.argsort(-(vectors[members] @ centres[number]), kind="stable")]
        found.append(tuple(dict.fromkeys(texts[each] for each in members[: 10 * EXAMPLES]))[:EXAMPLES])
    return tuple(found)


def _rounded(vectors: Any) -> Vectors:
    """Return vectors as they will be read back, so that a kept artefact sorts as the one just fitted."""
    return np.asarray(vectors).astype(np.float16).astype(np.float32)


def _packed(vectors: Vectors) -> dict[str, Any]:
    return {"shape": list(vectors.shape), "half": b64encode(vectors.astype("<f2").tobytes()).decode()}


def _unpacked(document: dict[str, Any]) -> Vectors:
    halves = np.frombuffer(b64decode(document["half"], validate=True), dtype="<f2")
    return halves.astype(np.float32).reshape([int(each) for each in document["shape"]])
