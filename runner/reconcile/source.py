"""Where the desired state is read from: the commit checked out, or for trying things the working tree.

Called by `loop`. Reads Git and files; never writes, never fetches.
"""

from __future__ import annotations

from pathlib import Path

from runner import digest
from runner.git.repository import Repository, Revision
from runner.reconcile.distil import Declared, distil
from runner.spec.files import DirectoryFiles
from runner.spec.load import Spec, load_or_raise


class CommitSource:
    """The tree of HEAD: what was not committed is not desired (invariant 1)."""

    def __init__(self, repository: Repository, environment: str) -> None:
        self._repository, self._environment = repository, environment

    def revision(self) -> str:
        """Return the commit that is checked out. Raises TerminalError in a repository without commits."""
        return self._repository.head().sha

    def declared(self, revision: str) -> Declared:
        """Return what a commit says. Raises TerminalError with everything that is wrong in it."""
        return distil(self.spec(revision), self._environment, revision)

    def spec(self, revision: str) -> Spec:
        """Return the whole spec of a commit. Raises TerminalError with everything that is wrong in it."""
        return load_or_raise(self._repository.files_at(Revision(revision)))


class WorkingTreeSource:
    """The files as they are now, for trying a change before it is committed; its revisions are digests."""

    def __init__(self, root: Path, environment: str) -> None:
        self._root, self._environment = root, environment

    def revision(self) -> str:
        """Return a name for the bytes that the YAML files have now. Raises OSError."""
        # One walk of the few folders that the spec may live in; weights and data are none of them.
        folders = [p for p in self._root.iterdir() if p.is_dir() and p.name[0] not in "._"]
        files = list(self._root.glob("*.yaml"))
        for folder in folders:
            files += folder.glob("*.yaml")
        content = [[str(p.relative_to(self._root)), digest.of_file(p)] for p in sorted(files)]
        return f"working-tree-{digest.short(digest.of_value(content))}"

    def declared(self, revision: str) -> Declared:
        """Return what the files say now. Raises TerminalError with everything that is wrong in them."""
        return distil(self.spec(revision), self._environment, revision)

    def spec(self, revision: str) -> Spec:  # noqa: ARG002 - there is one revision only: what is there now
        """Return the whole spec as it is now. Raises TerminalError with everything that is wrong in it."""
        return load_or_raise(DirectoryFiles(self._root))
