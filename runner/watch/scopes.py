"""What an assistant is for, as its reference set shows it: which questions are answered there, and which are refused.

Called when detectors are built. A question is in scope where the reference answers questions like it; it is not where
it is like nothing there, or most like what the reference refuses. Fitting takes seconds and is kept beside the
measurements under the digest of what it was fitted to.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner import digest
from runner.errors import TerminalError
from runner.signals.embedder import Embedder, Vectors
from runner.signals.novelty import Novelty
from runner.signals.refusal.detector import Detector
from runner.watch.references import Reference

REFUSED = 0.5
"""Probability from which a reference answer counts as a refusal."""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Answered and refused reference questions, rows of length one, and how far from the answered is too far."""

    answered: Vectors
    refused: Vectors
    novelty: Novelty
    digest: str

    def inside(self, vectors: Vectors) -> Sequence[bool | None]:
        """Say of each question whether it is in scope, vectors of shape (questions, size)."""
        if not len(vectors):
            return []
        near = (vectors @ self.answered.T).max(axis=1)
        inside = ~self.novelty.novel(vectors)
        if len(self.refused):
            inside &= near >= (vectors @ self.refused.T).max(axis=1)
        found: list[bool | None] = inside.tolist()
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a scope is fitted to: a reference set, the vectors of its questions by `embedder`, what tells refusals."""

    reference: Reference
    vectors: Vectors
    embedder: Embedder
    refusal: Detector


def fit(material: Material, state: Path, tell: Callable[[str], None]) -> Scope | None:
    """Return the scope that a reference set shows, kept in `state`; None where it answers too few questions."""
    reference, vectors, refusal = material.reference, material.vectors, material.refusal
    questioned = [row for row in reference.rows if isinstance(row.get("question"), str)]
    answers = [str(row.get("answer", "")) for row in questioned]
    declined = refusal.probabilities(reference.questions, answers) >= REFUSED
    key = digest.of_value([reference.digest, material.embedder.digest, refusal.digest])
    novelty = _kept(state / f"scope-{digest.short(key)}.npz")
    if novelty is None:
        tell(f"fitting what is in scope to {reference.name} ({len(vectors)} questions); this is kept")
        novelty = _fitted(vectors[~declined], material.embedder)
        if novelty is None:
            return None
        _keep(state / f"scope-{digest.short(key)}.npz", novelty)
    return Scope(vectors[~declined], vectors[declined], novelty, key)


def _fitted(answered: Vectors, embedder: Embedder) -> Novelty | None:
    from threadpoolctl import threadpool_limits

    try:
        # several threads only wait for each other where something serves beside it
        with threadpool_limits(1):
            return Novelty.fit(answered, space=embedder.digest)
    except TerminalError:
        return None


def _kept(path: Path) -> Novelty | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Novelty.from_state(dict(arrays))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None  # not there or something else: it can be made again


def _keep(path: Path, novelty: Novelty) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    arrays: dict[str, Any] = dict(novelty.state())
    np.savez(temporary, **arrays)
    temporary.replace(path)
