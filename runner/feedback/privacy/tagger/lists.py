"""The lists of words and patterns in `lists.toml`, by name.

Called by the lexicon and by the training. Reads one file of the package.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path


def _read() -> Mapping[str, tuple[str, ...]]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: tuple(value.split() if isinstance(value, str) else value) for name, value in tables.items()}


LISTS = _read()
"""Name -> its words or patterns, in their order."""
