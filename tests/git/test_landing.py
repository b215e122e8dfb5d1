"""Commits of the runner on real repositories: they land once, lose races politely and touch nothing of a person's."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.errors import TerminalError, TransientError
from runner.git.command import Git
from runner.git.commit import Author, Change, commit
from runner.git.landing import (
    Landed,
    Moved,
    Protected,
    Pushed,
    RemoteBranch,
    Unreachable,
    _patiently,
    land_locally,
    push,
)
from runner.git.repository import Repository, Revision

if TYPE_CHECKING:
    from tests.git.conftest import Scratch

AT = datetime(2026, 11, 21, 5, 17, tzinfo=UTC)
MAIN = RemoteBranch("origin", "main")


@pytest.fixture
def clone(scratch: Scratch) -> Scratch:
    """A checkout whose `origin` is a bare repository beside it; both hold `a` and `b`."""
    scratch.commit("first", a="1\n", b="1\n")
    bare(scratch, scratch.root.parent / "origin.git")
    scratch.git("remote", "add", "origin", str(scratch.root.parent / "origin.git"))
    scratch.git("fetch", "--quiet", "origin")
    return scratch


def bare(scratch: Scratch, to: Path) -> None:
    scratch.git("clone", "--quiet", "--bare", str(scratch.root), str(to))


def at_origin(clone: Scratch, what: str = "main") -> str:
    return clone.git("--git-dir", str(clone.root.parent / "origin.git"), "rev-parse", what)


def opened(scratch: Scratch, **environ: str) -> Repository:
    return Repository(scratch.root, scratch.environ | environ)


def change_a(repository: Repository, parent: Revision, after: str = "2\n", message: str = "a") -> Revision:
    before = repository.files_at(parent).read("a")
    return commit(repository, parent, [Change("a", before, after.encode())], message, at=AT)


def state_of(scratch: Scratch) -> tuple[str, str, bytes]:
    index = (scratch.root / ".git/index").read_bytes()
    return scratch.git("rev-parse", "HEAD"), scratch.git("status", "--porcelain"), index


# Making commits


def test_a_commit_touches_neither_branch_nor_index_nor_files(clone: Scratch) -> None:
    clone.write("a", "edited by a person\n")
    clone.git("add", "a")
    clone.write("new", "not committed\n")
    before, repository = state_of(clone), opened(clone)
    made = change_a(repository, repository.head())
    assert state_of(clone) == before
    assert repository.files_at(made).read("a") == b"2\n"
    assert repository.changed(repository.head(), made) == ("a",)


def test_the_same_facts_make_the_same_commit(clone: Scratch) -> None:
    repository = opened(clone)
    assert change_a(repository, repository.head()) == change_a(repository, repository.head())
    clone.git("fsck", "--strict")


def test_bytes_and_modes_stay_as_they_are_whatever_the_settings_of_a_person(clone: Scratch) -> None:
    clone.git("config", "core.autocrlf", "true")
    clone.write(".gitattributes", "* text=auto eol=crlf\n")
    clone.write("run", "#!/bin/sh\n")
    (clone.root / "run").chmod(0o755)
    clone.commit("more")
    clone.git("config", "commit.gpgsign", "true")
    repository = opened(clone)
    parent = repository.head()
    odd = "dir with space/ü:*.txt"
    made = commit(
        repository,
        parent,
        [
            Change("run", b"#!/bin/sh\n", b"#!/bin/sh\r\nx\n"),
            Change(odd, None, b"\xff\0\r\n"),
            Change("b", b"1\n", None),
        ],
        "subject\n\nbody: ü\n# not a comment\n",
        at=AT,
        author=Author("The <Loop>\n", "loop@example.com"),
    )
    files = repository.files_at(made)
    assert files.read("run") == b"#!/bin/sh\r\nx\n"
    assert files.read(odd) == b"\xff\0\r\n"
    assert "b" not in files.paths()
    assert clone.git("ls-tree", made.sha, "run").startswith("100755")
    (told,) = repository.log(made, limit=1)
    assert (told.author, told.email, told.time) == ("The Loop", "loop@example.com", AT)
    assert (told.subject, told.body) == ("subject", "body: ü\n# not a comment")
    assert told.parents == (parent,)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (Change("a", b"another\n", b"2\n"), "not in .* what the edit began with"),
        (Change("a", None, b"2\n"), "not in .* what the edit began with"),
        (Change("missing", b"1\n", b"2\n"), "not in .* what the edit began with"),
        (Change("a", b"1\n", b"1\n"), "nothing to commit"),
        (Change("link", b"a", b"b"), "no regular file"),
    ],
)
def test_an_edit_that_does_not_fit_its_parent_is_refused(clone: Scratch, change: Change, match: str) -> None:
    (clone.root / "link").symlink_to("a")
    clone.commit("link")
    repository = opened(clone)
    with pytest.raises(TerminalError, match=match):
        commit(repository, repository.head(), [change], "m", at=AT)


def test_a_full_disk_is_for_later(clone: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/full/none")
    repository = opened(clone)
    with pytest.raises(TransientError, match="no place for a temporary index"):
        change_a(repository, repository.head())


# Pushing


def test_a_push_moves_the_branch_of_the_remote_and_nothing_here(clone: Scratch) -> None:
    repository, before = opened(clone), state_of(clone)
    made = change_a(repository, repository.head())
    assert push(repository, made, MAIN, repository.head()) == Pushed(made)
    assert at_origin(clone) == made.sha
    assert state_of(clone) == before


def test_a_push_whose_answer_was_lost_is_made_again_without_harm(clone: Scratch) -> None:
    repository = opened(clone)
    parent = repository.head()
    made = change_a(repository, parent)
    push(repository, made, MAIN, parent)
    assert push(repository, made, MAIN, parent) == Pushed(made)
    later = change_a(repository, made, "3\n")
    push(repository, later, MAIN, made)
    assert push(repository, made, MAIN, parent) == Pushed(made)
    assert at_origin(clone) == later.sha


def test_a_new_branch_is_made_only_where_there_is_none(clone: Scratch) -> None:
    repository = opened(clone)
    made, other = (change_a(repository, repository.head(), text) for text in ("2\n", "3\n"))
    target = RemoteBranch("origin", "loop/advance")
    assert push(repository, made, target, None) == Pushed(made)
    assert push(repository, other, target, None) == Moved(made)


def test_who_loses_a_race_is_told_the_new_tip_and_nothing_is_overwritten(clone: Scratch) -> None:
    repository = opened(clone)
    parent = repository.head()
    theirs, ours = change_a(repository, parent, "theirs\n"), change_a(repository, parent, "ours\n")
    clone.git("push", "--quiet", "origin", f"{theirs}:main")
    assert push(repository, ours, MAIN, parent) == Moved(theirs)
    assert at_origin(clone) == theirs.sha


def test_a_remote_whose_history_was_rewritten_is_told_as_moved(clone: Scratch) -> None:
    repository = opened(clone)
    parent = repository.head()
    made = change_a(repository, parent)
    clone.git("checkout", "--quiet", "--orphan", "fresh")
    fresh = clone.commit("a new beginning")
    clone.git("push", "--quiet", "--force", "origin", "fresh:main")
    assert push(repository, made, MAIN, parent) == Moved(Revision(fresh))
    assert at_origin(clone) == fresh


def test_a_branch_that_was_deleted_meanwhile_is_told_as_moved(clone: Scratch) -> None:
    repository = opened(clone)
    made = change_a(repository, repository.head())
    clone.git("--git-dir", str(clone.root.parent / "origin.git"), "update-ref", "-d", "refs/heads/main")
    assert push(repository, made, MAIN, repository.head()) == Moved(None)


def test_history_is_never_rewritten(clone: Scratch) -> None:
    repository = opened(clone)
    first = repository.head()
    second = change_a(repository, first)
    push(repository, second, MAIN, first)
    with pytest.raises(TerminalError, match="history is not rewritten"):
        push(repository, change_a(repository, first, "x\n"), MAIN, second)


def test_of_two_writers_at_once_one_lands_and_the_other_is_told_until_both_have(clone: Scratch) -> None:
    repositories = []
    for name in ("one", "other"):
        clone.git("clone", "--quiet", str(clone.root.parent / "origin.git"), str(clone.root.parent / name))
        repositories.append(Repository(clone.root.parent / name, clone.environ))
    begin, lost = threading.Barrier(2), []

    def write(repository: Repository, number: int) -> None:
        begin.wait()
        for step in range(4):
            tip = repository.fetch("origin", "main")
            while True:
                assert isinstance(tip, Revision)
                made = commit(
                    repository, tip, [Change(f"{number}-{step}", None, b"x")], f"{number}-{step}", at=AT
                )
                outcome = push(repository, made, MAIN, tip)
                if isinstance(outcome, Pushed):
                    break
                lost.append(outcome)
                tip = outcome.tip if isinstance(outcome, Moved) else repository.fetch("origin", "main")

    threads = [threading.Thread(target=write, args=(each, n)) for n, each in enumerate(repositories)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clone.git("fetch", "--quiet", "origin")
    files = opened(clone).files_at(Revision(at_origin(clone))).paths()
    assert files == tuple(sorted(["a", "b", *(f"{n}-{step}" for n in range(2) for step in range(4))]))
    assert all(isinstance(outcome, Moved | Unreachable) for outcome in lost)


REFUSALS = {
    "pre-receive": ("GitLab: You are not allowed to push code to protected branches", 1),
    "update": ("GH006: Protected branch update failed for refs/heads/main.", 1),
}


@pytest.mark.parametrize("hook", sorted(REFUSALS))
def test_a_protected_branch_says_why_in_its_own_words(clone: Scratch, hook: str) -> None:
    words, _ = REFUSALS[hook]
    script = clone.root.parent / "origin.git/hooks" / hook
    script.write_text(f"#!/bin/sh\necho 'error: {words}' >&2\nexit 1\n")
    script.chmod(0o755)
    repository = opened(clone)
    outcome = push(repository, change_a(repository, repository.head()), MAIN, repository.head())
    assert isinstance(outcome, Protected)
    assert words in outcome.message
    assert at_origin(clone) == repository.head().sha


def test_a_branch_that_the_remote_has_checked_out_is_protected(clone: Scratch, tmp_path: Path) -> None:
    clone.git("remote", "set-url", "origin", str(tmp_path / "checkout"))
    clone.git("clone", "--quiet", str(clone.root), str(tmp_path / "checkout"))
    repository = opened(clone)
    outcome = push(repository, change_a(repository, repository.head()), MAIN, repository.head())
    assert isinstance(outcome, Protected)


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ("[remote rejected] (protected branch hook declined)", "GH006: Protected branch update failed"),
        ("[remote rejected] (push declined due to repository rule violations)", "GH013: Repository rule"),
    ],
)
def test_githubs_refusals_are_understood(clone: Scratch, tmp_path: Path, summary: str, said: str) -> None:
    repository = opened(clone)
    made = change_a(repository, repository.head())
    assert isinstance(
        pushed_through(clone, tmp_path, made, f"!\\tx:refs/heads/main\\t{summary}", said), Protected
    )


def test_a_ref_that_the_remote_cannot_lock_is_for_later(clone: Scratch) -> None:
    repository = opened(clone)
    (clone.root.parent / "origin.git/refs/heads/main.lock").touch()
    outcome = push(repository, change_a(repository, repository.head()), MAIN, repository.head())
    assert isinstance(outcome, Unreachable)


def pushed_through(clone: Scratch, tmp_path: Path, made: Revision, line: str, said: str) -> object:
    """Push with a command that answers as GitHub's server makes git answer."""
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    real = next(p for p in (Path(d) / "git" for d in clone.environ["PATH"].split(":")) if p.exists())
    fake.write_text(
        f"#!/bin/sh\ncase \"$*\" in *' push '*) printf 'To x\\n{line}\\nDone\\n';"
        f" echo 'remote: error: {said}' >&2; exit 1;; esac\nexec {real} \"$@\"\n"
    )
    fake.chmod(0o755)
    repository = opened(clone, PATH=f"{fake.parent}:{clone.environ['PATH']}")
    return push(repository, made, MAIN, repository.head())


