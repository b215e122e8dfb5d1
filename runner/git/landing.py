"""Gives a commit to a branch: of a remote, where the loser of a race is told so; or of this repository alone.

Called by `desk` with what `commit` made. A branch that people share only ever goes forward here, and only from the tip
that the caller has seen; one of automation's own may be replaced as a whole. The edits that a person has not committed
yet stay as they are.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from runner.errors import LoopError, TransientError, Unknown, terminal, transient
from runner.git.command import Finished, Git, failure
from runner.git.repository import Relation, Repository, Revision

PUSH_SECONDS = 10.0
_LOCK_TRIES = 20
_LOCK_PAUSE_SECONDS = 0.1
_REFUSED = re.compile(
    r"hook declined|push declined|protected|rule violations|deny|prohibited|denying|checked out", re.I
)
_OUTRUN = re.compile(
    r"stale info|fetch first|non-fast-forward|needs force|already exists|cannot lock ref", re.I
)
_FOLLOWS = (Relation.SAME, Relation.OLDER)
_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}


@dataclass(frozen=True, slots=True)
class RemoteBranch:
    """A branch of a remote."""

    remote: str
    name: str

    @property
    def ref(self) -> str:
        """Its full name on the remote."""
        return f"refs/heads/{self.name}"

    def __str__(self) -> str:
        return f"{self.remote}/{self.name}"


@dataclass(frozen=True, slots=True)
class Pushed:
    """The branch of the remote holds the commit."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Landed:
    """The branch here holds the commit; `note` says what of the checkout did not follow, and why."""

    revision: Revision
    note: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """Somebody else was quicker: make the commit again on `tip`; None where the branch is gone."""

    tip: Revision | None


