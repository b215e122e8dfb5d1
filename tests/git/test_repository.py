"""What a repository says about its commits, and how it says that it cannot."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.errors import TerminalError, TransientError, Unknown
from runner.git.command import Finished, Git, failure
from runner.git.repository import Repository, Revision

if TYPE_CHECKING:
    from tests.git.conftest import Scratch


def said(error: pytest.ExceptionInfo[TerminalError]) -> str:
    return str(error.value)


def test_head_is_the_commit_that_is_checked_out(scratch: Scratch) -> None:
    first, second = scratch.commit("one", a="1"), scratch.commit("two", a="2")
    repository = Repository(scratch.root, scratch.environ)
    assert repository.head() == Revision(second)
    scratch.git("checkout", "--quiet", first)
    assert repository.head() == Revision(first)
    assert repository.branch() is None
    scratch.git("checkout", "--quiet", "main")
    assert repository.branch() == "main"


def test_a_directory_without_a_repository_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="not a Git repository"):
        Repository(tmp_path)


def test_a_directory_that_does_not_exist_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="no such directory"):
        Repository(tmp_path / "nowhere")


def test_a_directory_inside_another_repository_never_stands_for_that_repository(scratch: Scratch) -> None:
    scratch.commit(a="1")
    (scratch.root / "inner").mkdir()
    with pytest.raises(TerminalError) as error:
        Repository(scratch.root / "inner", scratch.environ)
    assert "not the top" in said(error)
    assert str(scratch.root) in said(error)


def test_a_repository_without_commits_is_told_so(scratch: Scratch) -> None:
    with pytest.raises(TerminalError, match="no commits yet") as error:
        Repository(scratch.root, scratch.environ).head()
    assert "git commit" in said(error)


def test_a_missing_git_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="was not found") as error:
        Git(tmp_path, {"PATH": str(tmp_path)}, program="git-that-nobody-installed").read("status")
    assert "install Git" in said(error)


@pytest.mark.parametrize("ref", ["main", "release", "v1", "HEAD^", "HEAD~1"])
def test_a_revision_is_found_by_every_name_it_has(scratch: Scratch, ref: str) -> None:
    first = scratch.commit("one")
    scratch.git("branch", "release")
    scratch.git("tag", "-a", "v1", "-m", "the first")
    second = scratch.commit("two")
    expected = second if ref == "main" else first
    assert Repository(scratch.root, scratch.environ).resolve(ref) == Revision(expected)


@pytest.mark.parametrize("ref", ["", "mian", "--help", "-n", "HEAD:a", "a\nb", "main..main", "f" * 40])
def test_what_names_no_commit_is_refused_and_never_taken_for_an_option(scratch: Scratch, ref: str) -> None:
    scratch.commit(a="1")
    with pytest.raises(TerminalError, match="unknown revision"):
        Repository(scratch.root, scratch.environ).resolve(ref)


def test_a_misspelt_branch_gets_a_suggestion(scratch: Scratch) -> None:
    scratch.commit(a="1")
    with pytest.raises(TerminalError, match="did you mean 'main'"):
        Repository(scratch.root, scratch.environ).resolve("mian")


def test_dirty_paths_are_what_differs_from_head_but_not_what_is_ignored(scratch: Scratch) -> None:
    scratch.write(".gitignore", ".loop/\n")
    scratch.commit(kept="1", edited="1", removed="1", staged="1")
    repository = Repository(scratch.root, scratch.environ)
    assert repository.dirty() == ()
    scratch.write("edited", "2")
    scratch.write("staged", "2")
    scratch.git("add", "staged")
    (scratch.root / "removed").unlink()
    scratch.write('new dir/naïve "name".txt', "1")
    scratch.write(".loop/journal.jsonl", "{}")
    assert repository.dirty() == ("edited", 'new dir/naïve "name".txt', "removed", "staged")


def test_changed_paths_are_those_whose_content_differs_between_two_commits(scratch: Scratch) -> None:
    first = scratch.commit(a="1", b="1", c="1")
    scratch.git("mv", "c", "moved")
    second = scratch.commit(a="2")
    repository = Repository(scratch.root, scratch.environ)
    assert repository.changed(Revision(first), Revision(second)) == ("a", "c", "moved")
    assert repository.changed(Revision(second), Revision(first)) == ("a", "c", "moved")
    assert repository.changed(Revision(first), Revision(first)) == ()


def test_the_log_tells_each_commit_newest_first(scratch: Scratch) -> None:
    first = scratch.commit("one")
    second = scratch.commit("two: naïve\n\nwhy\n\nLoop-Rollback: chat--1")
    scratch.git("checkout", "--quiet", "-b", "side", first)
    side = scratch.commit("side")
    scratch.git("checkout", "--quiet", "main")
    scratch.git("merge", "--quiet", "--no-edit", "side")
    repository = Repository(scratch.root, scratch.environ)
    commits = {c.revision.sha: c for c in repository.log(repository.head())}
    assert set(commits) == {first, second, side, repository.head().sha}
    assert commits[second].subject == "two: naïve"
    assert commits[second].body == "why\n\nLoop-Rollback: chat--1"
    assert (commits[second].author, commits[second].email) == ("Ada", "ada@example.com")
    assert commits[second].time.tzinfo is not None
    merge = repository.log(repository.head(), limit=1)
    assert [c.parents for c in merge] == [(Revision(second), Revision(side))]
    since = repository.log(Revision(second), since=Revision(first))
    assert [c.revision.sha for c in since] == [second]


def test_the_merge_base_is_where_two_histories_parted(scratch: Scratch) -> None:
    base = scratch.commit("base")
    scratch.git("checkout", "--quiet", "-b", "side")
    side = scratch.commit("side")
    scratch.git("checkout", "--quiet", "main")
    main = scratch.commit("main")
    scratch.git("checkout", "--quiet", "--orphan", "other")
    orphan = scratch.commit("orphan")
    repository = Repository(scratch.root, scratch.environ)
    assert repository.merge_base(Revision(main), Revision(side)) == Revision(base)
    assert repository.merge_base(Revision(main), Revision(orphan)) is None


def test_variables_that_git_sets_inside_hooks_do_not_lead_to_another_repository(
    scratch: Scratch, tmp_path: Path
) -> None:
    mine = scratch.commit(a="1")
    other = type(scratch)(tmp_path / "other")
    theirs = other.commit(b="1")
    leaked = {
        "GIT_DIR": str(other.root / ".git"),
        "GIT_WORK_TREE": str(other.root),
        "GIT_INDEX_FILE": str(other.root / ".git/index"),
        "GIT_OBJECT_DIRECTORY": str(other.root / ".git/objects"),
        "GIT_PREFIX": "somewhere/",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.worktree",
        "GIT_CONFIG_VALUE_0": str(other.root),
    }
    repository = Repository(scratch.root, scratch.environ | leaked)
    assert repository.head() == Revision(mine) != Revision(theirs)
    assert repository.files_at(repository.head()).read("a") == b"1"
    assert repository.dirty() == ()


def test_hooks_of_the_repository_are_not_run(scratch: Scratch, tmp_path: Path) -> None:
    upstream = type(scratch)(tmp_path / "upstream")
    upstream.commit(a="1")
    scratch.git("remote", "add", "origin", str(upstream.root))
    witness = tmp_path / "witness"
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc"):
        hook = scratch.root / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {witness}\n")
        hook.chmod(0o755)
    assert isinstance(Repository(scratch.root, scratch.environ).fetch("origin", "main"), Revision)
    assert not witness.exists()


def test_a_fetch_returns_the_tip_and_leaves_branch_index_and_files_alone(
    scratch: Scratch, tmp_path: Path
) -> None:
    upstream = type(scratch)(tmp_path / "upstream")
    upstream.commit(a="1")
    clone = type(scratch)(tmp_path / "clone")
    clone.git("remote", "add", "origin", str(upstream.root))
    clone.git("pull", "--quiet", "origin", "main")
    tip = upstream.commit(a="2")
    repository = Repository(clone.root, clone.environ)
    before = repository.head()
    assert repository.fetch("origin", "main") == Revision(tip)
    assert repository.head() == before != Revision(tip)
    assert (clone.root / "a").read_text() == "1"
    assert repository.files_at(Revision(tip)).read("a") == b"2"
    assert repository.remotes() == ("origin",)


def test_a_fetch_follows_history_that_was_rewritten(scratch: Scratch, tmp_path: Path) -> None:
    upstream = type(scratch)(tmp_path / "upstream")
    upstream.commit(a="1")
    scratch.git("remote", "add", "origin", str(upstream.root))
    repository = Repository(scratch.root, scratch.environ)
    repository.fetch("origin", "main")
    upstream.git("commit", "--quiet", "--amend", "-m", "another")
    assert repository.fetch("origin", "main") == Revision(upstream.git("rev-parse", "HEAD"))


@pytest.mark.parametrize(
    ("remote", "branch"),
    [("origin", "main"), ("nobody", "main"), ("origin", "no-such-branch"), ("--upload-pack=false", "main")],
)
def test_invariant_3_a_remote_that_does_not_answer_is_unknown(
    scratch: Scratch, remote: str, branch: str
) -> None:
    scratch.commit(a="1")
    scratch.git("remote", "add", "origin", str(scratch.root.parent / "gone"))
    answer = Repository(scratch.root, scratch.environ).fetch(remote, branch)
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith(f"{remote}/{branch}: ")


def test_invariant_3_a_remote_that_is_silent_is_unknown_and_nothing_of_the_fetch_lives_on(
    scratch: Scratch, tmp_path: Path
) -> None:
    scratch.commit(a="1")
    noted = tmp_path / "pid"
    silent = tmp_path / "silent-ssh"
    silent.write_text(f"#!/bin/sh\necho $$ > {noted}\nexec sleep 600\n")
    silent.chmod(0o755)
    scratch.git("remote", "add", "origin", "ssh://nobody@127.0.0.1/nothing")
    environ = scratch.environ | {"GIT_SSH_COMMAND": str(silent)}
    answer = Repository(scratch.root, environ).fetch("origin", "main", seconds=1.0)
    assert isinstance(answer, Unknown)
    assert "did not end within 1 s" in answer.reason
    assert not alive(int(noted.read_text()))


def alive(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.05)
    return True


def test_a_command_that_does_not_end_is_a_transient_error(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    with pytest.raises(TransientError, match="did not end within"):
        Git(tmp_path, program=str(slow)).run("status", seconds=0.2)


@pytest.mark.parametrize(
    "said",
    [
        "error: file write error: No space left on device",
        "fatal: Unable to create '/r/.git/index.lock': File exists.\n\nAnother git process seems to be running",
        "fatal: update_ref failed for ref 'refs/heads/main': cannot lock ref 'refs/heads/main': Unable to create "
        "'/r/.git/refs/heads/main.lock': File exists.",
        "error: unable to write file .git/objects/ab/cd: Disk quota exceeded",
    ],
)
def test_a_full_disk_or_a_lock_is_for_later(said: str) -> None:
    error = failure("commit", Finished(128, b"", said))
    assert isinstance(error, TransientError)
    assert ".lock" not in said or "delete /r/.git/" in str(error)


def test_any_other_failure_is_final() -> None:
    assert isinstance(failure("commit", Finished(128, b"", "fatal: not a valid object name")), TerminalError)


def test_a_shallow_clone_says_why_an_older_commit_is_unknown(scratch: Scratch, tmp_path: Path) -> None:
    first = scratch.commit("one")
    scratch.commit("two")
    scratch.git("clone", "--quiet", "--depth=1", f"file://{scratch.root}", str(tmp_path / "clone"))
    with pytest.raises(TerminalError, match="this clone is shallow"):
        Repository(tmp_path / "clone", scratch.environ).resolve(first)
