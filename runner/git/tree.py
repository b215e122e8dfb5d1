"""The files of one commit, as the loading of the desired state wants them, without a checkout.

Made by `Repository.files_at`. A commit never changes, and neither does what this returns, with one
exception that is meant: weights and data are tracked by DVC, not held by Git, so digests are taken from the
working tree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from runner.git.command import Git

DigestOf = Callable[[Path], str | None]

# The spec consists of small YAML files: they come in one process instead of one each.
_READ_AHEAD = (".yaml", ".yml", ".dvc", ".lock")


class TreeFiles:
    """The regular files of a commit by their paths from the top, `/` between the parts."""

    def __init__(self, git: Git, root: Path, blobs: Mapping[str, str], digest_of: DigestOf) -> None:
        self._git, self._root, self._blobs, self._digest_of = git, root, blobs, digest_of
        self._content: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises FileNotFoundError where the commit has no such file."""
        blob = self._blobs.get(path)
        if blob is None:
            raise FileNotFoundError(path)
        if blob not in self._content:
            wanted = {b for p, b in self._blobs.items() if p.endswith(_READ_AHEAD)} - self._content.keys()
            self._content |= _read_blobs(self._git, wanted | {blob})
        return self._content[blob]

    def list(self, directory: str) -> tuple[str, ...]:
        """Return the sorted names of the files directly in `directory`; none where it is absent."""
        prefix = f"{directory}/" if directory not in ("", ".") else ""
        names = (path.removeprefix(prefix) for path in self._blobs if path.startswith(prefix))
        return tuple(sorted(name for name in names if "/" not in name))

    def digest(self, path: str) -> str | None:
        """Return the content digest of a directory of the working tree; None where its bytes are absent.

        None too for a path that leaves the repository. Raises OSError where files cannot be read.
        """
        inside = (self._root / path).resolve().is_relative_to(self._root)
        return self._digest_of(self._root / path) if inside else None

    def paths(self) -> tuple[str, ...]:
        """Return the paths of all files of the commit, sorted."""
        return tuple(sorted(self._blobs))


def read_tree(git: Git, revision: str) -> dict[str, str]:
    """Return the blob of every regular file of a commit by path; links and submodules are left out."""
    said = git.read("ls-tree", "-r", "-z", "--full-tree", revision)
    entries = (entry.partition(b"\t") for entry in said.split(b"\0") if entry)
    return {
        os.fsdecode(path): about.split()[2].decode() for about, _, path in entries if about.startswith(b"100")
    }


def _read_blobs(git: Git, blobs: Iterable[str]) -> dict[str, bytes]:
    """Return blobs by name: `cat-file --batch` writes `NAME blob SIZE`, the bytes and a line end."""
    said = git.read("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode())
    content, at = {}, 0
    while at < len(said):
        end = said.index(b"\n", at)
        name, _, size = said[at:end].split()
        at = end + 1 + int(size)
        content[name.decode()] = said[end + 1 : at]
        at += 1
    return content