@dataclass(frozen=True, slots=True)
class Protected:
    """The remote takes no direct push to this branch, and says why."""

    message: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The remote did not answer, or could not write: the same push may succeed later."""

    reason: str


Outcome = Pushed | Moved | Protected | Unreachable


def push(
    repository: Repository,
    revision: Revision,
    target: RemoteBranch,
    expected: Revision | None,
    seconds: float = PUSH_SECONDS,
) -> Outcome:
    """Push a commit to a branch that stands at `expected` (None: that does not exist), within `seconds`.

    A commit that the branch holds already counts as pushed, so an answer that was lost does no harm. Raises
    TerminalError where `revision` does not follow `expected`: nothing is ever forced.
    """
    if expected is not None and repository.relation(expected, revision) not in _FOLLOWS:
        raise terminal(f"{revision.short} does not follow {expected.short}; history is not rewritten")
    return replace(repository, revision, target, expected, seconds)


def replace(
    repository: Repository,
    revision: Revision,
    target: RemoteBranch,
    expected: Revision | None,
    seconds: float = PUSH_SECONDS,
) -> Outcome:
    """Push a commit to a branch that stands at `expected`, also where it does not follow that.

    For branches that hold nothing but what automation wrote there itself; the caller has looked.
    """
    lease = f"--force-with-lease={target.ref}:{expected.sha if expected else ''}"
    order = ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", lease)
    what = f"{revision.sha}:{target.ref}"
    try:
        done = repository.git.run(*order, "--end-of-options", target.remote, what, seconds=seconds)
    except TransientError as error:
        return Unreachable(f"{target}: {error.diagnostics[0].summary}")
    said = _status_line(done, target.ref)
    if done.status == 0 and said[:1] in (" ", "*", "=", "+"):
        return Pushed(revision)
    if said.startswith("!") and _REFUSED.search(said):
        return Protected(_words_of_remote(done, said))
    if said.startswith("!"):
        return _after_rejection(repository, revision, target, expected, said)
    return Unreachable(f"{target}: {_reason(done)}")


def land_locally(repository: Repository, revision: Revision, branch: str) -> Landed | Moved:
    """Move a branch of this repository from the parent of `revision` to it, if it still stands there.

    Where the branch is checked out, index and files follow; a file with uncommitted edits stays as it is, and
    the note says so. Raises TransientError where a lock, a full disk, or a merge or rebase under way is in
    the way; the branch has not moved then.
    """
    git, ref = repository.git, f"refs/heads/{branch}"
    tip = _local_tip(git, ref)
    if tip is not None and repository.relation(revision, tip) in _FOLLOWS:
        return Landed(revision)
    parent = repository.resolve(f"{revision.sha}^")
    if tip != parent:
        return Moved(tip)
    checkout = _checkout_of(git, branch)
    if checkout is None:
        return _move(git, ref, parent, revision) or Landed(revision)
    here = Git(checkout, git.environ, git.program)
    _refuse_midway(here)
    touched = repository.changed(parent, revision)
    edited = _edited(here, touched)
    # The branch first: where it cannot move, nothing has happened. (`merge --ff-only` has it the other way.)
    moved = _move(git, ref, parent, revision)
    return moved or Landed(revision, _follow(here, parent, revision, touched, edited))


def replace_locally(
    repository: Repository, revision: Revision, branch: str, expected: Revision | None
) -> None:
    """Have a branch of this repository, which stands at `expected`, hold a commit that need not follow that.

    For branches that hold nothing but what automation wrote there itself. Raises TerminalError where somebody has it
    checked out, TransientError where it has moved.
    """
    checkout = _checkout_of(repository.git, branch)
    if checkout is not None:
        fix = "switch to another branch there, and try again"
        raise terminal(f"branch '{branch}' is checked out in {checkout}", fix=fix)
    old = expected.sha if expected is not None else "0" * len(revision.sha)
    done = repository.git.run("update-ref", "-m", "loop: commit", f"refs/heads/{branch}", revision.sha, old)
    if done.status:
        raise transient(f"branch '{branch}' could not be moved", *done.stderr.splitlines()[:3])


def _after_rejection(
    repository: Repository,
    revision: Revision,
    target: RemoteBranch,
    expected: Revision | None,
    said: str,
) -> Outcome:
    """Look at where the branch stands now, and say what that makes of the refusal."""
    tip = repository.fetch(target.remote, target.name, PUSH_SECONDS)
    if isinstance(tip, Unknown):
        gone = expected is not None and "couldn't find remote ref" in tip.reason
        return Moved(None) if gone else Unreachable(tip.reason)
    if repository.relation(revision, tip) in _FOLLOWS:
        return Pushed(revision)
    if tip != expected or (_OUTRUN.search(said) and "lock" not in said):
        return Moved(tip)
    return Unreachable(f"{target}: {_words(said)}")


def _status_line(done: Finished, ref: str) -> str:
    """Return what `--porcelain` says of the branch: FLAG, FROM:TO and a summary between tabs."""
    for line in done.stdout.decode(errors="replace").splitlines():
        if line.count("\t") >= 2 and line.split("\t")[1].endswith(f":{ref}"):
            return line
    return ""


def _words_of_remote(done: Finished, said: str) -> str:
    """Return what the remote's hook wrote, or git's own summary where it was silent."""
    lines = (line.removeprefix("remote:").strip() for line in done.stderr.splitlines() if "remote:" in line)
    words = " ".join(line for line in lines if line)
    return words or _words(said)


def _words(said: str) -> str:
    """Return git's reason from a line such as `! FROM:TO [remote rejected] (REASON)`."""
    return said.rpartition("\t")[2]


def _reason(done: Finished) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))]
    return (fatal or lines or ["it said nothing"])[0]


def _local_tip(git: Git, ref: str) -> Revision | None:
    found = git.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    return Revision(found.stdout.decode().strip()) if found.status == 0 else None


def _move(git: Git, ref: str, old: Revision, new: Revision) -> Moved | None:
    """Set a branch from `old` to `new`; return where it stands where that is elsewhere by now."""
    done = git.run("update-ref", "-m", "loop: commit", ref, new.sha, old.sha)
    if done.status == 0:
        return None
    tip = _local_tip(git, ref)
    if tip != old:
        return Moved(tip)
    raise failure("update-ref", done)