def test_a_remote_that_is_gone_is_unreachable(clone: Scratch) -> None:
    (clone.root.parent / "origin.git").rename(clone.root.parent / "elsewhere.git")
    repository = opened(clone)
    outcome = push(repository, change_a(repository, repository.head()), MAIN, repository.head())
    assert isinstance(outcome, Unreachable)
    assert "origin.git" in outcome.reason


def test_a_remote_that_is_silent_is_unreachable_after_its_time(clone: Scratch, tmp_path: Path) -> None:
    silent = tmp_path / "silent-ssh"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    clone.git("remote", "set-url", "origin", "ssh://nobody@127.0.0.1/nothing")
    repository = opened(clone, GIT_SSH_COMMAND=str(silent))
    outcome = push(repository, change_a(repository, repository.head()), MAIN, repository.head(), seconds=0.5)
    assert isinstance(outcome, Unreachable)
    assert "did not end within" in outcome.reason


# Landing in a repository without a remote


def test_a_clean_checkout_goes_along(clone: Scratch) -> None:
    clone.write("new", "not committed\n")
    clone.write("b", "edited by a person\n")
    repository = opened(clone)
    made = change_a(repository, repository.head())
    assert land_locally(repository, made, "main") == Landed(made)
    assert land_locally(repository, made, "main") == Landed(made)
    assert (clone.root / "a").read_text() == "2\n"
    assert repository.head() == made
    assert repository.dirty() == ("b", "new")


