"""The desk: what is to be in Git gets there once, by a push or by a branch that a person merges."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.errors import TerminalError, TransientError
from runner.git.commit import Author
from runner.git.desk import Desk, Draft, Outcome, Proposed, Request, Written, edit
from runner.git.repository import Repository, Revision
from tests.git.conftest import Scratch

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
FILE, BRANCH = "loop.yaml", "loop/change"


@pytest.fixture
def bare(tmp_path: Path, scratch: Scratch) -> Path:
    """A remote whose main holds one commit."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    scratch.commit("begin", **{FILE: "stage: canary\n"})
    scratch.git("remote", "add", "origin", str(bare))
    scratch.git("push", "--quiet", "origin", "main")
    return bare


def desk_of(scratch: Scratch, remote: str | None = "origin") -> Desk:
    return Desk(Repository(scratch.root), remote, "main", Author())


def draft_at(desk: Desk, tip: Revision, text: str, branch: str = BRANCH) -> Draft | None:
    before = desk.text(tip, FILE)
    return None if before == text else Draft((edit(FILE, before, text),), "Step\n\nwhy\n", branch, AT)


def write(desk: Desk, text: str = "stage: small\n", *, by_pull_request: bool = False) -> Written:
    return asyncio.run(desk.write(lambda tip: draft_at(desk, tip, text), by_pull_request=by_pull_request))


@pytest.mark.parametrize("remote", ["origin", None])
def test_a_change_is_one_commit_on_the_branch_however_often_it_is_written(
    scratch: Scratch, bare: Path, remote: str | None
) -> None:
    desk = desk_of(scratch, remote)
    first = write(desk)
    again = write(desk)
    assert desk.text(desk.tip(), FILE) == "stage: small\n"
    assert (desk.tip().sha, again.written) == (first.written, first.written)
    assert again.note == "Git said so already"


def test_a_change_is_made_again_on_what_somebody_else_pushed_in_between(scratch: Scratch, bare: Path) -> None:
    desk, other = desk_of(scratch), Scratch(scratch.root.parent / "other")
    other.git("pull", "--quiet", str(bare), "main")
    tips: list[Revision] = []

    def draft(tip: Revision) -> Draft | None:
        tips.append(tip)
        made = draft_at(desk, tip, "stage: small\n")
        if len(tips) == 1:
            other.commit("quicker", README="read me\n")
            other.git("push", "--quiet", str(bare), "main")
        return made

    asyncio.run(desk.write(draft, by_pull_request=False))
    assert len(tips) == 2
    assert desk.text(desk.tip(), FILE) == "stage: small\n"
    assert desk.text(desk.tip(), "README") == "read me\n"


@pytest.mark.parametrize("remote", ["origin", None])
def test_what_a_person_has_to_merge_waits_on_a_branch_of_its_own(
    scratch: Scratch, bare: Path, remote: str | None
) -> None:
    desk = desk_of(scratch, remote)
    before = desk.tip()
    written = write(desk, by_pull_request=True)
    where = bare if remote else scratch.root
    said = subprocess.run(
        ["git", "show", f"{BRANCH}:{FILE}"], cwd=where, check=True, capture_output=True, text=True
    )
    assert said.stdout == "stage: small\n"
    assert desk.tip() == before
    assert written.written == BRANCH
    assert f"merge branch '{BRANCH}' into 'main'" in written.note


def test_a_branch_that_holds_something_else_is_left_alone(scratch: Scratch, bare: Path) -> None:
    desk = desk_of(scratch)
    write(desk, by_pull_request=True)
    other = write(desk, "stage: full\n", by_pull_request=True)
    assert other.written.startswith(f"{BRANCH}-")
    assert write(desk, by_pull_request=True).written == BRANCH


def test_a_protected_branch_is_asked_by_a_pull_request(scratch: Scratch, bare: Path) -> None:
    hook = bare / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ] || { echo "reviews only" >&2; exit 1; }\n')
    hook.chmod(0o755)
    written = write(desk_of(scratch))
    assert written.written == BRANCH
    assert "the branch is protected: reviews only" in written.note


