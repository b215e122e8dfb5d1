"""A linear model as a file that people can read: one weight a feature, a name each, and what they were fitted from.

`detector` and `questions` score with it, `fitting` makes it. Reads files, writes none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.digest import of_value
from runner.errors import terminal

FORMAT = 1
DECIMALS = 4
"""Weights are rounded to so many places, so that the same examples give the same file."""
_FIX = "write it anew with `loop signals fit refusal LABELS --output PATH`"


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights of a logistic regression; a probability is `sigmoid(bias + sum of weight * feature)`.

    `weights`: group of features -> name -> weight. `dense`: weights over the embedding named `embedder` (a digest).
    `about`: where it comes from (counts, measured figures); it does not change a probability.
    """

    kind: str
    bias: float
    weights: Mapping[str, Mapping[str, float]]
    embedder: str | None = None
    dense: tuple[float, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Digest of everything a probability depends on."""
        return of_value([FORMAT, self.kind, self.bias, self.weights, self.embedder, self.dense])

    def to_json(self) -> str:
        """Return the model as the text of its file: weights in order of name, one group a line."""
        head = {"format": FORMAT, "kind": self.kind, "about": self.about, "bias": self.bias}
        groups = {name: dict(sorted(group.items())) for name, group in self.weights.items()}
        rest = {"weights": groups, "embedder": self.embedder, "dense": list(self.dense)}
        lines = [f"{_text(key)}: {_text(value)}" for key, value in {**head, **rest}.items()]
        return "{" + ",\n".join(lines) + "}\n"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read(path: Path, kind: str) -> Linear:
    """Return the model in a file. Raises TerminalError where the file is missing or is no model of this kind."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise terminal(f"the model cannot be read: {path}: {error.strerror}", fix=_FIX) from error
    except ValueError as error:
        raise terminal(f"the model is not JSON: {path}", str(error), fix=_FIX) from error
    try:
        return _parsed(document, kind)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise terminal(f"the file is not a model of kind '{kind}': {path}", str(error), fix=_FIX) from error


def _parsed(document: Any, kind: str) -> Linear:
    if (document["format"], document["kind"]) != (FORMAT, kind):
        raise ValueError(f"it says format {document['format']}, kind {document['kind']}")
    found = Linear(
        kind=kind,
        bias=float(document["bias"]),
        weights={
            str(group): {str(name): float(weight) for name, weight in names.items()}
            for group, names in document["weights"].items()
        },
        embedder=document["embedder"],
        dense=tuple(map(float, document["dense"])),
        about=dict(document["about"]),
    )
    if not all(
        np.isfinite([found.bias, *found.dense, *(w for g in found.weights.values() for w in g.values())])
    ):
        raise ValueError("a weight is not finite")
    return found


def sigmoid(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of log-odds, without overflow; same shape."""
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1.0, small) / (1.0 + small), dtype=np.float64)
