"""The desk: what is to be in Git gets there once, by a push or by a branch that a person merges."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.errors import TransientError
from runner.git.commit import Author
from runner.git.desk import Desk, Draft, Written, edit
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
