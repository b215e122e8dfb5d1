"""What earlier commits said of one file: where a rollout came in, and since when a value has held.

Called by the reconciler: a rollback reverts what `introduced` finds, a soak time counts from `since`. It walks
the first parents only, for what a branch said when it was not merged yet was never the desired state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner.git.changes import LOOP_FILE
from runner.git.repository import Commit, Repository, Revision
from runner.spec.source import read

LIMIT = 500
"""The most commits of the file that one walk looks at."""
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Introduced:
    """Where a rollout came in: its commits (newest first, the one it entered with last), and the texts.

    `text` is the file right after it entered and `before` right before; both None where that is further
    back than the walk goes, `before` also where there was no file.
    """

    commits: tuple[Commit, ...]
    text: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """The file as one commit has it; `value` is None where it is missing or cannot be read."""

    sha: str
    committed: datetime
    text: str | None
    value: Mapping[str, Any] | None


def introduced(
    repository: Repository, revision: Revision, environment: str, path: str = LOOP_FILE, limit: int = LIMIT
) -> Introduced | None:
    """Return where the rollout that `revision` shows in an environment came in; None where it shows none.

    Only commits that changed the rollout itself count, not those beside it. A rollout is one as long as
    its candidate is the same.
    """
    walked = versions(repository, revision, path, limit)
    newest = next(walked, None)
    rollout = _rollout(newest, environment)
    if newest is None or rollout is None:
        return None
    found: list[str] = []
    for older in walked:
        earlier = _rollout(older, environment)
        if earlier != rollout:
            found.append(newest.sha)
        if earlier is None or earlier.get("candidate") != rollout.get("candidate"):
            return Introduced(_commits(repository, found), newest.text, older.text)
        newest, rollout = older, earlier
    if _beginning(repository, newest, path):
        return Introduced(_commits(repository, [*found, newest.sha]), newest.text, None)
    return Introduced(_commits(repository, found), None, None)


def since(
    repository: Repository,
    revision: Revision,
    holds: Callable[[Mapping[str, Any]], bool],
    path: str = LOOP_FILE,
    limit: int = LIMIT,
) -> datetime | None:
    """Return since when (committer's time, UTC) `holds` is true of the file without a break, up to `revision`.

    None where it does not hold there. A commit whose file is missing or cannot be read is a break. Where it
    holds further back than the walk goes the time of the oldest commit seen is returned: it has held at
    least since then.
    """
    found: datetime | None = None
    for version in versions(repository, revision, path, limit):
        if version.value is None or not holds(version.value):
            break
        found = version.committed
    return found


def versions(repository: Repository, revision: Revision, path: str, limit: int) -> Iterator[Version]:
    """Yield the file as each commit that changed it left it, newest first."""
    said = repository.git.read(
        *("log", "--first-parent", "-z", f"--max-count={limit}", "--format=%H %ct", revision.sha, "--"),
        f":(literal,top){path}",
    )
    commits = [line.split() for line in said.decode().split("\0") if line.strip()]
    for start in range(0, len(commits), _AT_ONCE):
        some = commits[start : start + _AT_ONCE]
        contents = _contents(repository, [sha for sha, _ in some], path)
        for (sha, seconds), content in zip(some, contents, strict=True):
            yield _version(sha, datetime.fromtimestamp(int(seconds), UTC), path, content)


def _contents(repository: Repository, shas: list[str], path: str) -> list[bytes | None]:
    """Return the file as each commit has it; None where it has none. One process reads them all."""
    asked = "".join(f"{sha}:{path}\n" for sha in shas)
    said = repository.git.read("cat-file", "--batch", stdin=asked.encode())
    contents: list[bytes | None] = []
    at = 0
    for sha in shas:
        end = said.index(b"\n", at)
        head, at = said[at:end], end + 1
        if head == f"{sha}:{path} missing".encode():
            contents.append(None)
            continue
        size = int(head.split()[2])
        contents.append(said[at : at + size])
        at += size + 1
    return contents


def _version(sha: str, committed: datetime, path: str, content: bytes | None) -> Version:
    if content is None:
        return Version(sha, committed, None, None)
    document, problems = read(path, content)
    value = document.value if document is not None and not problems else None
    return Version(sha, committed, content.decode(errors="replace"), value)


def _rollout(version: Version | None, environment: str) -> Mapping[str, Any] | None:
    value: Any = version.value if version else None
    for key in ("environments", environment, "rollout"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _beginning(repository: Repository, version: Version, path: str) -> bool:
    """Whether the file came into being with this commit, rather than the walk having ended at its limit."""
    parent = repository.git.run("rev-parse", "--verify", "--quiet", f"{version.sha}^")
    if parent.status:
        return not repository.log(Revision(version.sha), limit=1)[0].parents
    return repository.git.run("cat-file", "-e", f"{version.sha}^:{path}").status != 0


def _commits(repository: Repository, shas: list[str]) -> tuple[Commit, ...]:
    return tuple(repository.log(Revision(sha), limit=1)[0] for sha in shas)