def test_a_branch_that_is_not_checked_out_moves_alone(clone: Scratch) -> None:
    clone.git("checkout", "--quiet", "-b", "feature")
    repository, before = opened(clone), state_of(clone)
    made = change_a(repository, repository.head())
    assert land_locally(repository, made, "main") == Landed(made)
    assert repository.resolve("main") == made
    assert state_of(clone) == before


def test_the_checkout_of_a_linked_working_tree_goes_along(clone: Scratch) -> None:
    linked = clone.root.parent / "linked"
    clone.git("checkout", "--quiet", "-b", "feature")
    clone.git("worktree", "add", "--quiet", str(linked), "main")
    repository = opened(clone)
    made = change_a(repository, repository.head())
    assert land_locally(repository, made, "main") == Landed(made)
    assert (linked / "a").read_text() == "2\n"
    assert (clone.root / "a").read_text() == "1\n"


@pytest.mark.parametrize("staged", [False, True])
def test_uncommitted_edits_of_a_touched_file_stay_and_that_is_said(clone: Scratch, staged: bool) -> None:
    clone.write("a", "mine\n")
    if staged:
        clone.git("add", "a")
    repository = opened(clone)
    parent = repository.head()
    made = commit(
        repository,
        parent,
        [Change("a", b"1\n", b"2\n"), Change("b", b"1\n", None), Change("c", None, b"c\n")],
        "m",
        at=AT,
    )
    landed = land_locally(repository, made, "main")
    assert isinstance(landed, Landed)
    assert "a: your uncommitted edits stay" in landed.note
    assert repository.head() == made
    assert (clone.root / "a").read_text() == "mine\n"
    assert (clone.root / "c").read_text() == "c\n"
    assert not (clone.root / "b").exists()
    assert repository.dirty() == ("a",)
    if not staged:  # a plain commit of something else does not take ours back
        clone.write("d", "d\n")
        clone.git("add", "d")
        clone.git("commit", "--quiet", "-m", "mine")
        assert repository.files_at(repository.head()).read("a") == b"2\n"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_file_that_git_does_not_have_is_not_written_over(clone: Scratch, ignored: bool) -> None:
    if ignored:
        clone.commit("ignore", **{".gitignore": "new\n"})
    clone.write("new", "mine\n")
    repository = opened(clone)
    made = commit(repository, repository.head(), [Change("new", None, b"ours\n")], "m", at=AT)
    landed = land_locally(repository, made, "main")
    assert isinstance(landed, Landed)
    assert "new: your uncommitted edits stay" in landed.note
    assert (clone.root / "new").read_text() == "mine\n"


