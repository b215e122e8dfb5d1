"""Reference sets: the questions that training saw, and the facts that answers are held to.

Called when detectors are built. It reads JSON lines that DVC tracks; a set that is not on this machine is no error but
a reason why something is not measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import digest
from runner.spec.dataset import DatasetFile
from runner.spec.load import Spec
from runner.spec.signals import Drift, EmbeddingShift, Factual


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference set: its rows as they stand in the file, and the digest of that file."""

    name: str
    digest: str
    rows: tuple[Mapping[str, Any], ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions, in order; rows without one are left out."""
        return tuple(row["question"] for row in self.rows if isinstance(row.get("question"), str))


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a reference set cannot be used, in words, with what to do."""

    reason: str


def paths(spec: Spec) -> tuple[str, ...]:
    """Return where the reference sets of the policy's detectors lie, relative to the repository, each once."""
    detectors = (signal.detector for signal in spec.policies.signals.signals.values())
    names = (each.reference for each in detectors if isinstance(each, Drift | EmbeddingShift | Factual))
    return tuple(dict.fromkeys(str(spec.datasets[name].path) for name in names if name in spec.datasets))


def read(root: Path, datasets: Mapping[str, DatasetFile], name: str) -> Reference | Missing:
    """Return a reference set of the repository at `root`."""
    declared = datasets.get(name)
    if declared is None:
        return Missing(f"data set '{name}' is not declared")
    path = root / str(declared.path)
    try:
        content = path.read_bytes()
    except OSError:
        return Missing(f"{declared.path} is not here: `dvc pull {declared.path}` fetches it")
    try:
        rows = tuple(json.loads(line) for line in content.splitlines() if line.strip())
    except ValueError:
        return Missing(f"{declared.path} is not JSON lines")
    if not rows or not all(isinstance(row, dict) for row in rows):
        return Missing(f"{declared.path} holds no rows")
    return Reference(name, digest.of_bytes(content), rows)
