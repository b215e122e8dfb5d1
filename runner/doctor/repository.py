"""The repository: valid, committed, on a branch, and its remote reachable and writable.

Whether one may push is found out by a push that is only tried (`--dry-run`): the remote is asked, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.doctor.finding import Finding, Look, aside, failed, ok, told, unchecked, warning
from runner.errors import Diagnostic, LoopError, Severity
from runner.git.command import Git
from runner.git.repository import Repository
from runner.spec.environment import GitSettings
from runner.spec.load import Loaded
from runner.urls import text_without_secret, without_secret

AREA = "repository"
REMOTE_SECONDS = 20.0
_TRIED = "refs/heads/loop-doctor"
"""The branch that a push is tried with; it is never made."""


def looks(root: Path | None, loaded: Loaded | None) -> Iterator[Look]:
    """Yield what to look at; without a root, that there is none."""

    async def desired() -> Iterable[Finding]:
        return [judge_desired(loaded)]

    async def state() -> Iterable[Finding]:
        assert root is not None  # noqa: S101 - looked at only where there is one
        return await aside(lambda: tuple(_state(root, _settings(loaded))))

    async def remote() -> Iterable[Finding]:
        settings = _settings(loaded)
        if root is None or settings is None:
            return [ok("remote", "none is followed: the runner obeys the branch that is checked out")]
        return await aside(lambda: tuple(_remote(Git(root), settings)))

    yield Look(AREA, "desired state", desired)
    if root is not None:
        yield Look(AREA, "checkout", state)
        if loaded is not None and loaded.spec is not None:
            yield Look(AREA, "remote", remote, seconds=2 * REMOTE_SECONDS + 5)


def _settings(loaded: Loaded | None) -> GitSettings | None:
    return loaded.spec.loop.git if loaded is not None and loaded.spec is not None else None


def judge_desired(loaded: Loaded | None) -> Finding:
    """Judge the files of the desired state as they lie here."""
    what = "desired state"
    if loaded is None:
        return failed(
            what, "there is no loop.yaml here, nor in a folder above", "`loop init NAME` makes a repository"
        )
    errors = [each for each in loaded.diagnostics if each.severity is Severity.ERROR]
    if errors:
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        return failed(
            what, f"{_place(errors[0])}{errors[0].summary}{more}", "`loop validate` tells all of them"
        )
    if loaded.diagnostics:
        first = loaded.diagnostics[0]
        return warning(
            what, f"{_place(first)}{first.summary}", first.fix or "`loop validate` tells all of them"
        )
    return ok(what, "valid")


def _place(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.location}: " if diagnostic.location is not None else ""


def _state(root: Path, settings: GitSettings | None) -> Iterator[Finding]:
    try:
        repository = Repository(root)
        head, dirty, branch = repository.head(), repository.dirty(), repository.branch()
    except LoopError as error:
        yield told("commit", error)
        return
    yield ok("commit", head.short)
    yield judge_clean(tuple(dirty))
    yield judge_branch(branch, settings)


def judge_clean(changed: tuple[str, ...]) -> Finding:
    """Judge what is changed and not committed: the runner obeys commits alone."""
    if not changed:
        return ok("changes", "all is committed")
    shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return warning("changes", f"not committed: {shown}", "commit them: the runner obeys commits alone")


def judge_branch(branch: str | None, settings: GitSettings | None) -> Finding:
    """Judge what is checked out."""
    if branch is None:
        return warning("branch", "a commit and no branch is checked out", "`git switch main`")
    if settings is not None and branch != settings.branch:
        said = f"'{branch}' is checked out, and the runner follows '{settings.branch}'"
        return warning("branch", said, f"`git switch {settings.branch}`")
    return ok("branch", branch)


def _remote(git: Git, settings: GitSettings) -> Iterator[Finding]:
    name = settings.remote
    asked = git.run("config", "--get", f"remote.{name}.url")
    url = without_secret(asked.stdout.decode(errors="replace").strip())
    if asked.status:
        fix = f"`git remote add {name} URL`, or take `git:` out of loop.yaml"
        yield failed("remote", f"loop.yaml follows '{name}', and there is no such remote", fix)
        return
    listed = git.run("ls-remote", "--heads", name, settings.branch, seconds=REMOTE_SECONDS)
    if listed.status:
        fix = f"look at network and credentials: `git ls-remote {name}`"
        yield failed("remote", f"{url} cannot be read: {_said(listed.stderr)}", fix)
        yield unchecked("push", "the remote cannot be read")
        return
    there = bool(listed.stdout.strip())
    yield (
        ok("remote", f"{url} has '{settings.branch}'")
        if there
        else failed(
            "remote",
            f"{url} has no branch '{settings.branch}'",
            f"`git push -u {name} HEAD:{settings.branch}`",
        )
    )
    tried = git.run(
        "push", "--dry-run", "--no-verify", "--porcelain", name, f"HEAD:{_TRIED}", seconds=REMOTE_SECONDS
    )
    if tried.status:
        fix = "give whoever runs this the right to push; the runner writes its steps there"
        yield failed("push", f"refused: {_said(tried.stderr)}", fix)
    else:
        yield ok("push", "one may push (tried, nothing was sent)")


def _said(stderr: str) -> str:
    """Return the last line of what Git said, without a secret that stands in an address."""
    lines = [line for line in stderr.splitlines() if line.strip()] or ["it said nothing"]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    return text_without_secret(" ".join(telling[0].split()))[:200]