def test_a_branch_that_moved_meanwhile_is_told(clone: Scratch) -> None:
    repository = opened(clone)
    made = change_a(repository, repository.head())
    theirs = clone.commit("theirs", b="2\n")
    assert land_locally(repository, made, "main") == Moved(Revision(theirs))
    assert repository.head() == Revision(theirs)
    assert land_locally(repository, made, "nowhere") == Moved(None)


def test_of_two_landings_at_once_every_commit_is_kept(clone: Scratch) -> None:
    repository, begin = opened(clone), threading.Barrier(2)

    def write(number: int) -> None:
        begin.wait()
        step = 0
        while step < 4:
            tip = repository.resolve("main")
            made = commit(repository, tip, [Change(f"{number}-{step}", None, b"x")], "m", at=AT)
            try:
                step += isinstance(land_locally(repository, made, "main"), Landed)
            except TransientError:
                continue

    threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = ("a", "b", *(f"{n}-{step}" for n in range(2) for step in range(4)))
    assert repository.files_at(repository.head()).paths() == tuple(sorted(expected))


@pytest.mark.parametrize("lock", ["index.lock", "refs/heads/main.lock"])
@pytest.mark.parametrize("edited", [False, True])
def test_a_lock_that_was_left_is_for_later_and_says_what_to_delete(
    clone: Scratch, lock: str, edited: bool
) -> None:
    if edited:
        clone.write("a", "mine\n")
    repository = opened(clone)
    parent = repository.head()
    made = change_a(repository, parent)
    (clone.root / ".git" / lock).touch()
    with pytest.raises(TransientError, match=r"delete .*lock"):
        land_locally(repository, made, "main")
    assert repository.head() == parent
    assert (clone.root / "a").read_text() == ("mine\n" if edited else "1\n")
    (clone.root / ".git" / lock).unlink()
    assert isinstance(land_locally(repository, made, "main"), Landed)