def _checkout_of(git: Git, branch: str) -> Path | None:
    """Return the working tree, this or a linked one, where a branch is checked out."""
    for block in git.read("worktree", "list", "--porcelain").decode(errors="surrogateescape").split("\n\n"):
        lines = block.splitlines()
        if f"branch refs/heads/{branch}" in lines and "bare" not in lines:
            return Path(lines[0].removeprefix("worktree "))
    return None


def _refuse_midway(here: Git) -> None:
    """A merge or rebase that is under way would take the new commit back when a person ends it."""
    folder = Path(os.fsdecode(here.read("rev-parse", "--absolute-git-dir").removesuffix(b"\n")))
    for name, what in _UNDER_WAY.items():
        if (folder / name).exists():
            raise transient(f"{what} is under way in {here.directory}", fix="finish it, or abort it")
    lock = folder / "index.lock"
    if lock.exists():
        raise transient(
            f"another git command is at work in {here.directory}",
            fix=f"where none is running, delete {lock}",
        )


def _edited(here: Git, touched: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the touched paths where index or file are not what HEAD has."""
    said = here.read(
        *("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignored", "--"),
        *(f":(literal,top){path}" for path in touched),
    )
    found = {os.fsdecode(entry[3:]) for entry in said.split(b"\0") if entry}
    return tuple(path for path in touched if any(path == each or _holds(each, path) for each in found))


def _holds(folder: str, path: str) -> bool:
    return folder.endswith("/") and path.startswith(folder)


def _follow(
    here: Git, old: Revision, new: Revision, touched: tuple[str, ...], edited: tuple[str, ...]
) -> str:
    """Bring index and files to a branch that has moved, except where a person has edits; say what stays."""
    note = ""
    if edited:
        note = (
            f"{', '.join(edited)}: your uncommitted edits stay; they begin before {new.short}, so merge that "
            "in before you commit them"
        )
    try:
        if edited:
            _follow_around(here, old, new, touched, edited)
        else:
            _patiently(here, "read-tree", "-m", "-u", old.sha, new.sha)
    except LoopError as error:
        told = error.diagnostics[0]
        why = f"the checkout did not follow {new.short}: {' '.join((told.summary, *told.evidence))}"
        return "; ".join(filter(None, (note, why)))
    return note


def _follow_around(
    here: Git, old: Revision, new: Revision, touched: tuple[str, ...], edited: tuple[str, ...]
) -> None:
    """Bring along what is not edited.

    The index of a file that is edited but not staged follows too, so that the person's next plain commit does
    not take this one back.
    """
    staged = here.read("diff-index", "-z", "--name-only", "--cached", old.sha).split(b"\0")
    present = here.read("ls-tree", "-r", "-z", "--name-only", "--full-tree", new.sha).split(b"\0")
    clean = [path for path in touched if path not in edited]
    kept = [_literal(path) for path in clean if os.fsencode(path) in present]
    gone = [_literal(path) for path in clean if os.fsencode(path) not in present]
    unstaged = [_literal(path) for path in edited if os.fsencode(path) not in staged]
    if kept:
        _patiently(here, "checkout", "--quiet", new.sha, "--", *kept)
    if gone:
        _patiently(here, "rm", "--quiet", "--force", "--ignore-unmatch", "--", *gone)
    if unstaged:
        _patiently(here, "reset", "--quiet", new.sha, "--", *unstaged)


def _patiently(here: Git, *arguments: str) -> None:
    """Run a command that needs the index, which another git command may hold for a moment."""
    for left in reversed(range(_LOCK_TRIES)):
        done = here.run(*arguments)
        if done.status == 0:
            return
        error = failure(arguments[0], done)
        if not left or not isinstance(error, TransientError):
            raise error
        time.sleep(_LOCK_PAUSE_SECONDS)


def _literal(path: str) -> str:
    return f":(literal,top){path}"
