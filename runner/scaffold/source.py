"""The Loop that runs: its checkout, from which a new repository takes what is the same for everybody.

Workflows, their scripts and four policies are read there and not kept a second time. The commit is what the new
repository installs Loop by, so that it is run by the very Loop that made it. Reads only.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import runner
from runner.errors import terminal
from runner.urls import without_secret

POLICIES = ("rollout", "signals", "privacy", "cadence")
"""Those that fit every model; the others are templates."""
WORLD = "bookshop"
"""What the shipped data sets are called after."""
_NOT_OURS = frozenset({"ci.yml"})
"""What tests Loop itself."""
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """A checkout of Loop: the folder, the commit that it stands at, and where others find that.

    `pushed` says whether the remote had that commit when it was last asked.
    """

    root: Path
    commit: str
    url: str
    pushed: bool = True

    def policy(self, name: str, repository: str) -> str:
        """Return a policy as it is shipped, about the data sets of another repository. Raises OSError."""
        text = (self.root / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
        return text.replace(f"{WORLD}-", f"{repository}-")

    def forge_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of the workflows and what they need. Raises OSError."""
        folder = self.root / ".github"
        kinds = ("workflows/*.yml", "scripts/*.py", "scripts/*.sh", "gitconfig", "*.md")
        for path in sorted(path for kind in kinds for path in folder.glob(kind)):
            if path.name not in _NOT_OURS:
                yield path.relative_to(self.root).as_posix(), path.read_bytes()

    @property
    def is_local(self) -> bool:
        """Whether only this machine can find it."""
        return self.url.startswith(("/", "file://"))


def running() -> Source:
    """Return the checkout that runs. Raises TerminalError where Loop runs from no checkout with a commit."""
    root = Path(runner.__file__).resolve().parent.parent
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not (root / ".github" / "workflows").is_dir() or not commit:
        raise terminal(
            "this Loop does not run from its checkout, which has the workflows and policies of a new repository",
            f"looked in {root}",
            fix="clone Loop, build its .venv by `make setup`, and run `.venv/bin/loop init` there",
        )
    remote = without_secret(_git(root, "config", "--get", "remote.origin.url"))
    if not remote:
        return Source(root, commit, str(root))
    known = _git(root, "for-each-ref", "--count=1", "--contains", commit, "refs/remotes/origin")
    return Source(root, commit, _from_anywhere(remote, root), pushed=bool(known))


def _from_anywhere(remote: str, root: Path) -> str:
    """Return a remote as another folder has to name it: Git reads a path from the top of its own checkout."""
    is_path = "://" not in remote and ":" not in remote.partition("/")[0]
    return str((root / remote).resolve()) if is_path else remote


def _git(root: Path, *arguments: str) -> str:
    """Return what a command printed, "" where it failed or somebody else's repository would have answered."""
    if not (root / ".git").exists():
        return ""
    command = ["git", f"--git-dir={root / '.git'}", *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