def test_an_index_that_is_locked_for_a_moment_is_waited_for(clone: Scratch) -> None:
    repository = opened(clone)
    parent = repository.head()
    made = change_a(repository, parent)
    lock = clone.root / ".git/index.lock"
    freed = threading.Timer(0.3, lock.unlink)
    hook = Git(clone.root, clone.environ)
    lock.touch()
    freed.start()
    _patiently(hook, "read-tree", "-m", "-u", parent.sha, made.sha)
    freed.join()
    assert (clone.root / "a").read_text() == "2\n"


def test_a_checkout_that_cannot_follow_is_told_and_the_branch_has_moved(
    clone: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.git.landing._LOCK_TRIES", 2)
    monkeypatch.setattr("runner.git.landing._refuse_midway", lambda here: None)
    repository = opened(clone)
    made = change_a(repository, repository.head())
    (clone.root / ".git/index.lock").touch()
    landed = land_locally(repository, made, "main")
    assert isinstance(landed, Landed)
    assert "the checkout did not follow" in landed.note
    assert "index.lock" in landed.note
    assert repository.head() == made


def test_a_merge_under_way_is_not_disturbed(clone: Scratch) -> None:
    repository = opened(clone)
    made = change_a(repository, repository.head())
    (clone.root / ".git/MERGE_HEAD").write_text(f"{made}\n")
    with pytest.raises(TransientError, match="a merge is under way"):
        land_locally(repository, made, "main")


def test_a_person_can_revert_what_the_runner_committed(clone: Scratch) -> None:
    repository = opened(clone)
    made = change_a(repository, repository.head())
    land_locally(repository, made, "main")
    clone.git("revert", "--no-edit", made.sha)
    assert (clone.root / "a").read_text() == "1\n"