def test_a_silent_remote_is_for_later(scratch: Scratch, bare: Path) -> None:
    bare.rename(bare.with_name("gone"))
    with pytest.raises(TransientError, match="the remote does not answer"):
        write(desk_of(scratch))


# What is asked for again and again

OWN = ("Loop-Test", "stage")


def ask(desk: Desk, text: str = "stage: small\n") -> Proposed | None:
    def make(tip: Revision) -> Request | None:
        draft = draft_at(desk, tip, text)
        if draft is None:
            return None
        message = f"Step\n\nwhy\n\n{': '.join(OWN)}\n"
        return Request(Draft(draft.changes, message, BRANCH, datetime.now(UTC)), "Step", "why", OWN)

    return asyncio.run(desk.propose(make))


@pytest.mark.parametrize("remote", ["origin", None])
def test_the_same_request_again_is_the_same_commit(scratch: Scratch, bare: Path, remote: str | None) -> None:
    desk = desk_of(scratch, remote)
    first, again = ask(desk), ask(desk)
    assert first is not None and again is not None
    assert (first.change, again.change) == (Outcome.MADE, Outcome.KEPT)
    assert first.revision == again.revision == desk.held(BRANCH)


@pytest.mark.parametrize("remote", ["origin", None])
def test_a_branch_follows_what_is_asked_for_and_the_base_as_one_commit(
    scratch: Scratch, bare: Path, remote: str | None
) -> None:
    desk = desk_of(scratch, remote)
    ask(desk)
    ask(desk, "stage: half\n")
    scratch.commit("beside", README="read me\n")
    scratch.git("push", "--quiet", "origin", "main")
    last = ask(desk, "stage: half\n")
    assert last is not None and last.change is Outcome.REPLACED
    (commit,) = desk.repository.log(last.revision, since=desk.tip())
    assert commit.parents == (desk.tip(),)
    assert desk.text(last.revision, FILE) == "stage: half\n"
    assert desk.held(BRANCH) == last.revision


@pytest.mark.parametrize("remote", ["origin", None])
def test_a_branch_to_which_a_person_has_committed_is_left_alone(
    scratch: Scratch, bare: Path, remote: str | None
) -> None:
    desk = desk_of(scratch, remote)
    ask(desk)
    scratch.git("fetch", "--quiet", "origin")
    scratch.git("switch", "--quiet", "--detach", BRANCH if remote is None else f"origin/{BRANCH}")
    theirs = scratch.commit("a better stage", **{FILE: "stage: tiny\n"})
    scratch.git("switch", "--quiet", "main")
    scratch.git(
        *(
            ("push", "--quiet", "origin", f"{theirs}:refs/heads/{BRANCH}")
            if remote
            else ("branch", "--force", BRANCH, theirs)
        )
    )
    with pytest.raises(TerminalError, match="somebody else") as error:
        ask(desk, "stage: half\n")
    assert "Ada: a better stage" in str(error.value)
    assert desk.held(BRANCH) == Revision(theirs)


def test_nothing_is_asked_for_where_nothing_is_missing(scratch: Scratch, bare: Path) -> None:
    desk = desk_of(scratch)
    assert ask(desk, "stage: canary\n") is None
    assert desk.held(BRANCH) is None


def test_a_branch_that_somebody_looks_at_is_not_moved_below_their_feet(scratch: Scratch, bare: Path) -> None:
    desk = desk_of(scratch, None)
    ask(desk)
    scratch.git("worktree", "add", "--quiet", str(scratch.root.parent / "look"), BRANCH)
    with pytest.raises(TerminalError, match="is checked out in"):
        ask(desk, "stage: half\n")


def test_a_merged_branch_is_used_again_for_what_is_asked_for_next(scratch: Scratch, bare: Path) -> None:
    desk = desk_of(scratch)
    ask(desk)
    scratch.git("pull", "--quiet", "origin", BRANCH)
    scratch.git("push", "--quiet", "origin", "main")
    assert ask(desk) is None
    last = ask(desk, "stage: half\n")
    assert last is not None and last.change is Outcome.REPLACED
