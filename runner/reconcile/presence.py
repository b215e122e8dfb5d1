"""Whether the bytes that DVC tracks are all in the working tree: they are counted, and digested only if they are.

A fetch that was killed leaves some of them. That is no reason to refuse a commit, which is why sources and scribe ask
here; what is there in full and has other bytes than declared is one. Reads files; fetches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.data.tracking import read_tracking
from runner.spec.files import digest_of_directory


def is_whole(path: Path) -> bool:
    """Return whether something is at `path` with as many bytes as DVC tracks there, if it does. Raises OSError."""
    if not path.exists():
        return False
    tracked = read_tracking(_Pointer(path.parent, f"{path.name}.dvc")).outputs
    size = next((each.size for each in tracked if each.path == path.name), None)
    return size is None or size <= sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def digest_if_whole(path: Path) -> str | None:
    """Return the content digest of a directory; None where some or all of its bytes are absent. Raises OSError."""
    return digest_of_directory(path) if is_whole(path) else None


@dataclass(frozen=True, slots=True)
class _Pointer:
    """The one file that says what DVC tracks at a path, where there is such a file."""

    folder: Path
    name: str

    def paths(self) -> tuple[str, ...]:
        return (self.name,) if (self.folder / self.name).is_file() else ()

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()
