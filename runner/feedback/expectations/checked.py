"""What checking a data set came to, and the file in which it is kept until the data or the expectations change.

`loop data check` writes it, `loop plan` reads it: plan never checks by itself, since that takes seconds. Reads and
writes `.loop/data/NAME.json`, nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner import digest
from runner.spec.dataset import DatasetFile


@dataclass(frozen=True, slots=True)
class Line:
    """One expectation and how it came out: `bad` of `rows` do not meet it; `examples` are some of those values."""

    column: str
    """Empty where it is about the table as a whole."""
    says: str
    passed: bool
    rows: int
    bad: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """One data set, checked. `hash` is the MD5 of the file, `contract` the digest of what was expected of it."""

    name: str
    path: str
    hash: str
    contract: str
    at: float
    """Seconds since 1970 UTC."""
    rows: int
    categories: Mapping[str, int]
    lines: tuple[Line, ...]

    @property
    def failed(self) -> tuple[Line, ...]:
        """The expectations that are not met."""
        return tuple(line for line in self.lines if not line.passed)

    @property
    def unmet(self) -> tuple[str, ...]:
        """The expectations that are not met, in words."""
        return tuple(f"{line.column} {line.says}".strip() for line in self.failed)

    @property
    def passed(self) -> bool:
        """Whether all are met."""
        return not self.failed


def contract(dataset: DatasetFile) -> str:
    """Return the digest of everything that a data set is checked for."""
    expected = dataset.model_dump(
        mode="json", by_alias=True, include={"schema_", "expectations", "minimum", "categories"}
    )
    return digest.of_value(expected)


def folder(root: Path) -> Path:
    """Return where outcomes are kept, below the repository's root."""
    return root / ".loop" / "data"


def keep(root: Path, checked: Checked) -> None:
    """Replace what is kept of a data set; a reader sees the old or the new. Raises OSError."""
    path = folder(root) / f"{checked.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(asdict(checked), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def kept(root: Path, dataset: DatasetFile, file_hash: str) -> Checked | None:
    """Return what was found for exactly these bytes and these expectations; None where nothing was, or is readable."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = _from_json(json.loads((folder(root) / f"{dataset.name}.json").read_bytes()))
        if (found.hash, found.contract) == (file_hash, contract(dataset)):
            return found
    return None


def unmet(root: Path, dataset: DatasetFile, file_hash: str) -> tuple[str, ...] | None:
    """Return the expectations that exactly these bytes do not meet, in words; None where that was not checked."""
    found = kept(root, dataset, file_hash)
    return None if found is None else found.unmet


def _from_json(value: dict[str, Any]) -> Checked:
    lines = tuple(Line(**{**line, "examples": tuple(line["examples"])}) for line in value["lines"])
    return Checked(**{**value, "lines": lines})
