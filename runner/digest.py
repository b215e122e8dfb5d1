"""One place that says how bytes, values and adapter directories become digests and names.

An adapter is named by its content, `VERSION--DIGEST12`, so a name is never used for other bytes.
Reads files, writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

SHORT = 12


def of_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data`, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def of_value(value: Any) -> str:
    """Return the digest of a value that JSON can hold; the order of keys does not matter."""
    return of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def of_file(path: Path) -> str:
    """Return the SHA-256 of one file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_directory(path: Path) -> str:
    """Return the digest of a directory: of every regular file's relative path and bytes, in order of path.

    Raises OSError, and NotADirectoryError where `path` is none.
    """
    if not path.is_dir():
        raise NotADirectoryError(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return of_value([[p.relative_to(path).as_posix(), of_file(p)] for p in files])


def short(digest: str) -> str:
    """Return the first twelve digits, as they stand in names."""
    return digest[:SHORT]


def served_name(version: str, digest: str) -> str:
    """Return the immutable name under which an engine serves this version's bytes."""
    return f"{version}--{short(digest)}"
