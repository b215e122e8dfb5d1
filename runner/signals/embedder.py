"""The port through which detectors turn texts into numbers; which embedder stands behind it is the policy's to say.

Detectors get one as an argument and compare only vectors of the same `digest`. The light default is `lexical`; MiniLM
lives in `runner.embedding`, the only owner of its heavy libraries, and is passed in. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors of one length whose inner product says how alike two texts are."""

    @property
    def digest(self) -> str:
        """What every vector depends on: two embedders with one digest give the same vectors."""

    @property
    def size(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return rows of length one, shape (texts, size); a text in which there is nothing to read is a zero row."""
